"""Invariants of the resources about people, care and observations. https://hl7.org/fhir/R4/resourcelist.html"""

from collections.abc import Iterator
from typing import Final

from schemas import references
from schemas.invariants.datatypes import in_order
from schemas.invariants.rule import (
    UCUM,
    Json,
    Rule,
    each_broken,
    has,
    has_choice,
    items,
    needs,
    not_both,
    some_of,
)

_CLINICAL: Final = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def _has_coding(concept: Json | None, system: str, *codes: str) -> bool:
    return any(
        coding.get("system") == system and coding.get("code") in codes for coding in (concept or {}).get("coding", ())
    )


def app_3(value: Json) -> bool:
    timed = has(value, "start") and has(value, "end")
    return timed or value.get("status") in ("proposed", "cancelled", "waitlist")


def app_4(value: Json) -> bool:
    return not has(value, "cancelationReason") or value.get("status") in ("no-show", "cancelled")


def ctm_1(value: Json) -> bool:
    member = value.get("member", {}).get("reference", "")
    target = references.literal(member)
    return not has(value, "onBehalfOf") or target is None or target.type == "Practitioner"


def con_4(value: Json) -> bool:
    over = _has_coding(value.get("clinicalStatus"), _CLINICAL, "resolved", "remission", "inactive")
    return over or not has_choice(value, "abatement")


def con_5(value: Json) -> bool:
    wrong = _has_coding(value.get("verificationStatus"), _VERIFICATION, "entered-in-error")
    return not (wrong and has(value, "clinicalStatus"))


def grp_1(value: Json) -> bool:
    return not has(value, "member") or value.get("actual") is True


def _for_home(name: str) -> Rule:
    def faulty(value: Json) -> Iterator[str]:
        for index, each in enumerate(value.get(name, ())):
            if each.get("use") == "home":
                yield f".{name}[{index}].use"

    key = {"telecom": "org-3", "address": "org-2"}[name]
    return each_broken(key, "An organization has no home", faulty)


def _entries_with(name: str, mode: str) -> Rule:
    def faulty(value: Json) -> Iterator[str]:
        for index, each in enumerate(value.get("entry", ()) if value.get("mode") != mode else ()):
            if has(each, name):
                yield f".entry[{index}].{name}"

    key = {"deleted": "lst-2", "date": "lst-3"}[name]
    return each_broken(key, f"Only a list of mode {mode} has entry.{name}", faulty)


def obs_6(value: Json) -> bool:
    return not (has(value, "dataAbsentReason") and has_choice(value, "value"))


def obs_7_faults(value: Json) -> Iterator[str]:
    own = items(value, "code", "coding")
    if own and "component" in value and has_choice(value, "value"):
        for index, component in enumerate(value["component"]):
            if any(coding in own for coding in items(component, "code", "coding")):
                yield f".component[{index}].code"


def _percent(quantity: Json | None) -> bool:
    return quantity is None or (quantity.get("code") == "%" and quantity.get("system") == UCUM)


def ras_1(value: Json) -> bool:
    probability = value.get("probabilityRange", {})
    return _percent(probability.get("low")) and _percent(probability.get("high"))


def gol_1(value: Json) -> bool:
    return has(value, "measure") or not has_choice(value, "detail")


RECORDS: Final[dict[str, tuple[Rule, ...]]] = {
    "Appointment": (
        Rule("app-2", "Say both start and end, or neither", lambda value: has(value, "start") == has(value, "end")),
        Rule("app-3", "Only proposed, cancelled or waitlisted appointments go without start and end", app_3),
        Rule("app-4", "Only a cancelled appointment has a cancelationReason", app_4),
    ),
    "Appointment.participant": (Rule("app-1", "A participant needs type or actor", some_of("type", "actor")),),
    "AuditEvent.entity": (Rule("sev-1", "Say name or query, not both", not_both("name", "query")),),
    "CarePlan.activity": (Rule("cpl-3", "Say detail or reference, not both", not_both("detail", "reference")),),
    "CareTeam.participant": (Rule("ctm-1", "onBehalfOf is for a member who is a Practitioner", ctm_1),),
    "Composition.section": (
        Rule("cmp-1", "A section needs text, entry or section", some_of("text", "entry", "section")),
        Rule("cmp-2", "A section with entries has no emptyReason", not_both("emptyReason", "entry")),
    ),
    "Condition": (
        Rule("con-4", "With abatement, clinicalStatus must be inactive, remission or resolved", con_4),
        Rule("con-5", "Without clinicalStatus when verificationStatus is entered-in-error", con_5),
    ),
    "Condition.evidence": (Rule("con-2", "Evidence needs code or detail", some_of("code", "detail")),),
    "Condition.stage": (Rule("con-1", "A stage needs summary or assessment", some_of("summary", "assessment")),),
    "Consent": (Rule("ppc-1", "A consent needs policy or policyRule", some_of("policy", "policyRule")),),
    "Goal.target": (Rule("gol-1", "A target's detail needs its measure", gol_1),),
    "Group": (Rule("grp-1", "Only an actual group has members", grp_1),),
    "List": (
        Rule("lst-1", "A list with entries has no emptyReason", not_both("emptyReason", "entry")),
        _entries_with("deleted", "changes"),
        _entries_with("date", "working"),
    ),
    "Observation": (
        Rule("obs-6", "Say a value or dataAbsentReason, not both", obs_6),
        each_broken("obs-7", "A component must not repeat the code whose value the observation has", obs_7_faults),
    ),
    "Observation.referenceRange": (
        Rule("obs-3", "A reference range needs low, high or text", some_of("low", "high", "text")),
    ),
    "Organization": (
        Rule("org-1", "An organization needs identifier or name", some_of("identifier", "name")),
        _for_home("address"),
        _for_home("telecom"),
    ),
    "Patient.contact": (
        Rule(
            "pat-1",
            "A contact needs name, telecom, address or organization",
            some_of("name", "telecom", "address", "organization"),
        ),
    ),
    "RequestGroup.action": (
        Rule(
            "rqg-1",
            "An action has either resource or actions of its own",
            lambda value: has(value, "resource") != has(value, "action"),
        ),
    ),
    "RiskAssessment.prediction": (
        Rule("ras-1", "The ends of a probability are percentages: code % of UCUM", ras_1),
        Rule("ras-2", "A probability is 100 at most", lambda value: value.get("probabilityDecimal", 0) <= 100),
    ),
    "ServiceRequest": (Rule("prr-1", "orderDetail needs code", needs("orderDetail", "code")),),
    "Task": (Rule("inv-1", "lastModified must not be before authoredOn", in_order("authoredOn", "lastModified")),),
}
