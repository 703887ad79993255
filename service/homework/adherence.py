"""The adherence of a series, written in the transaction that ends it. Docs: docs/insight.md, "Adherence as an Observation"

https://hl7.org/fhir/R4/observation.html
"""

import uuid
from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Any, Final

from fhir_mappings import adherence as counts
from fhir_mappings.adherence import Occurrence
from fhir_mappings.adherence_observation import IDENTIFIER, MEASURE, RATINGS, Span, observation, ratings
from fhir_mappings.group_work import group_of
from fhir_mappings.lifecycle import TERMINAL
from fhir_mappings.provenance import assembled
from fhir_mappings.zones import zone_of
from schemas import dates
from service.call import Call
from service.homework.answer import ASSEMBLER
from service.homework.authority import found
from service.homework.planned import Planned
from service.homework.policy import HomeworkPolicy
from service.store import Change, Store, Stored

JsonObject = dict[str, Any]
PARTS: Final = 5_000
"""How many parts of one series are looked at, at most."""


async def follow(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """When a series ends, write its adherence. A head says how far its parts got: no other Task costs anything here."""
    head = change.resource
    if head is None or head.get("status") not in TERMINAL - {"entered-in-error"} or not counts.is_head(head):
        return
    if group_of(head) is not None:  # each member has their own
        return
    if change.before is not None and (store.current(change.before) or {}).get("status") == head["status"]:
        return
    parts = await found(call, store, "Task", [("part-of", f"Task/{change.id}")], PARTS)
    tasks = {each.id: each.resource(store.codec) for each in parts}
    tasks |= {each.id: each.resource for each in planned.of("Task") if each.id in tasks and each.resource is not None}
    head = {**head, "id": change.id}
    choices = await planned.policy()
    occurrences = counts.occurrences([head, *tasks.values()], await zone_for(call, store, head, choices))
    if not counts.count(occurrences).planned:
        return
    span = Span(change.id, occurrences[0].day, max(each.day for each in occurrences))
    body = await made_of(call, store, head, span, occurrences, choices)
    key = key_of(span)
    before = await store.read("Observation", key)
    planned.put("Observation", key, _amended(body, before), before)
    planned.create(trace(key, span, occurrences, body, call.now, before is not None))


def key_of(span: Span) -> str:
    """The id of the Observation: the same series and week always give the same, so that none is written twice."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{IDENTIFIER}|{span.identifier}"))


async def zone_for(call: Call, store: Store, head: JsonObject, choices: HomeworkPolicy) -> tzinfo:
    """The time zone of the client whose series it is."""
    whose = head.get("for", {}).get("reference", "").removeprefix("Patient/")
    patient = await found(call, store, "Patient", [("_id", whose)], 1) if whose else []
    return zone_of(patient[0].resource(store.codec) if patient else None, choices.zone)


async def made_of(
    call: Call, store: Store, head: JsonObject, span: Span, occurrences: list[Occurrence], choices: HomeworkPolicy
) -> JsonObject:
    """The Observation of the span: ratings are those based on the same request."""
    requests = [each.get("reference", "") for each in head.get("basedOn", ())]
    rated: list[JsonObject] = []
    if requests:
        codes = ",".join(f"{MEASURE}|{code}" for code in RATINGS)
        params = [("based-on", ",".join(requests)), ("combo-code", codes), ("status:not", "entered-in-error")]
        rated = [each.resource(store.codec) for each in await found(call, store, "Observation", params, PARTS)]
    return observation(head, span, occurrences, ratings(rated, occurrences), choices.partial_weight)


def _amended(body: JsonObject, before: Stored | None) -> JsonObject:
    return body if before is None else {**body, "status": "amended"}


def trace(
    key: str, span: Span, occurrences: Iterable[Occurrence], body: JsonObject, now: datetime, again: bool
) -> JsonObject:
    """The Provenance of the Observation."""
    sources = [f"Task/{span.head}", *(f"Task/{each.id}" for each in occurrences)]
    return assembled(
        f"Observation/{key}",
        sources,
        assembler=ASSEMBLER,
        now=dates.instant(now),
        labels=body["meta"]["security"],
        again=again,
    )
