"""A search shows, counts and follows only what the Grant allows: no answer tells of rows that are hidden."""

from typing import Any

import pytest

from service.errors import BadRequest, Forbidden
from service.grant import Grant, Rule, from_scope

TASKS = from_scope("app", "system/Task.rs")
TASKS_AND_PATIENTS = from_scope("app", "system/Task.rs system/Patient.rs")
SURVEYS = from_scope("app", "system/Patient.rs system/Observation.rs?category=survey")


@pytest.fixture
async def records(bench: Any) -> Any:
    """Ann with a survey and a hidden vital sign, Bob with a vital sign only; a Task each, a List of both patients."""
    vital: dict[str, Any] = {"status": "final", "category": [{"coding": [{"code": "vital-signs"}]}]}
    survey: dict[str, Any] = {"status": "final", "category": [{"coding": [{"code": "survey"}]}]}
    code = {"coding": [{"system": "http://l.test", "code": "x"}]}
    ann, bob = {"reference": "Patient/ann"}, {"reference": "Patient/bob"}
    await bench.put(
        {"resourceType": "Patient", "id": "ann", "name": [{"family": "Ann"}]},
        {"resourceType": "Patient", "id": "bob", "name": [{"family": "Bob"}]},
        {"resourceType": "Observation", "id": "shown", "code": code, "subject": ann, **survey},
        {"resourceType": "Observation", "id": "hidden", "code": code, "subject": ann, **vital},
        {"resourceType": "Observation", "id": "also-hidden", "code": code, "subject": bob, **vital},
        {"resourceType": "Task", "id": "t-ann", "status": "requested", "intent": "order", "for": ann},
        {
            "resourceType": "Task", "id": "t-bob", "status": "requested", "intent": "order", "for": bob,
            "focus": {"reference": "Observation/also-hidden"},
        },
        {"resourceType": "List", "id": "all", "status": "current", "mode": "working", "entry": [{"item": ann}]},
        {
            "resourceType": "ValueSet", "id": "vs", "status": "active", "url": "http://v.test",
            "compose": {"include": [{"system": "http://l.test", "concept": [{"code": "x"}]}]},
        },
    )  # fmt: skip
    return bench


async def test_refuses_a_type_that_no_scope_names(records: Any) -> None:
    with pytest.raises(Forbidden):
        await records.found("/Patient", TASKS)
    with pytest.raises(Forbidden):
        await records.found("/Patient", from_scope("app", "system/Patient.r"))
    with pytest.raises(Forbidden):
        await records.found("/Patient/ann/Observation", TASKS)
    with pytest.raises(Forbidden):
        await records.found("/Patient/ann/$everything", TASKS)


async def test_a_chain_over_a_hidden_type_finds_nothing(records: Any) -> None:
    assert await records.found("/Task?patient.name=ann", TASKS) == []
    assert await records.found("/Task?patient:Patient._id=ann", TASKS) == []
    assert await records.found("/Task?patient.name=ann", TASKS_AND_PATIENTS) == ["t-ann"]


async def test_a_chain_over_hidden_rows_finds_nothing(records: Any) -> None:
    grant = from_scope("app", "system/Task.rs system/Observation.rs?category=survey")
    assert await records.found("/Task?focus:Observation.code=x", grant) == []
    assert await records.found("/Task?focus:Observation.code=x") == ["t-bob"]


async def test_has_over_hidden_rows_finds_nothing(records: Any) -> None:
    assert await records.found("/Patient?_has:Observation:patient:code=x", SURVEYS) == ["ann"]
    assert await records.found("/Patient?_has:Task:patient:status=requested", SURVEYS) == []
    assert sorted(await records.found("/Patient?_has:Observation:patient:code=x")) == ["ann", "bob"]


async def test_a_hidden_list_lists_nothing(records: Any) -> None:
    assert await records.found("/Patient?_list=all", TASKS_AND_PATIENTS) == []
    assert await records.found("/Patient?_list=all") == ["ann"]


async def test_a_hidden_value_set_is_unknown(records: Any) -> None:
    with pytest.raises(BadRequest, match="No ValueSet"):
        await records.found("/Observation?code:in=http://v.test", SURVEYS)
    assert len(await records.found("/Observation?code:in=http://v.test")) == 3


async def test_includes_leave_out_what_is_hidden(records: Any) -> None:
    bundle = await records.get("/Task?_include=Task:patient&_include=Task:focus", TASKS)
    assert records.seen(bundle, "include") == []

    bundle = await records.get("/Patient?_revinclude=Observation:patient&_revinclude=Task:patient", SURVEYS)
    assert records.seen(bundle, "include") == ["shown"]


async def test_shows_what_may_be_read_beside_what_may_be_searched(records: Any) -> None:
    grant = from_scope("app", "system/Task.s system/Patient.r")
    bundle = await records.get("/Task?_include=Task:patient", grant)
    assert sorted(records.seen(bundle, "include")) == ["ann", "bob"]


async def test_counts_only_what_is_shown(records: Any) -> None:
    for query in ("_summary=count", "_count=0", "_total=accurate&_count=1"):
        assert (await records.get(f"/Observation?{query}", SURVEYS))["total"] == 1
    assert (await records.get("/Observation?code:not=y&_summary=count", SURVEYS))["total"] == 1
    assert (await records.get("/Observation?_summary=count"))["total"] == 3


async def test_negation_does_not_reach_what_is_hidden(records: Any) -> None:
    assert await records.found("/Observation?category:not=survey", SURVEYS) == []
    assert await records.found("/Observation?category:missing=false", SURVEYS) == ["shown"]


async def test_a_search_of_all_types_has_the_types_of_the_scope(records: Any) -> None:
    assert sorted(await records.found("/", TASKS_AND_PATIENTS)) == ["ann", "bob", "t-ann", "t-bob"]
    with pytest.raises(Forbidden):
        await records.found("/?_type=Task,Observation", TASKS_AND_PATIENTS)
    with pytest.raises(Forbidden):
        await records.found("/", Grant("nobody"))


async def test_compartments_and_everything_are_limited_too(records: Any) -> None:
    assert await records.found("/Patient/ann/Observation", SURVEYS) == ["shown"]
    assert await records.found("/Patient/ann/$everything", SURVEYS) == ["ann", "shown"]


async def test_a_constraint_may_be_any_search(records: Any) -> None:
    for constraint in (
        (("patient.name", "ann"),),
        (("patient", "Patient/ann"), ("code:not", "y")),
        (("_has:Task:focus:status", "completed"),),
    ):
        grant = Grant("app", (Rule("Observation", frozenset("rs"), constraint),), repr(constraint))
        expected = [] if constraint[0][0].startswith("_has") else ["hidden", "shown"]
        assert sorted(await records.found("/Observation", grant)) == expected


async def test_rules_add_up(records: Any) -> None:
    grant = from_scope("app", "system/Observation.rs?category=survey system/Observation.rs?patient=Patient/bob")
    assert sorted(await records.found("/Observation?code=x", grant)) == ["also-hidden", "shown"]


async def test_tenants_do_not_see_each_other(records: Any, make_bench: Any) -> None:
    other = make_bench()
    await other.put({"resourceType": "Task", "id": "t-ann", "status": "completed", "intent": "order"})

    assert await other.found("/Task?_id=t-ann,t-bob") == ["t-ann"]
    assert await other.found("/Task?status=requested") == []
    assert await other.found("/Patient?_has:Task:patient:status=requested") == []
    assert (await other.get("/?_summary=count"))["total"] == 1
