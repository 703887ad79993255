"""Definitions applied without a server: all of the library, and what the kinds and intents mean."""

from itertools import count
from typing import Any

import pytest

from fhir_mappings import apply, apply_plan
from fhir_mappings.apply import ApplyFault, Setting
from fhir_mappings.apply_variables import MEASURE, MEASURES, value_of
from fhir_mappings.fhirpath import environment
from schemas import library
from schemas.validate import validate

NOW = "2026-01-12T10:00:00.000Z"
SEED = list(library.seed())
ACTIVITIES = [each for each in SEED if each["resourceType"] == "ActivityDefinition"]
PLANS = [each for each in SEED if each["resourceType"] == "PlanDefinition"]
DEFINITIONS = {library.canonical(each): each for each in SEED if "version" in each}
DEFINITIONS |= {each["url"]: each for each in SEED}


def setting(subject: str = "Patient/p", **more: Any) -> Setting:
    numbers = count(1)
    kind, _, name = subject.partition("/")
    resource = {"resourceType": kind, "id": name}
    patient = resource if kind == "Patient" else []
    measures: dict[str, Any] = {name: [] for name in MEASURES}
    people: dict[str, Any] = {"practitioner": [], "organization": [], "encounter": []}
    env = environment(NOW, None, subject=resource, patient=patient, **measures, **people)
    return Setting(subject, env, NOW, lambda: f"00000000-0000-4000-8000-{next(numbers):012}", focus=resource, **more)


@pytest.mark.parametrize("intent", ["proposal", "plan", "order"])
@pytest.mark.parametrize("activity", ACTIVITIES, ids=lambda each: library.canonical(each).rsplit("/", 1)[1])
def test_every_activity_of_the_library_becomes_valid_resources(activity: Any, intent: str) -> None:
    wanted = setting(intent=intent, practitioner="Practitioner/t", language="es", encounter="Encounter/e")
    made = apply.activity(activity, wanted)
    bundle = apply.transaction(apply.entries(made, wanted))
    assert validate(made.request) == []
    assert validate(bundle) == []
    assert made.request["resourceType"] == activity["kind"]
    assert {each["resource"]["intent"] for each in bundle["entry"]} == {intent}
    assert ("ready" in [each["resource"]["status"] for each in bundle["entry"]]) is (intent == "order")


@pytest.mark.parametrize("subject", ["Patient/p", "Group/g"])
@pytest.mark.parametrize("plan", PLANS, ids=lambda each: each["name"])
def test_every_plan_of_the_library_becomes_valid_resources(plan: Any, subject: str) -> None:
    wanted = setting(subject, intent="order")
    applied = apply_plan.plan(plan, wanted, DEFINITIONS)
    assert validate(apply_plan.contained(applied)) == []
    assert validate(apply_plan.bundled(applied, wanted)) == []


def test_a_group_owns_nothing_and_its_members_do() -> None:
    made = apply.activity(ACTIVITIES[0], setting("Group/g", intent="order"))
    assert "performer" not in made.request
    assert made.task is not None
    assert "owner" not in made.task


@pytest.mark.parametrize(
    ("definition", "request_has"),
    [
        ({"kind": "CommunicationRequest", "usage": "Hello"}, {"payload": [{"contentString": "Hello"}]}),
        (
            {"kind": "Task", "timingDateTime": "2026-02-01"},
            {"restriction": {"period": {"start": "2026-02-01", "end": "2026-02-01"}}},
        ),
        (
            {"kind": "ServiceRequest", "timingPeriod": {"start": "2026-02-01"}},
            {"occurrencePeriod": {"start": "2026-02-01"}},
        ),
        ({"kind": "ServiceRequest", "location": {"display": "Home"}}, {"locationReference": [{"display": "Home"}]}),
        (
            {"kind": "ServiceRequest", "doNotPerform": True, "priority": "urgent"},
            {"doNotPerform": True, "priority": "urgent"},
        ),
        ({"kind": "Task", "url": "urn:x"}, {"instantiatesCanonical": "urn:x"}),
        ({"kind": "ServiceRequest", "url": "urn:x"}, {"instantiatesCanonical": ["urn:x"]}),
        ({"kind": "Task", "participant": [{"type": "practitioner"}]}, {"owner": {"reference": "Practitioner/t"}}),
        ({}, {"code": {"text": "Assignment"}}),
    ],
)
def test_what_a_definition_says_is_in_its_request(definition: Any, request_has: Any) -> None:
    given = {"resourceType": "ActivityDefinition", "status": "active", **definition}
    made = apply.activity(given, setting(practitioner="Practitioner/t"))
    assert validate(made.request) == []
    assert {name: made.request.get(name) for name in request_has} == request_has


def test_plans_within_plans_end() -> None:
    plan = {"resourceType": "PlanDefinition", "url": "urn:a", "status": "active"}
    plan["action"] = [{"definitionCanonical": "urn:a"}]  # type: ignore[assignment]
    with pytest.raises(ApplyFault, match="deep"):
        apply_plan.plan(plan, setting(), {"urn:a": plan})


def test_a_plan_within_a_plan_gives_its_actions_as_a_group() -> None:
    inner = {"resourceType": "PlanDefinition", "status": "active", "action": [{"title": "One"}, {"title": "Two"}]}
    outer = {
        "resourceType": "PlanDefinition",
        "status": "active",
        "action": [{"title": "Both", "definitionCanonical": "urn:i"}],
    }
    made = apply_plan.contained(apply_plan.plan(outer, setting(), {"urn:i": inner}))
    assert validate(made) == []
    (action,) = made["contained"][0]["action"]
    assert [each["title"] for each in action["action"]] == ["One", "Two"]


def observed(*codes: tuple[str, Any], highest: int | None = None) -> Any:
    parts = [{"code": {"coding": [{"system": MEASURE, "code": code}]}, **value} for code, value in codes]
    body = parts[0] | {"component": parts[1:]}
    return body | ({"referenceRange": [{"high": {"value": highest}}]} if highest else {})


RATIO = {"valueRatio": {"numerator": {"value": 3}, "denominator": {"value": 4}}}


@pytest.mark.parametrize(
    ("observation", "code", "value"),
    [
        (observed(("suds-peak", {"valueInteger": 40})), "suds-peak", "40"),
        (observed(("suds-peak", {"valueInteger": 4}), highest=10), "suds-peak", "40"),
        (observed(("mastery", {"valueInteger": 4}), highest=10), "mastery", "4"),
        (
            observed(("suds", {}), ("suds-pre", {"valueInteger": 70}), ("suds-post", {"valueInteger": 30})),
            "suds-post",
            "30",
        ),
        (observed(("adherence", RATIO)), "adherence", "0.75"),
        (
            observed(("adherence", {"valueRatio": {"numerator": {"value": 3}, "denominator": {"value": 0}}})),
            "adherence",
            "None",
        ),
        (observed(("mastery", {"valueQuantity": {"value": 5, "comparator": "<"}})), "mastery", "None"),
        (observed(("mastery", {"valueInteger": 4, "modifierExtension": []})), "mastery", "None"),
        (observed(("mood", {"valueInteger": 4})), "mastery", "None"),
    ],
)
def test_the_value_of_a_measure(observation: Any, code: str, value: str) -> None:
    assert str(value_of(observation, code)) == value
