"""Observation/$stats: statistics of what was measured. https://hl7.org/fhir/R4/observation-operation-stats.html

Beside valueQuantity it counts valueInteger: totals of questionnaires are integers, and a figure is a figure.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from fhir_mappings import figures
from fhir_mappings.course import coded, number
from schemas import dates, json
from schemas.instrument import Code
from schemas.nearest import did_you_mean
from service.call import Call, Reply
from service.errors import BadRequest
from service.operations.parameters import Asked, asked, malformed
from service.search.find import find
from service.store import Store

JsonObject = dict[str, Any]
_NAMES: Final = ("subject", "code", "system", "coding", "duration", "period", "statistic", "include", "limit")
_SUBJECTS: Final = ("Patient", "Group", "Device", "Location")
_MOST: Final = 10_000
_MEMBERS: Final = 500
_OTHER_NAMES: Final = {"max": "maximum", "min": "minimum"}
"""What the operation's own table calls two of the codes."""


async def stats(call: Call, store: Store) -> Reply:
    """A Parameters with one Observation for each code in `statistics`, and what they are made of in `source`."""
    call.grant.require("s", "Observation")
    given = asked(call, _NAMES)
    subject = given.reference("subject", _SUBJECTS)
    if subject is None:
        raise malformed("subject", "$stats needs a subject, such as Patient/123")
    codes, period, wanted = _codes(given), _period(given, call), _statistics(given)
    observations = await _observations(call, store, subject, codes, period)
    members = await _members(call, store, observations)
    parts = [code for each in members for code in coded(each)]
    made = figures.measured([*observations, *members], (*codes, *parts))
    parameters: list[JsonObject] = [
        {"name": "statistics", "resource": figures.observation(each, wanted, subject, period)} for each in made
    ]
    if given.flag("include"):
        limit = given.number("limit", 1, _MOST, _MOST)
        parameters += [{"name": "source", "resource": each} for each in observations[:limit]]
    body = {"resourceType": "Parameters", **({"parameter": parameters} if parameters else {})}
    patient = subject.partition("/")[2] if subject.startswith("Patient/") else None
    return Reply(200, json.encode(body), type="Observation", patient=patient)


def _codes(given: Asked) -> tuple[Code, ...]:
    """What is asked for; a code without a system is one of any system."""
    system = given.text("system") or ""
    found: list[Code] = [(system, code) for code in given.texts("code")]
    found = [code if "|" not in code[1] else _split(code[1]) for code in found]
    for coding in given.values("coding"):
        if isinstance(coding, str):
            found.append(_split(coding))
        elif isinstance(coding, Mapping) and "code" in coding:
            found.append((coding.get("system", ""), coding["code"]))
    if not found:
        raise malformed("code", "$stats needs a code with its system, or a coding (system|code in the address)")
    return tuple(dict.fromkeys(found))


def _split(text: str) -> Code:
    system, _, code = text.rpartition("|")
    return system, code


def _statistics(given: Asked) -> tuple[str, ...]:
    found = [_OTHER_NAMES.get(each, each) for each in given.texts("statistic")]
    if not found:
        raise malformed("statistic", f"$stats needs a statistic: {', '.join(figures.CODES)}")
    for each in found:
        if each not in figures.CODES:
            hint = did_you_mean(each, figures.CODES)
            raise malformed("statistic", f"{each[:64]!r} is no statistic of R4.{hint}")
    return tuple(dict.fromkeys(found))


def _period(given: Asked, call: Call) -> dict[str, str]:
    """The time asked about, as a Period; empty for all time."""
    hours, period = given.value("duration"), given.value("period")
    if hours is not None and period is not None:
        raise malformed("period", "Give a duration or a period, not both")
    if hours is not None:
        try:
            start = call.now - timedelta(hours=float(Decimal(str(hours))))
        except (InvalidOperation, OverflowError, ValueError):
            raise malformed("duration", "duration is a number of hours until now") from None
        return {"start": dates.instant(start), "end": dates.instant(call.now)}
    if period is not None and not isinstance(period, Mapping):
        raise malformed("period", "period is a valuePeriod in a Parameters body; by GET give a duration")
    return {name: str(value) for name, value in (period or {}).items() if name in ("start", "end")}


async def _observations(
    call: Call, store: Store, subject: str, codes: tuple[Code, ...], period: Mapping[str, str]
) -> list[JsonObject]:
    """What is counted, newest first."""
    params = [("subject", subject), ("combo-code", tokens(codes)), ("status:not", "entered-in-error")]
    params += [("date", f"{bound}{period[name]}") for bound, name in (("ge", "start"), ("le", "end")) if name in period]
    found = await find(call, store, "Observation", params, "s", _MOST + 1)
    if len(found) > _MOST:
        raise BadRequest(f"There are more than {_MOST} of these; ask about a shorter time", code="too-costly")
    return [each.resource(store.codec) for each in found]


async def _members(call: Call, store: Store, panels: list[JsonObject]) -> list[JsonObject]:
    """The Observations that are members of panels without values of their own, as if they were their components."""
    known = {f"Observation/{each['id']}" for each in panels}
    named = [
        member.get("reference", "") for each in panels if number(each) is None for member in each.get("hasMember", ())
    ]
    wanted = [each.removeprefix("Observation/") for each in dict.fromkeys(named) if each.startswith("Observation/")]
    wanted = [each for each in wanted if f"Observation/{each}" not in known][:_MEMBERS]
    if not wanted:
        return []
    params = [("_id", ",".join(wanted)), ("status:not", "entered-in-error")]
    found = await find(call, store, "Observation", params, "s", _MEMBERS)
    return [each.resource(store.codec) for each in found]


def tokens(codes: Iterable[Code]) -> str:
    """The value of a token parameter that finds these codes; an empty system is any."""
    return ",".join(f"{_escaped(system)}|{_escaped(code)}" if system else _escaped(code) for system, code in codes)


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\,|$" else char for char in text)
