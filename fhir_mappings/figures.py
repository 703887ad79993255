"""The statistics of FHIR's $stats, and the Observation that tells them. https://hl7.org/fhir/R4/observation-operation-stats.html

Deviation and variance are of a sample (n - 1); percentiles are interpolated between the two nearest values; skewness and
kurtosis are the adjusted Fisher-Pearson coefficients, kurtosis as excess over the normal distribution; the regression's x is
in days since the first value.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import StatisticsError, fmean, linear_regression, median, pstdev, quantiles, stdev, variance
from typing import Any, Final

from fhir_mappings.course import Point, coded, number, rounded, when
from schemas.instrument import Code

SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/observation-statistics"
_UCUM: Final = "http://unitsofmeasure.org"
_PLACES: Final = 6
_DAY: Final = 86_400


@dataclass(slots=True)
class Measured:
    """All values of one code in one unit, and how many Observations there are of it, those without a usable value too."""

    code: Mapping[str, Any]
    unit: str
    points: list[Point] = field(default_factory=list)
    total: int = 0
    sources: list[str] = field(default_factory=list)


def measured(observations: Iterable[Mapping[str, Any]], wanted: Iterable[Code]) -> list[Measured]:
    """The values of the wanted codes, oldest first; of a panel those of its components. An empty system is any system.

    One code in two units is two of them: what cannot be compared is not added.
    """
    codes = tuple(wanted)
    found: dict[tuple[Code, str], Measured] = {}
    for observation in observations:
        own = _named(observation, codes)
        components = observation.get("component", ())
        parts = [each for each in components if own is not None or _named(each, codes) is not None]
        if own is not None and (number(observation) is not None or not parts):
            parts.insert(0, observation)
        for part in parts:
            _add(found, observation, part, _named(part, codes) or coded(part)[0] if coded(part) else ("", ""))
    for (code, unit), each in list(found.items()):
        others = [other for other in found if other[0] == code and other[1]]
        if not unit and not each.points and others:  # what has no value has no unit either
            found[others[0]].total += found.pop((code, unit)).total
    for each in found.values():
        each.points.sort(key=lambda point: point.at)
    return list(found.values())


def _named(element: Mapping[str, Any], wanted: Sequence[Code]) -> Code | None:
    """The coding of an element that is wanted."""
    return next((each for each in coded(element) if each in wanted or ("", each[1]) in wanted), None)


def _add(
    found: dict[tuple[Code, str], Measured], observation: Mapping[str, Any], part: Mapping[str, Any], code: Code
) -> None:
    value = None if "modifierExtension" in observation else number(part)
    unit = "" if value is None else value[1]
    each = found.setdefault((code, unit), Measured(part.get("code", {}), unit))
    each.total += 1
    time = when(observation)
    if value is not None and time is not None:
        source = str(observation.get("id", ""))
        each.points.append(Point(time[0], time[1], value[0], unit, f"Observation/{source}"))
        each.sources.append(source)


Compute = Callable[[Sequence[float]], float | None]


def _quantile(share: float) -> Compute:
    def of(values: Sequence[float]) -> float:
        return values[0] if len(values) == 1 else quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]

    return of


def _spread(compute: Callable[[Sequence[float]], float]) -> Compute:
    return lambda values: compute(values) if len(values) > 1 else None


def _quartile_deviation(values: Sequence[float]) -> float | None:
    low, high = _quantile(0.25)(values), _quantile(0.75)(values)
    return None if low is None or high is None else (high - low) / 2


def _skew(values: Sequence[float]) -> float | None:
    n = len(values)
    if n < 3 or not (spread := pstdev(values)):
        return None
    mean = fmean(values)
    plain = sum(((value - mean) / spread) ** 3 for value in values) / n
    return float(plain * (n * (n - 1)) ** 0.5 / (n - 2))


def _kurtosis(values: Sequence[float]) -> float | None:
    n = len(values)
    if n < 4 or not (spread := pstdev(values)):
        return None
    mean = fmean(values)
    plain = sum(((value - mean) / spread) ** 4 for value in values) / n - 3
    return (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * plain + 6)


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic: its display, how it is made of values in order of size, and what its unit is raised to."""

    display: str
    compute: Compute
    power: int = 1


