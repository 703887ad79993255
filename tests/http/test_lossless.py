"""What a client wrote comes back as it was written: digits, dates, order, extensions, any script.

Only `id`, `meta.versionId`, `meta.lastUpdated` and the white space between tokens are the server's.
https://hl7.org/fhir/R4/json.html
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import httpx
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from schemas.json import decode
from schemas.members import member
from schemas.registry import REGISTRY, Element
from schemas.validate import validate

FHIR: Final = {"Content-Type": "application/fhir+json"}
Pairs = list[tuple[str, Any]]


class Number(str):
    """A JSON number as it is spelled."""


def read(raw: bytes) -> Any:
    """JSON with its members in order and its numbers as spelled."""
    return json.loads(raw, parse_float=Number, parse_int=Number, object_pairs_hook=lambda pairs: pairs)


def written(node: Any, gap: str = "") -> str:
    """`read` backwards, with `gap` wherever white space may be."""
    if isinstance(node, Number):
        return node
    if isinstance(node, list) and node and isinstance(node[0], tuple):
        members = (f"{gap}{json.dumps(name)}{gap}:{gap}{written(child, gap)}{gap}" for name, child in node)
        return "{" + ",".join(members) + "}"
    if isinstance(node, list):
        return "[" + ",".join(f"{gap}{written(child, gap)}{gap}" for child in node) + "]"
    return json.dumps(node, ensure_ascii=bool(gap))


def theirs(raw: bytes) -> Pairs:
    """A resource without what the server sets."""
    kept: Pairs = []
    for name, value in read(raw):
        if name == "meta":
            value = [pair for pair in value if pair[0] not in ("versionId", "lastUpdated")]
        if name != "id" and value != []:
            kept.append((name, value))
    return kept


async def round_trip(api: httpx.AsyncClient, raw: bytes) -> None:
    """Create and read by each of the ways that there are; nothing of the client's changes on any."""
    made = await api.post(read(raw)[0][1], content=raw, headers=FHIR)
    assert made.status_code == 201, made.text
    assert theirs(made.content) == theirs(raw)
    name = f"{made.json()['resourceType']}/{made.json()['id']}"
    for address in (name, f"{name}/_history/1"):
        assert (await api.get(address)).content == made.content
    for address in (f"{name}/_history", f"{name.partition('/')[0]}?_id={made.json()['id']}"):
        assert made.content in (await api.get(address)).content


def observation(value: str) -> bytes:
    head = b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"unit":"kg","value":'
    return head + value.encode() + b"}}"


@pytest.mark.parametrize(
    "number",
    ["0.010", "12345678901234567.890", "1.50E2", "1.0", "1e-7", "0.0000001", "-0.0", "100", "0", "-5", "1E+2",
     "18446744073709551616", "123456789012345678901234567890", "0.1000000000000000055511151231257827",
     "99999999999999999999999999.9999999999999999999999999"],
)  # fmt: skip
async def test_keeps_every_digit_of_a_number(api: httpx.AsyncClient, number: str) -> None:
    await round_trip(api, observation(number))


@pytest.mark.parametrize(
    "date", ["2026", "2026-11", "2026-11-25", "2026-11-25T03:04:05Z", "2026-11-25T03:04:05+05:30",
             "2026-11-25T03:04:05.1-11:00", "2026-11-25T03:04:05.123456789Z", "0001-01-01", "9999-12-31"],
)  # fmt: skip
async def test_keeps_the_precision_of_a_date(api: httpx.AsyncClient, date: str) -> None:
    body = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "effectiveDateTime": date}
    await round_trip(api, json.dumps(body).encode())


@pytest.mark.parametrize(
    "text",
    ["Ærøskøbing", "北京", "שלום", "👩‍👩‍👧‍👦", "e\u0301 and é", "a\tb\nc\r\nd", '"\\/', "\u2028\u2029", "\U0001f9e0" * 50,
     "\ufeff x", "</script>", "\u200b.\u00a0."],
)  # fmt: skip
@pytest.mark.parametrize("ascii_only", [True, False])
async def test_keeps_text_of_any_script(api: httpx.AsyncClient, text: str, ascii_only: bool) -> None:
    body = {"resourceType": "Patient", "name": [{"text": text}]}
    await round_trip(api, json.dumps(body, ensure_ascii=ascii_only).encode())


