"""How often homework is done, as a Timing and back. https://hl7.org/fhir/R4/datatypes.html#Timing"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from schemas.homework.assignments import Dose, Intention

JsonObject = dict[str, Any]
_UNITS: Final = MappingProxyType({"day": "d", "week": "wk", "month": "mo"})
_WEEKDAYS: Final = MappingProxyType(
    {day[:3]: day for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")}
)
_WHEN: Final = MappingProxyType(
    {
        "WAKE": "on-waking",
        "CM": "breakfast",
        "MORN": "morning",
        "NOON": "noon",
        "CD": "lunch",
        "AFT": "afternoon",
        "EVE": "evening",
        "CV": "dinner",
        "NIGHT": "night",
        "HS": "bedtime",
        "C": "meals",
    }
)
_MINUTES: Final = MappingProxyType({"min": 1, "h": 60})


def repeat(dose: Dose) -> JsonObject:
    """Timing.repeat of a dose, without its bounds."""
    found: JsonObject = {"count": dose.count} if dose.count is not None else {}
    if dose.minutes is not None:
        found |= {"duration": dose.minutes, "durationUnit": "min"}
    found |= {"frequency": dose.times, "period": dose.every, "periodUnit": _UNITS[dose.unit]}
    return found | moments(dose)


def moments(said: Dose | Intention) -> JsonObject:
    """The days, times and parts of the day of a Timing.repeat."""
    found: JsonObject = {}
    if said.days is not None:
        found["dayOfWeek"] = [day[:3] for day in said.days]
    if said.at is not None:
        found["timeOfDay"] = [clock if len(clock) == 8 else f"{clock}:00" for clock in said.at]
    if said.when is not None:
        codes = {word: code for code, word in _WHEN.items()}
        found["when"] = [codes[word] for word in said.when]
    return found


def dose(timing: Mapping[str, Any]) -> Dose | None:
    """What a Timing says, as far as a Dose can say it; None for one that does not repeat, or by hours or years."""
    said = timing.get("repeat", {})
    units = {code: unit for unit, code in _UNITS.items()}
    every = said.get("period", 1)
    if said.get("periodUnit", "d") not in units or int(every) != every or not _says_when(said):
        return None
    members = {
        "times": said.get("frequency", 1),
        "every": int(every),
        "unit": units[said.get("periodUnit", "d")],
        "minutes": _minutes(said),
        "count": said.get("count"),
        **said_moments(said),
    }
    try:
        return Dose.model_validate(members)
    except ValidationError:  # somebody else's prescription, of more than our limits
        return None


def said_moments(repeat: Mapping[str, Any]) -> JsonObject:
    """The `days`, `at` and `when` of a Timing.repeat, None for what it does not say."""
    days = tuple(_WEEKDAYS[day] for day in repeat.get("dayOfWeek", ()))
    when = tuple(_WHEN[code] for code in repeat.get("when", ()) if code in _WHEN)
    at = tuple(clock.removesuffix(":00") if len(clock) == 8 else clock for clock in repeat.get("timeOfDay", ()))
    return {"days": days or None, "at": at or None, "when": when or None}


def _says_when(said: Mapping[str, Any]) -> bool:
    return any(name in said for name in ("frequency", "period", "count", "dayOfWeek", "timeOfDay", "when"))


def _minutes(said: Mapping[str, Any]) -> int | None:
    factor = _MINUTES.get(said.get("durationUnit", ""))
    if factor is None or "duration" not in said:
        return None
    minutes = int(said["duration"] * factor)
    return minutes if 1 <= minutes <= 1440 else None
