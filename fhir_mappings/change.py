"""Whether a course has changed, by published rules: reliable change, response, remission, recovery.

https://hl7.org/fhir/R4/observation-definitions.html#Observation.method
A rule speaks of two points, where the course began and where it is now, and says what it found with its id and, where there
is a change, R4's code for better (B) or worse (W). No rule is a verdict on the person: two scores apart in time are all it saw.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt
from typing import Any, Final

from fhir_mappings.course import Point, rounded
from schemas.instrument import Code
from schemas.library import BASE
from schemas.measures import Deviation, Measure, Rule

RULES_SYSTEM: Final = f"{BASE}/CodeSystem/change-rule"
_INTERPRETATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_WORDS: Final = {"B": "Better", "W": "Worse"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says about a course: from which score to which, and whether it `holds`.

    `interpretation` is B (better) or W (worse) where it holds; `figure` is the RCI or the percentage that the rule looked at.
    """

    measure: Measure
    rule: Rule
    holds: bool
    interpretation: str | None
    start: Point
    end: Point
    figure: Decimal | None = None

    @property
    def difference(self) -> Decimal:
        """The end less the start, as scored."""
        return self.end.value - self.start.value


def first(points: Sequence[Point]) -> Point | None:
    """The baseline of a course: its first score."""
    return points[0] if points else None


def index(points: Sequence[Point], at_least: Decimal) -> Point | None:
    """The index score: the first that is high enough to count as an episode."""
    return next((point for point in points if point.value >= at_least), None)


def findings(points: Sequence[Point], measure: Measure, deviation: Deviation | None = None) -> list[Finding]:
    """What each rule of the measure says of a course, oldest point first; a rule that does not apply says nothing.

    `deviation` is the tenant's own population in place of the measure's.
    """
    if len(points) < 2:
        return []
    spread = deviation or measure.deviation
    found = [_KINDS[rule.kind](points, measure, rule, spread) for rule in _rules(measure, deviation)]
    return [each for each in found if each is not None]


def _rules(measure: Measure, deviation: Deviation | None) -> tuple[Rule, ...]:
    if deviation is None or any(rule.kind == "rci" for rule in measure.rules):
        return measure.rules
    return (*measure.rules, own_rci(measure))


def own_rci(measure: Measure) -> Rule:
    """The reliable change index that a tenant's own deviation adds to a measure without one."""
    text = f"Reliable change index of the {measure.title} beyond 1.96, by the deviation set here"
    source = "Jacobson and Truax 1991, Journal of Consulting and Clinical Psychology 59:12-19"
    return Rule(f"{measure.id}-rci", "1", "rci", text, source, {"z": Decimal("1.96")})


def rci(start: Decimal, end: Decimal, deviation: Deviation) -> Decimal:
    """The reliable change index, (x2 - x1) / (SD * sqrt(2) * sqrt(1 - r)). Raises ValueError where it is not defined."""
    if deviation.sd <= 0 or not 0 <= deviation.r < 1:
        raise ValueError(
            "A reliable change index needs a standard deviation above 0 and a reliability from 0 to below 1"
        )
    return rounded(float(end - start) / (float(deviation.sd) * sqrt(2) * sqrt(1 - float(deviation.r))), 3)


def threshold(deviation: Deviation, z: Decimal) -> Decimal:
    """The smallest difference that is beyond `z`."""
    return rounded(float(z) * float(deviation.sd) * sqrt(2) * sqrt(1 - float(deviation.r)))


def _towards(measure: Measure, difference: Decimal) -> str | None:
    if difference == 0:
        return None
    return "B" if (difference < 0) == measure.lower_is_better else "W"


def _by_points(points: Sequence[Point], measure: Measure, rule: Rule, spread: Deviation | None) -> Finding | None:
    start, end = points[0], points[-1]
    holds = abs(end.value - start.value) >= rule.numbers["points"]
    said = _towards(measure, end.value - start.value) if holds else None
    return Finding(measure, rule, holds, said, start, end)


def _by_rci(points: Sequence[Point], measure: Measure, rule: Rule, spread: Deviation | None) -> Finding | None:
    if spread is None:
        return None
    start, end = points[0], points[-1]
    figure = rci(start.value, end.value, spread)
    holds = abs(figure) > rule.numbers["z"]
    said = _towards(measure, end.value - start.value) if holds else None
    return Finding(measure, rule, holds, said, start, end, figure)


