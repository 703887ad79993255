"""Answers of operations as plain objects: the course of measures, adherence, proposals. https://hl7.org/fhir/R4/parameters.html"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings.homework_api.element import code, id_of, ids_of, present, words
from fhir_mappings.questionnaire.values import value_name
from fhir_mappings.shaping import RULE_SYSTEM
from schemas.homework.insight import (
    Adherence,
    BarrierCount,
    Change,
    Counted,
    Course,
    Grouped,
    InARow,
    Point,
    Proposal,
    ScaleBand,
)
from schemas.library import BASE

JsonObject = dict[str, Any]
_KIND: Final = f"{BASE}/CodeSystem/proposal-kind"
_STATES: Final = MappingProxyType({"requested": "waiting", "accepted": "accepted", "rejected": "declined"})
STATUS: Final = MappingProxyType({state: status for status, state in _STATES.items()})
_FIGURES: Final = MappingProxyType({"not_done": "notDone", "left_out": "leftOut"})
_BETTER: Final = MappingProxyType({"B": True, "W": False})


def _named(parameters: Sequence[Mapping[str, Any]], name: str) -> Iterator[Mapping[str, Any]]:
    return (each for each in parameters if each["name"] == name)


def _value(parameters: Sequence[Mapping[str, Any]], name: str) -> Any:
    """The value of the first parameter of this name."""
    for each in _named(parameters, name):
        found = value_name(each)
        return None if found is None else each[found]
    return None


def _parts(parameter: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = parameter.get("part", ())
    return found


def courses(parameters: Mapping[str, Any], chart: str) -> list[Course]:
    """The courses that the answer of $trend tells; `chart` is where pictures are, with a place for the measure."""
    return [_course(_parts(each), chart) for each in _named(parameters.get("parameter", ()), "measure")]


def _course(told: Sequence[Mapping[str, Any]], chart: str) -> Course:
    coding = _value(told, "code")
    return Course(
        measure=coding["code"],
        name=_value(told, "title"),
        count=_value(told, "n") or 0,
        mean=_value(told, "mean"),
        lowest=_value(told, "lowest"),
        highest=_value(told, "highest"),
        slope_per_week=_value(told, "slopePerWeek"),
        bands=tuple(_band(_parts(each)) for each in _named(told, "band")) or None,
        points=tuple(_point(_parts(each)) for each in _named(told, "point")) or None,
        changes=tuple(_change(_parts(each)) for each in _named(told, "change")) or None,
        chart=chart.format(measure=f"{coding['system']}%7C{coding['code']}"),
    )


def _band(told: Sequence[Mapping[str, Any]]) -> ScaleBand:
    return ScaleBand(low=_value(told, "low"), high=_value(told, "high"), text=_value(told, "text"))


def _point(told: Sequence[Mapping[str, Any]]) -> Point:
    source = id_of(_value(told, "source"), "Observation")
    return Point(at=_value(told, "date"), value=_value(told, "value"), band=_value(told, "band"), score=source)


def _change(told: Sequence[Mapping[str, Any]]) -> Change:
    interpretation = (_value(told, "interpretation") or {}).get("coding", ())
    return Change(
        kind=_value(told, "kind"),
        holds=_value(told, "holds"),
        difference=_value(told, "difference"),
        better=next((_BETTER[each["code"]] for each in interpretation if each.get("code") in _BETTER), None),
        rule=words(_value(told, "rule")),
        source=_value(told, "basis"),
        start=next((_point(_parts(each)) for each in _named(told, "from")), None),
        end=next((_point(_parts(each)) for each in _named(told, "to")), None),
    )


def adherence(parameters: Mapping[str, Any], chart: str) -> Adherence:
    """What the answer of $adherence tells."""
    told = parameters.get("parameter", ())
    period = _value(told, "period") or {}
    row = next((_parts(each) for each in _named(told, "inARow")), ())
    barriers = (_parts(each) for each in _named(told, "barrier"))
    groups = (_parts(each) for each in _named(told, "group"))
    return Adherence(
        **_counts(told).model_dump(),
        start=period.get("start"),
        end=period.get("end"),
        in_a_row=InARow(current=_value(row, "now"), longest=_value(row, "best")) if row else None,
        barriers=tuple(BarrierCount(code=_value(each, "code"), times=_value(each, "times")) for each in barriers)
        or None,
        groups=tuple(
            Grouped(**_counts(each).model_dump(), by=_value(each, "by"), value=_value(each, "value")) for each in groups
        )
        or None,
        text=_value(told, "text"),
        note=_value(told, "note"),
        chart=chart,
    )


def _counts(told: Sequence[Mapping[str, Any]]) -> Counted:
    names = (name for name in Counted.model_fields if name != "share")
    found = {name: _value(told, _FIGURES.get(name, name)) or 0 for name in names}
    return Counted(**found, share=_value(told, "share"))


def proposal(task: Mapping[str, Any]) -> Proposal:
    """The proposal that a Task is."""
    evidence = [each["valueReference"] for each in task.get("input", ()) if "valueReference" in each]
    assignment = id_of(task.get("focus"), "Task")
    return Proposal.model_construct(
        id=task["id"],
        state=_STATES.get(task["status"], "closed"),
        kind=code(task.get("code"), _KIND) or "other",
        text=words(task.get("code")) or task.get("description", ""),
        rule=code(task.get("reasonCode"), RULE_SYSTEM),
        client=id_of(task.get("for"), "Patient"),
        assignment=assignment,
        evidence=ids_of(evidence, "Task") or None,
        reason=words(task.get("statusReason")),
        at=task.get("authoredOn"),
        version=int(task["meta"]["versionId"]),
        fhir=present(proposal=f"Task/{task['id']}", assignment=f"Task/{assignment}" if assignment else None),
    )
