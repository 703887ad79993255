"""What comes up again and again: coded answers counted, over time, and with what they come together.

https://hl7.org/fhir/R4/observation.html Docs: docs/insight.md, "Patterns".
Ways of thinking, feelings, settings and the like are coded answers; each is an Observation, and those of one form were given
together.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from fhir_mappings.course import SETTLED, Point, coded, when
from schemas.instrument import Code

Value = tuple[str, str]
"""System and code of an answer; of one in words alone an empty system and the words."""


@dataclass(frozen=True, slots=True)
class Noted:
    """One answer: to which code, which, how it is called, when, and with what it was given (a response, or itself alone)."""

    code: Code
    value: Value
    display: str
    at: datetime
    recorded: str
    together: str


@dataclass(slots=True)
class Pattern:
    """One answer as often as it was given; `points` are these times, `forms` in how many forms."""

    value: Value
    display: str
    points: list[Point] = field(default_factory=list)
    forms: set[str] = field(default_factory=set)


def noted(observations: Iterable[Mapping[str, Any]], wanted: Sequence[Code]) -> list[Noted]:
    """The coded answers to the wanted codes, also in components, oldest first."""
    found = [each for observation in observations for each in _noted(observation, wanted)]
    return sorted(found, key=lambda each: each.at)


def _noted(observation: Mapping[str, Any], wanted: Sequence[Code]) -> Iterator[Noted]:
    time = when(observation)
    if observation.get("status") not in SETTLED or time is None:
        return
    sources = [each.get("reference", "") for each in observation.get("derivedFrom", ())]
    own = f"Observation/{observation.get('id', '')}"
    together = next((each for each in sources if each.startswith("QuestionnaireResponse/")), own)
    for element in (observation, *observation.get("component", ())):
        code = next((each for each in coded(element) if each in wanted), None)
        concept = element.get("valueCodeableConcept")
        if code is not None and concept:
            value, display = _value(concept)
            yield Noted(code, value, display, time[0], time[1], together)


def _value(concept: Mapping[str, Any]) -> tuple[Value, str]:
    coding: Mapping[str, Any] = next((each for each in concept.get("coding", ()) if "code" in each), {})
    text = str(concept.get("text", ""))
    if not coding:
        return ("", text), text
    return (coding.get("system", ""), coding["code"]), str(coding.get("display") or text or coding["code"])


def patterns(found: Iterable[Noted], code: Code) -> list[Pattern]:
    """The answers to one code, the one given most often first."""
    made: dict[Value, Pattern] = {}
    for each in found:
        if each.code == code:
            pattern = made.setdefault(each.value, Pattern(each.value, each.display))
            pattern.points.append(Point(each.at, each.recorded, Decimal(1)))
            pattern.forms.add(each.together)
    return sorted(made.values(), key=lambda each: (-len(each.forms), each.display))


def forms(found: Iterable[Noted], code: Code) -> int:
    """In how many forms the code was answered at all."""
    return len({each.together for each in found if each.code == code})


def together(found: Iterable[Noted], pattern: Pattern, code: Code) -> list[tuple[Pattern, int]]:
    """The answers to another code that were given in the same forms, and in how many of these, most often first."""
    others = patterns([each for each in found if each.together in pattern.forms], code)
    return [(other, len(other.forms)) for other in others]
