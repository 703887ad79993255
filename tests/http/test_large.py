"""What is large but legal is kept and found, or refused in words; it never runs into a limit of the database."""

from typing import Any, Final

import httpx
import pytest

LONG: Final = 1_000_000
MANY: Final = 20_000
WORDS: Final = "".join(f"w{at:06x}" for at in range(LONG // 7))  # of few repetitions: nothing can be packed away


def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **more}


def observation(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **more}


RESOURCES: Final[dict[str, dict[str, Any]]] = {
    "a long name": patient(name=[{"family": WORDS}]),
    "a long name of other letters": patient(name=[{"family": "ü€😀" * 100_000}]),
    "a long identifier": patient(identifier=[{"system": "urn:x", "value": WORDS}]),
    "a long uri": {"resourceType": "ValueSet", "status": "active", "url": f"urn:{WORDS}"},
    "a long text of a code": observation() | {"code": {"text": WORDS}},
    "a long code": observation() | {"code": {"coding": [{"system": WORDS, "code": WORDS, "display": WORDS}]}},
    "a long string value": observation(valueString=WORDS),
    "a long telecom": patient(telecom=[{"system": "phone", "value": WORDS}]),
    "a long address": patient(address=[{"text": WORDS, "city": WORDS, "line": [WORDS]}]),
    "a long reference": observation(subject={"reference": f"http://x/{WORDS}/Patient/x"}),
    "a long reference to nothing of ours": observation(subject={"identifier": {"system": WORDS, "value": WORDS}}),
    "a long canonical": {"resourceType": "QuestionnaireResponse", "status": "in-progress", "basedOn": [{"display": WORDS}]},
    "a long tag": patient(meta={"tag": [{"system": WORDS, "code": WORDS}], "profile": [f"urn:{WORDS}"]}),
    "a long unit": observation(valueQuantity={"value": 1, "unit": WORDS, "system": f"urn:{WORDS}", "code": WORDS}),
    "many names": patient(name=[{"family": f"n{at}"} for at in range(MANY)]),
    "many identifiers": patient(identifier=[{"system": "urn:x", "value": str(at)} for at in range(MANY)]),
    "many references": observation(hasMember=[{"reference": f"Observation/o{at}"} for at in range(MANY)]),
    "many components": observation(
        component=[{"code": {"text": f"c{at}"}, "valueQuantity": {"value": at}} for at in range(5_000)]
    ),
    "many events": observation(effectiveTiming={"event": [f"20{at % 90 + 10}-01-01" for at in range(MANY)]}),
    "a wide quantity": observation(valueQuantity={"value": 0.1}),
    "the first day": observation(effectiveDateTime="0001-01-01"),
    "the last day": observation(effectivePeriod={"start": "9999-12-31", "end": "9999-12-31T23:59:59.999999999Z"}),
}  # fmt: skip


@pytest.mark.parametrize("name", RESOURCES)
async def test_is_kept_and_comes_back(api: httpx.AsyncClient, name: str) -> None:
    body = RESOURCES[name]
    made = await api.post(body["resourceType"], json=body)
    assert made.status_code == 201, made.text[:500]
    key = made.json()["id"]
    read = (await api.get(f"{body['resourceType']}/{key}")).json()
    assert {**read, "meta": None} == {**body, "id": key, "meta": None}
    found = (await api.get(body["resourceType"])).json()
    assert [entry["resource"]["id"] for entry in found["entry"]] == [key]
    changed = await api.put(f"{body['resourceType']}/{key}", json=body | {"id": key, "language": "de"})
    assert changed.status_code == 200, changed.text[:500]
    assert (await api.delete(f"{body['resourceType']}/{key}")).status_code == 204


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("a long name", f"family={WORDS[:100]}"),
        ("many identifiers", f"identifier=urn:x|{MANY - 1}"),
        ("many names", f"family:exact=n{MANY - 1}"),
        ("many references", f"has-member=Observation/o{MANY - 1}"),
    ],
)
async def test_is_found(api: httpx.AsyncClient, name: str, query: str) -> None:
    body = RESOURCES[name]
    await api.post(body["resourceType"], json=body)
    answer = await api.get(f"{body['resourceType']}?{query}&_summary=count")
    assert answer.status_code == 200, answer.text[:500]
    assert answer.json()["total"] == 1


async def test_a_thousand_entries_are_carried_out_and_one_more_is_refused(api: httpx.AsyncClient) -> None:
    entry = {
        "request": {"method": "POST", "url": "Basic"},
        "resource": {"resourceType": "Basic", "code": {"text": "x"}},
    }
    for kind in ("transaction", "batch"):
        answer = await api.post("", json={"resourceType": "Bundle", "type": kind, "entry": [entry] * 1000})
        assert answer.status_code == 200
        assert {each["response"]["status"] for each in answer.json()["entry"]} == {"201 Created"}
        refused = await api.post("", json={"resourceType": "Bundle", "type": kind, "entry": [entry] * 1001})
        assert (refused.status_code, refused.json()["issue"][0]["code"]) == (400, "too-costly")
    assert (await api.get("Basic?_summary=count")).json()["total"] == 2000
