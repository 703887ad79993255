"""The OpenAPI document is kept: what it lets one send is answered as it says, and never with a defect of ours (5xx)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from api.worker import document

ORIGIN: Final = "http://hearth.test"
SCHEMA: Final = schemathesis.openapi.from_dict(document())
cases = st.one_of([operation.ok().as_strategy() for operation in SCHEMA.get_all_operations()])
FEW: Final = settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
MANY: Final = settings(FEW, max_examples=4000, derandomize=False, print_blob=True)


@pytest.fixture(scope="module")
async def api(new_house: Callable[[], Awaitable[Any]]) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose relative addresses are those of the document, in a tenant of its own."""
    house = await new_house()
    async with house.client(await house.token()) as http:
        http.base_url = f"{ORIGIN}/t/{house.name}/"
        yield http


async def keep(api: httpx.AsyncClient, case: Any) -> None:
    sent = case.as_transport_kwargs(base_url="")
    address = str(sent.pop("url"))
    if not address.startswith("/fhir"):
        address = ORIGIN + address.replace("{tenant}", "nobody")
    # NaN and Infinity, and NUL in a header, cannot be sent by this client.
    sent["headers"] = {name: str(value) for name, value in sent["headers"].items() if str(value).isascii()}
    sent.pop("cookies", None)
    try:
        request = api.build_request(**sent, url=address.lstrip("/") if address.startswith("/") else address)
    except (ValueError, httpx.InvalidURL):
        return
    answer = await api.send(request)
    assert answer.status_code < 500, (str(request.url), request.content[:500], answer.text)
    case.validate_response(answer, checks=[content_type_conformance, response_schema_conformance])


@FEW
@given(cases)
async def test_what_the_document_allows_is_answered_as_it_says(api: httpx.AsyncClient, case: Any) -> None:
    await keep(api, case)


@pytest.mark.exhaustive
@MANY
@given(cases)
async def test_more_of_what_the_document_allows_is_answered_as_it_says(api: httpx.AsyncClient, case: Any) -> None:
    await keep(api, case)