STATISTICS: Final[Mapping[str, Statistic]] = {
    "average": Statistic("Average", fmean),
    "maximum": Statistic("Maximum", max),
    "minimum": Statistic("Minimum", min),
    "count": Statistic("Count", lambda values: float(len(values)), 0),
    "total-count": Statistic("Total Count", lambda values: float(len(values)), 0),
    "median": Statistic("Median", median),
    "std-dev": Statistic("Standard Deviation", _spread(stdev)),
    "sum": Statistic("Sum", sum),
    "variance": Statistic("Variance", _spread(variance), 2),
    "20-percent": Statistic("20th Percentile", _quantile(0.2)),
    "80-percent": Statistic("80th Percentile", _quantile(0.8)),
    "4-lower": Statistic("Lower Quartile", _quantile(0.25)),
    "4-upper": Statistic("Upper Quartile", _quantile(0.75)),
    "4-dev": Statistic("Quartile Deviation", _quartile_deviation),
    "5-1": Statistic("1st Quintile", _quantile(0.2)),
    "5-2": Statistic("2nd Quintile", _quantile(0.4)),
    "5-3": Statistic("3rd Quintile", _quantile(0.6)),
    "5-4": Statistic("4th Quintile", _quantile(0.8)),
    "skew": Statistic("Skew", _skew, 0),
    "kurtosis": Statistic("Kurtosis", _kurtosis, 0),
}
"""The codes of R4, `regression` apart, which is two figures."""
REGRESSION: Final = "regression"
CODES: Final = (*STATISTICS, REGRESSION)


def observation(found: Measured, statistics: Iterable[str], subject: str, period: Mapping[str, str]) -> dict[str, Any]:
    """The Observation with one component for each statistic, and for regression with two: gradient, then intercept."""
    parts: list[dict[str, Any]] = []
    values = sorted(float(point.value) for point in found.points)
    for code in statistics:
        if code == REGRESSION:
            parts += _regression(found)
        else:
            parts.append(_component(code, STATISTICS[code], values, found))
    body = {
        "resourceType": "Observation",
        "status": "final",
        "code": dict(found.code),
        "subject": {"reference": subject},
    }
    return {**body, **({"effectivePeriod": dict(period)} if period else {}), "component": parts}


def _component(code: str, statistic: Statistic, values: Sequence[float], found: Measured) -> dict[str, Any]:
    if code in ("count", "total-count"):
        figure: float | None = len(found.points) if code == "count" else found.total
    else:
        figure = statistic.compute(values) if values else None
    return {"code": _concept(code, statistic.display), **_value(figure, _unit(found.unit, statistic.power))}


def _regression(found: Measured) -> list[dict[str, Any]]:
    gradient = intercept = None
    if found.points:
        first = found.points[0].at
        days = [(point.at - first).total_seconds() / _DAY for point in found.points]
        with suppress(StatisticsError):
            gradient, intercept = linear_regression(days, [float(point.value) for point in found.points])
    concept = _concept(REGRESSION, "Regression")
    unit = _unit(found.unit, 1)
    by_day = "/d" if unit == "1" else f"{unit}/d"
    return [
        {"code": {**concept, "text": "gradient"}, **_value(gradient, by_day)},
        {"code": {**concept, "text": "intercept"}, **_value(intercept, unit)},
    ]


def _concept(code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": SYSTEM, "code": code, "display": display}]}


def _unit(unit: str, power: int) -> str:
    if not unit or not power:
        return "1"
    return unit if power == 1 else f"({unit})2"


def _value(figure: float | None, unit: str) -> dict[str, Any]:
    if figure is None:
        absent = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
        return {"dataAbsentReason": {"coding": [{"system": absent, "code": "not-applicable"}]}}
    value: Decimal = rounded(figure, _PLACES)
    return {"valueQuantity": {"value": value, "system": _UCUM, "code": unit}}
