"""How often and for how long, in words: "every evening, 15 minutes". https://hl7.org/fhir/R4/datatypes.html#Timing

What there are no words for is left out rather than said wrongly.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from service.prints.wording import Wording, sentence

_UNITS: Final = {"min": "minutes", "h": "hours"}


def in_words(timing: Mapping[str, Any], wording: Wording) -> str:
    """A Timing as a sentence without its full stop; empty where it says nothing that can be said."""
    parts = [part for part in _parts(timing.get("repeat") or {}, wording) if part]
    parts += [wording.day(on) for on in _events(timing)]
    text = ", ".join(parts) or (timing.get("code") or {}).get("text", "")
    return sentence(text)


def _events(timing: Mapping[str, Any]) -> Iterator[date]:
    for event in timing.get("event", ()):
        try:
            yield date.fromisoformat(event[:10])
        except ValueError:
            continue


def _parts(repeat: Mapping[str, Any], wording: Wording) -> Iterator[str]:
    daily = _daily(repeat, wording)
    yield daily or _frequency(repeat, wording)
    days = [wording(f"dose.day.{day}") for day in repeat.get("dayOfWeek", ()) if wording.has(f"dose.day.{day}")]
    if days:
        yield wording("dose.on", days=wording.listed(days))
    if not daily:
        whens = [wording(f"dose.when.{code}") for code in repeat.get("when", ()) if wording.has(f"dose.when.{code}")]
        yield wording.listed(whens)
    times = [str(time)[:5] for time in repeat.get("timeOfDay", ())]
    if times:
        yield wording("dose.at", times=wording.listed(times))
    yield _length(repeat, wording)
    yield _count(repeat, wording)
    yield _bounds(repeat.get("boundsDuration") or {}, wording)


def _daily(repeat: Mapping[str, Any], wording: Wording) -> str:
    """Once a day at one part of the day has a shorter way to be said."""
    whens = repeat.get("when", ())
    once = [repeat.get(name, 1) for name in ("frequency", "period")] == [1, 1] and repeat.get("periodUnit", "d") == "d"
    ranged = {"frequencyMax", "periodMax", "dayOfWeek"} & repeat.keys()
    if len(whens) != 1 or not once or ranged or not wording.has(f"dose.daily.{whens[0]}"):
        return ""
    return wording(f"dose.daily.{whens[0]}")


def _frequency(repeat: Mapping[str, Any], wording: Wording) -> str:
    unit, period = repeat.get("periodUnit", ""), repeat.get("period")
    if not wording.has(f"dose.once.{unit}") or period is None:
        return ""
    if repeat.get("dayOfWeek") and (period == 1 or unit == "d"):
        return ""  # the days say it
    low, high = repeat.get("frequency", 1), repeat.get("frequencyMax")
    if period != 1:
        if low == 1 and high is None:
            return wording(f"dose.every.{unit}", period=_number(period, wording))
        return wording(f"dose.in.{unit}", count=_range(low, high, wording), period=_number(period, wording))
    if low == 1 and high is None:
        return wording(f"dose.once.{unit}")
    return wording(f"dose.times.{unit}", count=_range(low, high, wording))


def _length(repeat: Mapping[str, Any], wording: Wording) -> str:
    unit = _UNITS.get(repeat.get("durationUnit", ""))
    if unit is None or "duration" not in repeat:
        return ""
    low, high = repeat["duration"], repeat.get("durationMax")
    if low == 1 and high is None:
        return wording(f"dose.{unit}.one")
    return wording(f"dose.{unit}", count=_range(low, high, wording))


def _count(repeat: Mapping[str, Any], wording: Wording) -> str:
    if "count" not in repeat:
        return ""
    low, high = repeat["count"], repeat.get("countMax")
    return wording("dose.count.one") if (low, high) == (1, None) else wording(
        "dose.count", count=_range(low, high, wording)
    )  # fmt: skip


def _bounds(duration: Mapping[str, Any], wording: Wording) -> str:
    name = f"dose.for.{duration.get('code', '')}"
    value = duration.get("value")
    if value is None or value == 1 or not wording.has(name):
        return ""
    return wording(name, count=_number(value, wording))


def _range(low: Any, high: Any, wording: Wording) -> str:
    if high is None or high == low:
        return _number(low, wording)
    return wording("dose.range", low=_number(low, wording), high=_number(high, wording))


def _number(value: Any, wording: Wording) -> str:
    return wording.numbers.number(float(value))
