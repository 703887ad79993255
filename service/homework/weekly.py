"""Once a week: the adherence of each running series in the week that ended. Docs: docs/insight.md

https://hl7.org/fhir/R4/observation.html
"""

import uuid
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Final

from fhir_mappings import adherence as counts
from fhir_mappings.adherence import Occurrence
from fhir_mappings.adherence_observation import Span
from fhir_mappings.group_work import group_of
from service.call import Call
from service.engine import Engine
from service.homework import own, policy
from service.homework.adherence import PARTS, key_of, made_of, trace, zone_for
from service.homework.authority import found
from service.homework.policy import HomeworkPolicy
from service.homework.standing import standing
from service.store import IdTaken, Store
from service.tenants import Tenant

JsonObject = dict[str, Any]
EVERY_SECONDS: Final = 3600
_RUNNING: Final = ("in-progress", "ready")


async def tally(engine: Engine, tenant: Tenant, now: datetime) -> None:
    """Write the adherence of the week that ended, of each running series, in the first two days of the next week."""
    if now.weekday() not in (6, 0, 1):  # on Sunday evening in London it is Monday in Auckland
        return
    async with engine.at_work(tenant, now) as (call, store):
        choices = await policy.of(store.connection, store.tenant_id)
        for status in _RUNNING:
            async for heads in standing(store, status, "heads"):
                for head in heads:
                    await _tally(call, store, head.resource(store.codec) | {"id": head.id}, choices)


async def _tally(call: Call, store: Store, head: JsonObject, choices: HomeworkPolicy) -> None:
    if not counts.is_head(head) or group_of(head) is not None:  # of a group each member has their own
        return
    zone = await zone_for(call, store, head, choices)
    today = call.now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday() + 7)
    span = Span(head["id"], monday, monday + timedelta(days=6), monday)
    if today.weekday() > 1 or await store.read("Observation", key_of(span)) is not None:
        return
    occurrences = await _of_week(call, store, head, zone, monday)
    if counts.count(occurrences).planned:
        await _write(call, store, head, span, occurrences, choices)


async def _write(
    call: Call, store: Store, head: JsonObject, span: Span, occurrences: list[Occurrence], choices: HomeworkPolicy
) -> None:
    key = key_of(span)
    body = await made_of(call, store, head, span, occurrences, choices)
    made = store.change("Observation", key, body, call.now, by_service=True)
    provenance = trace(key, span, occurrences, body, call.now, False)
    traced = store.change("Provenance", _other(key), provenance, call.now, by_service=True)
    try:
        await own.write(call, store, [made, traced])
    except IdTaken:  # another worker was faster
        return


async def _of_week(call: Call, store: Store, head: JsonObject, zone: tzinfo, monday: date) -> list[Occurrence]:
    """The occurrences of the week on the client's own calendar."""
    around = [("due", f"ge{monday - timedelta(days=1)}"), ("due", f"le{monday + timedelta(days=8)}")]
    tasks = await found(call, store, "Task", [("part-of", f"Task/{head['id']}"), *around], PARTS)
    every = counts.occurrences([head, *(each.resource(store.codec) for each in tasks)], zone)
    return [each for each in every if monday <= each.day <= monday + timedelta(days=6) and each.id != head["id"]]


def _other(key: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{key}/provenance"))
