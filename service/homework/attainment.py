"""The T-score of goal attainment, written when a rating arrives: one for each client, kind of rater and day.

https://build.fhir.org/ig/HL7/pco-ig/StructureDefinition-pco-goal-attainment-scaling.html Docs: docs/insight.md, "Goals"
"""

import uuid
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from fhir_mappings import attainment
from fhir_mappings.attainment import RATERS, Rating, Standing
from fhir_mappings.course import coded
from fhir_mappings.observation import DEFAULT_LABELS, LOINC
from fhir_mappings.provenance import assembled
from schemas import dates
from schemas.library import BASE
from service.call import Call
from service.homework.answer import ASSEMBLER
from service.homework.authority import found
from service.homework.planned import Planned
from service.store import Change, Store

JsonObject = dict[str, Any]
IDENTIFIER: Final = f"{BASE}/NamingSystem/gas-t-score"
"""Observation.identifier of a T-score: `{patient id}/{kind of rater}/{day}`."""
_CODES: Final = frozenset((LOINC, code) for code in RATERS)
_BY_RATER: Final = {rater: code for code, rater in RATERS.items()}
_MOST: Final = 1_000


async def follow(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """When a goal was rated, or a rating was taken back, write the T-score of that day."""
    body = change.resource
    if body is None or not any(code in _CODES for code in coded(body)):
        return
    rated = attainment.rating({**body, "id": change.id, "status": "final"})
    whose = body.get("subject", {}).get("reference", "")
    if rated is None or not whose.startswith("Patient/"):
        return
    held = await _ratings(call, store, whose, rated.rater, _written(planned, whose))
    until = rated.at + timedelta(days=1)
    made = [each for each in map(attainment.rating, held.values()) if each is not None and each.at < until]
    standings = attainment.standings(made, await _weights(call, store, made, planned), rated.rater)
    await _put(store, call, planned, whose, rated, standings, held)


def _written(planned: Planned, whose: str) -> dict[str, JsonObject]:
    """The client's ratings that are being written, by their ids."""
    every = ((each.id, each.resource) for each in planned.of("Observation") if each.resource is not None)
    return {
        name: {**body, "id": name}
        for name, body in every
        if body.get("subject", {}).get("reference") == whose and any(code in _CODES for code in coded(body))
    }


async def _ratings(
    call: Call, store: Store, whose: str, rater: str, written: Mapping[str, JsonObject]
) -> dict[str, JsonObject]:
    """The client's ratings by this kind of rater and those of the beginning, by their ids, as they are after this write."""
    codes = ",".join(f"{LOINC}|{_BY_RATER[each]}" for each in dict.fromkeys((rater, attainment.REPORTED)))
    every = await found(call, store, "Observation", [("subject", whose), ("code", codes)], _MOST)
    return {each.id: {**each.resource(store.codec), "id": each.id} for each in every} | dict(written)


async def _weights(call: Call, store: Store, made: Iterable[Rating], planned: Planned) -> dict[str, Decimal]:
    """How much each rated goal counts, of goals that are held here."""
    ids = sorted({each.goal.removeprefix("Goal/") for each in made})
    if not ids:
        return {}
    every = await found(call, store, "Goal", [("_id", ",".join(ids))], _MOST)
    goals = {each.id: each.resource(store.codec) for each in every}
    goals |= {each.id: each.resource for each in planned.of("Goal") if each.resource is not None}
    return {f"Goal/{each}": attainment.weight(goals[each]) for each in ids if each in goals}


async def _put(
    store: Store,
    call: Call,
    planned: Planned,
    whose: str,
    rated: Rating,
    standings: list[Standing],
    held: Mapping[str, JsonObject],
) -> None:
    name = f"{whose.removeprefix('Patient/')}/{rated.rater}/{rated.at.date().isoformat()}"
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{IDENTIFIER}|{name}"))
    before = await store.read("Observation", key)
    now, baseline = attainment.scores(standings)[::-1]
    if now is None and before is None:
        return
    if now is None or baseline is None:
        assert before is not None
        planned.put("Observation", key, {**store.resource(before), "status": "entered-in-error"}, before)
        return
    sources = [held[each.current.source.removeprefix("Observation/")] for each in standings]
    labels = _labels(sources)
    body = attainment.t_observation(standings, {"reference": whose}, sources[0].get("performer", ()), labels)
    body["identifier"] = [{"system": IDENTIFIER, "value": name}]
    body["status"] = "final" if before is None else "amended"
    is_known = planned.resource("Observation", key) is not None
    planned.put("Observation", key, body, before)
    if is_known:  # another rating in the same write: one T-score, and one trace of it
        return
    derived = [each["reference"] for each in body["derivedFrom"]]
    trace = assembled(
        f"Observation/{key}",
        derived,
        assembler=ASSEMBLER,
        now=dates.instant(call.now),
        labels=labels,
        again=before is not None,
    )
    planned.create(trace)


def _labels(sources: Iterable[JsonObject]) -> list[JsonObject]:
    """All labels of what it is made of: who may not see one of the ratings does not see what follows from it."""
    every = [label for each in sources for label in each.get("meta", {}).get("security", ())]
    unique = {(each.get("system"), each.get("code")): each for each in every}
    return list(unique.values()) or [dict(each) for each in DEFAULT_LABELS]
