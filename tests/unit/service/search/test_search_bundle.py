"""The searchset Bundle. https://hl7.org/fhir/R4/bundle.html#searchset"""

from typing import Any

import pytest

from service.errors import BadRequest

PATIENT = {
    "resourceType": "Patient", "id": "p", "name": [{"family": "Ann", "given": ["Maria"]}], "birthDate": "1990",
    "maritalStatus": {"text": "x"}, "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},
}  # fmt: skip


async def test_entries_are_the_stored_bytes(bench: Any) -> None:
    body = {
        "resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "ä\u2028\"\\"},
        "extension": [{"url": "http://x.test", "valueString": "kept"}], "valueQuantity": {"value": 1},
    }  # fmt: skip
    await bench.put(body)
    stored = await bench.store.read("Observation", "o")

    reply = await bench.reply(bench.call("/Observation"))

    assert bench.store.json(stored) in reply.content
    assert reply.status == 200


async def test_an_entry_names_its_resource(bench: Any) -> None:
    key = "0190a1b2-1111-7000-8000-00000000000a"
    await bench.put({**PATIENT, "id": key}, {"resourceType": "Group", "id": "A-1.b", "type": "person", "actual": True})

    bundle = await bench.get("/?_type=Patient,Group")

    names = {entry["fullUrl"] for entry in bundle["entry"]}
    assert names == {f"https://hearth.test/fhir/Patient/{key}", "https://hearth.test/fhir/Group/A-1.b"}
    assert bundle["type"] == "searchset"


async def test_without_matches_there_is_no_entry(bench: Any) -> None:
    assert await bench.get("/Patient?_id=none") == {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": 0,
        "link": [{"relation": "self", "url": "https://hearth.test/fhir/Patient?_id=none"}],
    }


async def test_elements_are_all_that_is_shown(bench: Any) -> None:
    await bench.put(PATIENT)

    (entry,) = (await bench.get("/Patient?_elements=birthDate,name.family"))["entry"]

    assert entry["resource"]["birthDate"] == "1990"
    assert entry["resource"]["name"] == [{"family": "Ann"}]
    assert "maritalStatus" not in entry["resource"]
    assert entry["resource"]["meta"]["tag"][0]["code"] == "SUBSETTED"


@pytest.mark.parametrize(
    ("mode", "shown", "hidden"),
    [
        ("true", "name", "maritalStatus"),
        ("text", "text", "name"),
        ("data", "name", "text"),
        ("false", "text", "nothing"),
    ],
)
async def test_summaries(bench: Any, mode: str, shown: str, hidden: str) -> None:
    await bench.put(PATIENT)

    (entry,) = (await bench.get(f"/Patient?_summary={mode}"))["entry"]

    assert shown in entry["resource"]
    assert hidden not in entry["resource"]


async def test_a_lenient_caller_is_told_what_was_ignored(bench: Any) -> None:
    await bench.put(PATIENT)

    bundle = await bench.get("/Patient?nam=x&birthdate=soon&_sort=size&family=ann", strict=False)

    assert bench.seen(bundle) == ["p"]
    outcome = bundle["entry"][-1]
    assert outcome["search"]["mode"] == "outcome"
    issues = outcome["resource"]["issue"]
    assert [issue["expression"] for issue in issues] == [["Patient?nam"], ["Patient?birthdate"], ["Patient?_sort"]]
    assert {issue["severity"] for issue in issues} == {"warning"}
    assert bench.link(bundle, "self") == "https://hearth.test/fhir/Patient?family=ann"
    assert bundle["total"] == 1


async def test_a_strict_caller_is_told_all_that_is_wrong(bench: Any) -> None:
    with pytest.raises(BadRequest) as refusal:
        await bench.get("/Patient?nam=x&birthdate=soon&family=ann")

    assert [issue.expression for issue in refusal.value.issues] == [("Patient?nam",), ("Patient?birthdate",)]


async def test_newest_first_unless_told_otherwise(bench: Any) -> None:
    order: dict[str, Any] = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "for": {"reference": "Patient/p"},
    }
    for name, day in (("0190a1b2-1111-7000-8000-000000000001", "03"), ("0190a1b2-1111-7000-8000-000000000002", "01")):
        await bench.put({**order, "id": name, "executionPeriod": {"start": f"2024-01-{day}"}})

    def last(found: list[str]) -> list[str]:
        return [each[-1] for each in found]

    assert last(await bench.found("/Task?patient=p")) == ["1", "2"], "the clinical date, where something narrows"
    assert last(await bench.found("/Task")) == ["2", "1"], "else the id, which tells the time of creation"
    assert last(await bench.found("/Task?_lastUpdated=gt2020")) == ["1", "2"], "oldest change first"
    assert last(await bench.found("/Task?patient=p&_sort=period")) == ["2", "1"]