async def test_keeps_extensions_that_nobody_knows(api: httpx.AsyncClient) -> None:
    inner = [{"url": "part", "valueDecimal": 1}, {"url": "other", "valueTime": "03:04:05.678"}]
    extension = [
        {"url": "https://example.org/unknown", "extension": inner},
        {"url": "urn:x", "valueBase64Binary": "AAE="},
    ]
    body = {
        "resourceType": "Patient",
        "extension": extension,
        "modifierExtension": [{"url": "https://example.org/m", "valueBoolean": True}],
        "birthDate": "1990-01",
        "_birthDate": {"id": "b", "extension": extension},
        "name": [
            {"given": ["A", "B"], "_given": [None, {"extension": extension}], "_family": {"extension": extension}}
        ],
        "_gender": {"extension": extension},
        "contained": [{"resourceType": "Organization", "id": "o", "name": "x", "extension": extension}],
        "managingOrganization": {"reference": "#o", "_reference": {"extension": extension}},
    }
    await round_trip(api, json.dumps(body).encode())


async def test_keeps_the_order_of_elements(api: httpx.AsyncClient) -> None:
    raw = (
        b'{"resourceType":"Patient","name":[{"given":["A"],"family":"B"}],"gender":"other","active":true,'
        b'"meta":{"tag":[{"code":"t","system":"https://example.org"}],"source":"https://example.org/s"},"birthDate":"2001"}'
    )
    await round_trip(api, raw)


@pytest.mark.parametrize("gap", [" ", "\n\t", "\r\n  "])
async def test_white_space_is_all_that_may_go(api: httpx.AsyncClient, gap: str) -> None:
    raw = written(read(observation("0.010")), gap).encode()
    made = await api.post("Observation", content=raw, headers=FHIR)
    assert theirs(made.content) == theirs(raw)


async def test_keeps_meta_but_for_version_and_time(api: httpx.AsyncClient) -> None:
    meta = {
        "extension": [{"url": "https://example.org/x", "valueString": "y"}],
        "versionId": "9",
        "lastUpdated": "2001-01-01T00:00:00Z",
        "source": "https://example.org/app#1",
        "profile": ["https://example.org/StructureDefinition/p|1.0"],
        "security": [{"system": "https://example.org/s", "code": "R", "display": "restricted"}],
        "tag": [{"code": "t", "userSelected": True}],
    }
    await round_trip(api, json.dumps({"resourceType": "Patient", "meta": meta}).encode())


async def test_a_transaction_keeps_digits_too(api: httpx.AsyncClient) -> None:
    entry = b'{"resource":' + observation("1.50E2") + b',"request":{"method":"POST","url":"Observation"}}'
    raw = b'{"resourceType":"Bundle","type":"transaction","entry":[' + entry + b"]}"
    answer = await api.post("", content=raw, headers=FHIR)
    assert b'"value":1.50E2' in answer.content


# --- any valid resource -------------------------------------------------------------------------------------------------

