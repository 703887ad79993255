"""Ratings as Observations: what their scale is, and whether they are on it. Docs: docs/instruments.md, "Ratings"."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from schemas.ratings import MEASURE, Ends, scales

JsonObject = dict[str, Any]
_ENDS: Final = ("low", "high")
_SURE: Final = 7
"""Of 10: how sure somebody is who is likely to do it."""


class Fault(NamedTuple):
    """A value that is not on its scale, and where it stands."""

    expression: str
    sentence: str


def reference_range(ends: Ends) -> JsonObject:
    """The scale as an Observation says it."""
    return {
        "low": {"value": ends.low},
        "high": {"value": ends.high},
        "text": f"{ends.low}-{ends.high} scale",
    }


def ends_of(concept: Mapping[str, Any] | None) -> Ends | None:
    """The scale that a code of ours has."""
    found = (each.get("code", "") for each in (concept or {}).get("coding", ()) if each.get("system") == MEASURE)
    return next((scales()[code] for code in found if code in scales()), None)


def with_scale(observation: JsonObject) -> JsonObject:
    """The Observation with the scale that its code has, where it says none; the same object where there is nothing to add.

    Its components share the scale of the whole, as those of SUDS before, at the peak and afterwards do.
    """
    ends = ends_of(observation.get("code"))
    if ends is None or observation.get("referenceRange") or not (_rated(observation) or observation.get("component")):
        return observation
    parts = (ends_of(part.get("code")) for part in observation.get("component", ()))
    if any(part is not None and part != ends for part in parts):
        return observation
    return {**observation, "referenceRange": [reference_range(ends)]}


def faults(observation: Mapping[str, Any]) -> Iterator[Fault]:
    """The ratings that are not on their scale: the one that the Observation says, else that of the code."""
    told = _told(observation)
    if ends_of(observation.get("code")) is not None:
        yield from _off("Observation", observation, told or ends_of(observation.get("code")))
    for at, part in enumerate(observation.get("component", ())):
        if ends_of(part.get("code")) is not None:
            ends = _told(part) or told or ends_of(part.get("code"))
            yield from _off(f"Observation.component[{at}]", part, ends)


def is_unsure(observation: Mapping[str, Any]) -> bool:
    """Whether it says that somebody is less than 7 of 10 sure to do a piece of homework."""
    codes = {(each.get("system"), each.get("code")) for each in observation.get("code", {}).get("coding", ())}
    value = _rated(observation)
    about = any(each.get("reference", "").startswith("Task/") for each in observation.get("focus", ()))
    return about and (MEASURE, "confidence") in codes and value is not None and value[1] < _SURE


def _off(where: str, holder: Mapping[str, Any], ends: Ends | None) -> Iterator[Fault]:
    value = _rated(holder)
    if value is not None and ends is not None and not ends.low <= value[1] <= ends.high:
        yield Fault(f"{where}.{value[0]}", f"This rating runs from {ends.low} to {ends.high}")


def _rated(holder: Mapping[str, Any]) -> tuple[str, Any] | None:
    if "valueInteger" in holder:
        return "valueInteger", holder["valueInteger"]
    number = holder.get("valueQuantity", {}).get("value")
    return None if number is None else ("valueQuantity", number)


def _told(holder: Mapping[str, Any]) -> Ends | None:
    """The one scale that an Observation or a component states, with both ends."""
    ranges = holder.get("referenceRange", ())
    if len(ranges) != 1:
        return None
    low, high = (ranges[0].get(name, {}).get("value") for name in _ENDS)
    return None if low is None or high is None else Ends(low, high)
