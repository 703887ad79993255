"""The OpenAPI document of the homework API is kept: what it lets one send is answered as it says, and never with a defect."""

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.homework.document import document
from schemas.homework.examples import examples

SCHEMA: Final = schemathesis.openapi.from_dict(document())
CHECKS: Final = [content_type_conformance, response_schema_conformance, status_code_conformance]
cases = st.one_of([operation.ok().as_strategy() for operation in SCHEMA.get_all_operations()])
FEW: Final = settings(
    max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
MANY: Final = settings(FEW, max_examples=5000, derandomize=False, print_blob=True)
IDS: Final = ("robin", "kim", "up", "nothing")


@pytest.fixture(scope="module")
async def furnished(new_house: Any, open_practice: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A backend of a practice in which something was done already, so that some ids lead somewhere."""
    async with open_practice(await new_house()) as practice:
        http = await practice.app()
        for each in examples():
            if each.send in ("POST goals", "POST ratings") and each.status == 201:
                body = {name: value for name, value in each.body.items() if name != "assignment"}
                answer = await http.post(each.path, json={"client": "robin", **body})
                assert answer.status_code == 201, answer.text
        yield http


async def keep(http: httpx.AsyncClient, case: Any, place: int) -> None:
    for name in case.path_parameters or {}:
        case.path_parameters[name] = IDS[place % len(IDS)]
    sent = case.as_transport_kwargs(base_url="")
    address = str(sent.pop("url")).removeprefix("/api/v1/")
    # NaN and Infinity, and NUL in a header, cannot be sent by this client.
    sent["headers"] = {name: str(value) for name, value in sent["headers"].items() if str(value).isascii()}
    sent.pop("cookies", None)
    try:
        request = http.build_request(**sent, url=address)
    except (ValueError, httpx.InvalidURL):
        return
    answer = await http.send(request)
    assert answer.status_code < 500, (str(request.url), request.content[:500], answer.text)
    case.validate_response(answer, checks=CHECKS)


@FEW
@given(cases, st.integers(0, 3))
async def test_what_the_document_allows_is_answered_as_it_says(
    furnished: httpx.AsyncClient, case: Any, place: int
) -> None:
    await keep(furnished, case, place)


@pytest.mark.exhaustive
@MANY
@given(cases, st.integers(0, 3))
async def test_more_of_what_the_document_allows_is_answered_as_it_says(
    furnished: httpx.AsyncClient, case: Any, place: int
) -> None:
    await keep(furnished, case, place)