TEXT: Final = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(str.strip)
YEAR: Final = st.integers(1, 9999).map("{:04}".format)
MONTH: Final = st.integers(1, 12).map("-{:02}".format)
DAY: Final = st.integers(1, 28).map("-{:02}".format)
CLOCK: Final = st.from_regex(r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?", fullmatch=True)
ZONE: Final = st.from_regex(r"Z|[+-](0[0-9]|1[0-3]):[0-5][0-9]", fullmatch=True)
DATE: Final = st.one_of(YEAR, st.builds(str.__add__, YEAR, MONTH), st.builds("{}{}{}".format, YEAR, MONTH, DAY))
INSTANT: Final = st.builds("{}{}{}T{}{}".format, YEAR, MONTH, DAY, CLOCK, ZONE)
SPELLED: Final = st.from_regex(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
# The integer -0 is 0.
DECIMAL: Final = SPELLED.filter(lambda text: text != "-0")
URI: Final = st.from_regex(r"(urn:x:|https://example\.org/)[a-zA-Z0-9.\-]{1,12}", fullmatch=True)
ID: Final = st.from_regex(r"[A-Za-z0-9\-.]{1,64}", fullmatch=True)
PRIMITIVES: Final[dict[str, st.SearchStrategy[Any]]] = {
    "base64Binary": st.sampled_from(["AA==", "aGVhcnRo"]),
    "boolean": st.booleans(),
    "canonical": URI,
    "code": st.from_regex(r"[a-z0-9]{1,8}([ -][a-z0-9]{1,8})?", fullmatch=True),
    "date": DATE,
    "dateTime": st.one_of(DATE, INSTANT),
    "decimal": DECIMAL.map(Number),
    "id": ID,
    "instant": INSTANT,
    "integer": st.integers(-(2**31), 2**31 - 1).map(str).map(Number),
    "markdown": TEXT,
    "oid": st.from_regex(r"urn:oid:[0-2](\.[1-9][0-9]{0,3}){1,4}", fullmatch=True),
    "positiveInt": st.integers(1, 2**31 - 1).map(str).map(Number),
    "string": TEXT,
    "time": CLOCK,
    "unsignedInt": st.integers(0, 2**31 - 1).map(str).map(Number),
    "uri": URI,
    "url": URI,
    "uuid": st.uuids().map(lambda value: f"urn:uuid:{value}"),
    "xhtml": TEXT.map(lambda text: f'<div xmlns="http://www.w3.org/1999/xhtml">{"".join(filter(str.isalnum, text))}x</div>'),
}  # fmt: skip
OMITTED: Final = ("id", "meta", "contained", "implicitRules", "language")
HELD: Final = sorted(
    each.name
    for each in REGISTRY.types.values()
    # An answer is checked against its Questionnaire; a Bundle and Parameters hold other resources.
    if each.storable and each.name not in ("QuestionnaireResponse", "Bundle", "Parameters")
)


@st.composite
def elements(draw: st.DrawFn, datatype: str, depth: int) -> Pairs:
    """The members of a type or a nested element, in any order; fewer and fewer with the depth."""
    chosen: Pairs = []
    for element in REGISTRY.elements[datatype]:
        if not element.min and (element.name in OMITTED or depth > 2 or draw(st.integers(0, 5)) > 0):
            continue
        kind = draw(st.sampled_from(element.types))
        if kind == "Resource" or (depth > 4 and not element.min):
            continue
        chosen.append((member(element, kind), draw(values(element, kind, depth))))
    if not chosen and datatype != "Extension":
        chosen.append(("extension", [[("url", "https://example.org/x"), ("valueDecimal", Number(draw(DECIMAL)))]]))
    return draw(st.permutations(chosen))


def values(element: Element, kind: str, depth: int) -> st.SearchStrategy[Any]:
    closed = REGISTRY.codes.get(element.binding or "")
    if closed is not None and kind == "code":
        one: st.SearchStrategy[Any] = st.sampled_from([code for codes in closed.values() for code in codes])
    elif kind == "Reference":
        target = st.sampled_from(element.targets or ("Patient",))
        one = st.builds(lambda name, key: [("reference", f"{name}/{key}")], target, ID)
    elif kind == "Extension":
        one = st.builds(lambda url, value: [("url", url), ("valueDecimal", Number(value))], URI, DECIMAL)
    elif kind in PRIMITIVES:
        one = PRIMITIVES[kind]
    else:
        one = elements(kind, depth + 1)
    return st.lists(one, min_size=1, max_size=2) if element.many else one


@st.composite
def resources(draw: st.DrawFn) -> bytes:
    """A valid resource of any type."""
    name = draw(st.sampled_from(HELD))
    raw = written([("resourceType", name), *draw(elements(name, 0))], draw(st.sampled_from(["", " "]))).encode()
    assume(not validate(decode(raw)))
    return raw


@pytest.fixture(scope="module")
async def client(new_house: Callable[[], Awaitable[Any]]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of one tenant for all examples."""
    house = await new_house()
    async with house.client(await house.token()) as http:
        yield http


@settings(
    max_examples=60, phases=[Phase.generate], deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(raw=resources())
async def test_any_valid_resource_comes_back_as_it_was_sent(client: httpx.AsyncClient, raw: bytes) -> None:
    await round_trip(client, raw)