def _by_response(points: Sequence[Point], measure: Measure, rule: Rule, spread: Deviation | None) -> Finding | None:
    start, end = index(points, rule.numbers["from"]), points[-1]
    if start is None or start is end:
        return None
    fall = (start.value - end.value) * 100 / start.value
    holds = fall >= rule.numbers["percent"]
    return Finding(measure, rule, holds, "B" if holds else None, start, end, rounded(fall, 1))


def _by_remission(points: Sequence[Point], measure: Measure, rule: Rule, spread: Deviation | None) -> Finding | None:
    start, end = index(points, rule.numbers["from"]), points[-1]
    if start is None or start is end:
        return None
    holds = end.value < rule.numbers["below"]
    return Finding(measure, rule, holds, "B" if holds else None, start, end)


def _by_recovery(points: Sequence[Point], measure: Measure, rule: Rule, spread: Deviation | None) -> Finding | None:
    start, end, caseness = points[0], points[-1], rule.numbers["caseness"]
    if not _is_case(measure, start.value, caseness):
        return None
    enough = abs(end.value - start.value) >= rule.numbers.get("points", 0)
    holds = enough and not _is_case(measure, end.value, caseness)
    return Finding(measure, rule, holds, "B" if holds else None, start, end)


def _is_case(measure: Measure, value: Decimal, caseness: Decimal) -> bool:
    return value >= caseness if measure.lower_is_better else value <= caseness


_KINDS: Final[Mapping[str, Callable[[Sequence[Point], Measure, Rule, Deviation | None], Finding | None]]] = {
    "reliable": _by_points,
    "meaningful": _by_points,
    "rci": _by_rci,
    "response": _by_response,
    "remission": _by_remission,
    "recovery": _by_recovery,
    "reliable-recovery": _by_recovery,
}


@dataclass(frozen=True, slots=True)
class Recovery:
    """Whether somebody who was a case on one of several measures is a case on none now."""

    holds: bool
    measures: tuple[Measure, ...]


def recovered(courses: Mapping[Code, Sequence[Point]], known: Mapping[Code, Measure]) -> Recovery | None:
    """Recovery in the sense of NHS Talking Therapies: from caseness on any of the measures to caseness on none of them.

    None where nobody could tell: fewer than two measures with two scores and a rule of recovery, or no case to begin with.
    """
    found = []
    for code, points in courses.items():
        measure = known.get(code)
        rule = next((each for each in measure.rules if each.kind == "recovery"), None) if measure else None
        if measure is not None and rule is not None and len(points) > 1:
            limit = rule.numbers["caseness"]
            found.append(
                (measure, _is_case(measure, points[0].value, limit), _is_case(measure, points[-1].value, limit))
            )
    if len(found) < 2 or not any(was for _, was, _ in found):
        return None
    return Recovery(not any(now for _, _, now in found), tuple(measure for measure, _, _ in found))


def method(rule: Rule) -> dict[str, Any]:
    """The rule as Observation.method."""
    return {"coding": [{"system": RULES_SYSTEM, "version": rule.version, "code": rule.id}], "text": rule.text}


def interpretation(code: str) -> dict[str, Any]:
    """Better or worse, as Observation.interpretation."""
    return {"coding": [{"system": _INTERPRETATION, "code": code, "display": _WORDS[code]}]}


def observation(finding: Finding, subject: Mapping[str, Any]) -> dict[str, Any]:
    """A finding as an Observation that nobody has stored: the difference, the rule, better or worse, and both scores."""
    system, code = finding.measure.code
    sources = dict.fromkeys(point.source for point in (finding.start, finding.end) if point.source)
    body: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}]}
        ],
        "code": {"coding": [{"system": system, "code": code}], "text": f"Change in {finding.measure.title}"},
        "subject": dict(subject),
        "effectivePeriod": {"start": finding.start.recorded, "end": finding.end.recorded},
        "valueQuantity": {"value": finding.difference, "system": "http://unitsofmeasure.org", "code": "1"},
    }
    if finding.interpretation:
        body["interpretation"] = [interpretation(finding.interpretation)]
    body["method"] = method(finding.rule)
    body["derivedFrom"] = [{"reference": source} for source in sources]
    return body
