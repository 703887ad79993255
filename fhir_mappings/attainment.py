"""Goal attainment scaling: levels of goals, ratings, and the T-score of Kiresuk and Sherman (1968).

https://build.fhir.org/ig/HL7/pco-ig/StructureDefinition-pco-goal-attainment-scaling.html
T = 50 + 10 * sum(w x) / sqrt((1 - rho) * sum(w^2) + rho * (sum w)^2), with x from -2 to 2 and rho 0.3. A T-score of 50 is
what was expected. The formula printed in a guide of 2009 has an erratum; the check values are in the tests.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import sqrt
from typing import Any, Final

from fhir_mappings.course import SETTLED, coded, rounded
from fhir_mappings.observation import DEFAULT_LABELS, LOINC
from schemas import dates
from schemas.library import BASE

LEVELS: Final[Mapping[str, int]] = {
    "LA34479-8": 2,
    "LA34480-6": 1,
    "LA34481-4": 0,
    "LA34483-0": -1,
    "LA34484-8": -2,
}
"""LOINC's answers of LL6900-6: much better than expected to much less."""
RATERS: Final[Mapping[str, str]] = {
    "107332-9": "reported",
    "107333-7": "practitioner",
    "107334-5": "patient",
    "107331-1": "caregiver",
}
"""Who rates, by the LOINC code of the rating; 107332-9 is also where a goal stood in the beginning."""
REPORTED: Final = "reported"
"""The kind of rater of 107332-9, where goals begin."""
T_SCORE: Final = (f"{BASE}/CodeSystem/homework-measure", "gas-t-score")
SCALING: Final = "http://hl7.org/fhir/us/pco/StructureDefinition/pco-goal-attainment-scaling"
WEIGHT: Final = f"{BASE}/StructureDefinition/goal-weight"
"""Extension of Goal with a valueDecimal: how much the goal counts, such as importance times difficulty; 1 without it."""
METHOD: Final = {
    "coding": [{"system": f"{BASE}/CodeSystem/change-rule", "version": "1", "code": "gas-t-score"}],
    "text": "Kiresuk and Sherman 1968, weights of the goals, correlation 0.3",
}
_RHO: Final = 0.3
_ACHIEVEMENT: Final = "http://terminology.hl7.org/CodeSystem/goal-achievement"


