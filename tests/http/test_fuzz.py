"""Whatever is sent, the answer is one of the standard's, never a defect of ours (5xx)."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.registry import REGISTRY
from schemas.validate import validate

FHIR: Final = "application/fhir+json"
WORDS: Final[dict[str, list[str]]] = json.loads(
    (Path(__file__).parent.parent / "cases" / "http" / "vocabulary.json").read_text()
)
TYPES: Final = [each.name for each in REGISTRY.types.values() if each.storable]
CODES: Final = sorted({code for each in REGISTRY.types.values() for code in each.search})
FEW: Final = settings(
    max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
MANY: Final = settings(FEW, max_examples=4000, derandomize=False, print_blob=True)

text = st.text(max_size=12) | st.sampled_from(WORDS["text"])
paths = st.lists(st.sampled_from(WORDS["parts"]) | text, max_size=5).map("/".join)
coded = st.builds("{}{}".format, st.sampled_from(CODES), st.sampled_from(WORDS["modifiers"]))
names = coded | st.sampled_from(WORDS["names"]) | text
queries = st.lists(st.tuples(names, st.sampled_from(WORDS["values"]) | text), max_size=4)
methods = st.sampled_from(WORDS["methods"])
header_values = st.binary(max_size=20).filter(lambda raw: not set(raw) & set(b"\r\n\0"))
headers = st.dictionaries(
    st.sampled_from(WORDS["headers"]),
    st.sampled_from([word.encode() for word in WORDS["header_values"]]) | header_values,
    max_size=4,
)
fields = st.sampled_from(WORDS["fields"])
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
json_values = st.recursive(
    leaves | st.sampled_from([*WORDS["strings"], 10**30, -(10**400)]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields | text, inner, max_size=4),
    max_leaves=12,
)
resources = st.builds(
    lambda name, more: {**more, "resourceType": name, "id": "a"},
    st.sampled_from([*TYPES, "Bundle", "Parameters", "Binary"]),
    st.dictionaries(fields, json_values, max_size=5),
)
entries = st.builds(
    lambda method, url, resource, more: {"request": {"method": method, "url": url, **more}, "resource": resource},
    methods,
    paths | text,
    json_values | resources,
    st.dictionaries(fields, text, max_size=1),
)
bundles = st.builds(
    lambda kind, found: {"resourceType": "Bundle", "type": kind, "entry": found},
    st.sampled_from(["batch", "transaction"]),
    st.lists(entries, max_size=3),
)
bodies = st.binary(max_size=40) | (json_values | resources | bundles).map(lambda value: json.dumps(value).encode())
addresses = st.sampled_from(["POST ", "POST Patient", "PUT Patient/a", "PATCH Patient/a", "POST Patient/$validate"])
media_types = st.sampled_from([FHIR, "application/json-patch+json", "application/merge-patch+json"])


@pytest.fixture(scope="module")
async def api(new_house: Callable[[], Awaitable[Any]]) -> AsyncIterator[httpx.AsyncClient]:
    house = await new_house()
    async with house.client(await house.token()) as http:
        for name in ("a", "b"):
            await http.put(f"Patient/{name}", json={"resourceType": "Patient", "id": name, "name": [{"family": name}]})
        body = {"resourceType": "Observation", "id": "a", "status": "final", "code": {"text": "x"},
                "subject": {"reference": "Patient/a"}, "valueQuantity": {"value": 1.0}}  # fmt: skip
        await http.put("Observation/a", json=body)
        yield http


def is_no_defect(answer: httpx.Response) -> None:
    """Below 500, and an OperationOutcome where it is a refusal."""
    assert answer.status_code < 500, (str(answer.request.url), answer.request.content[:500], answer.text)
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        assert answer.json()["resourceType"] == "OperationOutcome"
        assert validate(answer.json()) == []


async def search(api: httpx.AsyncClient, type_name: str, query: list[tuple[str, str]]) -> None:
    for path in (type_name, f"Patient/a/{type_name}", f"{type_name}/_history", "Patient/a/$everything"):
        is_no_defect(await api.get(path, params=query))
    is_no_defect(await api.get("", params=[("_type", type_name), *query]))
    is_no_defect(await api.post(f"{type_name}/_search", data=dict(query)))
    condition = str(httpx.QueryParams(query))
    body = {"resourceType": "Flag", "status": "active", "code": {"text": "x"}, "subject": {"reference": "Patient/a"}}
    is_no_defect(await api.post("Flag", json=body, headers={"If-None-Exist": condition}))


async def send(api: httpx.AsyncClient, method: str, path: str, sent: dict[str, bytes], body: bytes) -> None:
    # Put together by hand: httpx would refuse or normalise what is no proper path.
    raw = api.base_url.raw_path + quote(path.encode("utf-8", "surrogatepass"), safe="/$%").encode()
    base = {} if "Content-Type" in sent else {"Content-Type": FHIR.encode()}
    fields = [(name.encode(), value) for name, value in (base | sent).items()]
    is_no_defect(await api.request(method, api.base_url.copy_with(raw_path=raw), headers=fields, content=body))


async def write(api: httpx.AsyncClient, address: str, body: bytes, media_type: str) -> None:
    method, _, path = address.partition(" ")
    is_no_defect(await api.request(method, path, content=body, headers={"Content-Type": media_type}))


@FEW
@given(st.sampled_from(TYPES), queries)
async def test_no_search_is_a_defect(api: httpx.AsyncClient, type_name: str, query: list[tuple[str, str]]) -> None:
    await search(api, type_name, query)


@FEW
@given(methods, paths, headers, bodies)
async def test_no_request_is_a_defect(
    api: httpx.AsyncClient, method: str, path: str, sent: dict[str, bytes], body: bytes
) -> None:
    await send(api, method, path, sent, body)


@FEW
@given(addresses, bodies, media_types)
async def test_no_body_is_a_defect(api: httpx.AsyncClient, address: str, body: bytes, media_type: str) -> None:
    await write(api, address, body, media_type)


@pytest.mark.exhaustive
@MANY
@given(st.sampled_from(TYPES), queries)
async def test_no_search_of_many_is_a_defect(
    api: httpx.AsyncClient, type_name: str, query: list[tuple[str, str]]
) -> None:
    await search(api, type_name, query)


@pytest.mark.exhaustive
@MANY
@given(methods, paths, headers, bodies)
async def test_no_request_of_many_is_a_defect(
    api: httpx.AsyncClient, method: str, path: str, sent: dict[str, bytes], body: bytes
) -> None:
    await send(api, method, path, sent, body)


@pytest.mark.exhaustive
@MANY
@given(addresses, bodies, media_types)
async def test_no_body_of_many_is_a_defect(api: httpx.AsyncClient, address: str, body: bytes, media_type: str) -> None:
    await write(api, address, body, media_type)