@dataclass(frozen=True, slots=True)
class Rating:
    """One judgement of one goal: by which kind of rater, when, from -2 to 2, and the Observation it is."""

    goal: str
    rater: str
    at: datetime
    recorded: str
    level: int
    source: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a goal began and where it is now, in the eyes of one kind of rater."""

    goal: str
    weight: Decimal
    baseline: Rating
    current: Rating

    @property
    def change(self) -> int:
        """Steps of the scale since the beginning."""
        return self.current.level - self.baseline.level


def t_score(levels: Sequence[tuple[int, Decimal]], rho: float = _RHO) -> Decimal | None:
    """T of (level, weight) of several goals, to three places; None without a goal that counts."""
    weights = [float(weight) for _, weight in levels]
    if not levels or min(weights) < 0 or not any(weights):
        return None
    weighted = sum(level * float(weight) for level, weight in levels)
    spread = (1 - rho) * sum(weight**2 for weight in weights) + rho * sum(weights) ** 2
    return rounded(50 + 10 * weighted / sqrt(spread), 3)


def weight(goal: Mapping[str, Any]) -> Decimal:
    """How much a goal counts."""
    found = (each["valueDecimal"] for each in goal.get("extension", ()) if _is_weight(each))
    return Decimal(next(found, 1))


def _is_weight(extension: Mapping[str, Any]) -> bool:
    return extension.get("url") == WEIGHT and "valueDecimal" in extension


def levels(goal: Mapping[str, Any]) -> dict[int, str]:
    """What each level of a goal means, in the words agreed on, from the PCO extension."""
    found: dict[int, str] = {}
    for extension in goal.get("extension", ()):
        if extension.get("url") != SCALING:
            continue
        parts = {part.get("url"): part for part in extension.get("extension", ())}
        code = parts.get("level", {}).get("valueCoding", {}).get("code")
        if code in LEVELS:
            text = parts.get("progressText", {})
            found[LEVELS[code]] = text.get("valueString") or text.get("valueMarkdown") or ""
    return found


def rating(observation: Mapping[str, Any]) -> Rating | None:
    """The rating that an Observation is, None where it is none that counts."""
    if observation.get("status") not in SETTLED:
        return None
    rater = next((RATERS[code] for system, code in coded(observation) if system == LOINC and code in RATERS), None)
    chosen = observation.get("valueCodeableConcept", {}).get("coding", ())
    level = next((LEVELS[each["code"]] for each in chosen if each.get("code") in LEVELS), None)
    goals = [each.get("reference", "") for each in observation.get("focus", ())]
    goal = next((each for each in goals if each.startswith("Goal/")), None)
    recorded = observation.get("effectiveDateTime") or observation.get("effectivePeriod", {}).get("start")
    if rater is None or level is None or goal is None or recorded is None:
        return None
    source = f"Observation/{observation.get('id', '')}"
    return Rating(goal, rater, dates.interval(recorded).lo, recorded, level, source)


def standings(
    ratings: Iterable[Rating], weights: Mapping[str, Decimal], rater: str, until: datetime | None = None
) -> list[Standing]:
    """Where each goal stands for one kind of rater, by the goals' references; `weights` are those of the goals that count.

    A rating "as reported" is the baseline where it is older than the first of the rater's own.
    """
    by_goal: dict[str, list[Rating]] = {}
    for each in ratings:
        if each.goal in weights and each.rater in (rater, REPORTED) and (until is None or each.at <= until):
            by_goal.setdefault(each.goal, []).append(each)
    made = []
    for goal, found in sorted(by_goal.items()):
        found.sort(key=lambda each: each.at)
        own = [each for each in found if each.rater == rater]
        if own:
            made.append(Standing(goal, weights[goal], found[0], own[-1]))
    return made


def scores(found: Sequence[Standing]) -> tuple[Decimal | None, Decimal | None]:
    """T in the beginning and T now."""
    baseline = t_score([(each.baseline.level, each.weight) for each in found])
    return baseline, t_score([(each.current.level, each.weight) for each in found])


def suggestion(standing: Standing) -> str:
    """A code of Goal.achievementStatus that the ratings speak for; whether it is so the therapist and the client say."""
    if standing.current.level >= 0:
        return "achieved"
    if standing.change == 0:
        return "no-change"
    return "improving" if standing.change > 0 else "worsening"


def achievement(code: str) -> dict[str, Any]:
    """The code as a CodeableConcept."""
    return {"coding": [{"system": _ACHIEVEMENT, "code": code}]}


def t_observation(
    found: Sequence[Standing], subject: Mapping[str, Any], performer: Sequence[Mapping[str, Any]], labels: Any = None
) -> dict[str, Any]:
    """The T-score as an Observation: derived from the ratings in it, dated as the latest of them."""
    _, now = scores(found)
    latest = max((each.current for each in found), key=lambda each: each.at)
    body: dict[str, Any] = {
        "resourceType": "Observation",
        "meta": {"security": list(labels or DEFAULT_LABELS)},
        "status": "final",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}]}
        ],
        "code": {"coding": [{"system": T_SCORE[0], "code": T_SCORE[1], "display": "Goal attainment T-score"}]},
        "subject": dict(subject),
        "focus": [{"reference": each.goal} for each in found],
        "effectiveDateTime": latest.recorded,
    }
    if performer:
        body["performer"] = [dict(each) for each in performer]
    body["valueQuantity"] = {"value": now, "system": "http://unitsofmeasure.org", "code": "{score}"}
    body["method"] = METHOD
    body["derivedFrom"] = [{"reference": each.current.source} for each in found]
    return body
