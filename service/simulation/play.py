"""Plays the made-up clinic into a tenant, day by day, by the interactions and jobs of real use: only the time is made up.

The engine's clock is not touched: every Call says its own time, as those of jobs do.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fhir_mappings.assignment import asked_for, form_type
from fhir_mappings.observation import DEFAULT_LABELS
from fhir_mappings.occurrence import OCCURRENCE, named
from fhir_mappings.prescription import Assignment, assign
from schemas import dates, library
from service.call import Call
from service.engine import Engine
from service.homework import horizon, proposals, weekly, windows
from service.homework.authority import found
from service.homework.policy import HomeworkPolicy
from service.homework.policy import keep as keep_policy
from service.interactions.table import INTERACTIONS
from service.simulation import course
from service.simulation.answering import answered
from service.simulation.population import PROGRAMMES, Client, population
from service.store import Store
from service.tenants import Tenant

JsonObject = dict[str, Any]
_AT_ONCE: Final = 4
_PER_THERAPIST: Final = 25
_MEASURES: Final = {"phq-9": (27, 9), "gad-7": (21, 7)}
"""By measure: its highest total and how many items make it."""
_EVERY: Final = (horizon.roll, windows.close)
_WEEKLY: Final = (weekly.tally, proposals.propose)
_SUNDAY: Final = 6


@dataclass(slots=True)
class Tally:
    """What was played."""

    clients: int = 0
    answers: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)


class Play:
    """One clinic being played; `begin` is the day of its first session."""

    def __init__(self, engine: Engine, tenant: Tenant, *, seed: int, clients: int, weeks: int, begin: date) -> None:
        self._engine, self._tenant = engine, tenant
        self._begin, self._days = begin, weeks * 7
        self.therapists = max(1, clients // _PER_THERAPIST)
        self.clients: Sequence[Client] = population(seed, clients, self.therapists)
        self.tally = Tally()
        self._ids = 0
        self._lanes = asyncio.Semaphore(_AT_ONCE)
        known = [each for each in library.seed() if each.get("status") == "active"]
        self._activities = {each["url"]: each for each in known if each["resourceType"] == "ActivityDefinition"}
        self._forms = {
            f"{each['url']}|{each['version']}": each
            for each in library.seed()
            if each["resourceType"] == "Questionnaire"
        }

    async def run(self, told: Callable[[int], None]) -> Tally:
        """Play it all; `told` hears of each day that is over."""
        await self._open()
        await self._for_each(self._first_session)
        for day in range(self._days):
            await self._tick(_EVERY, day, time(1))
            await self._for_each(partial(self._day, day=day))
            if (self._begin + timedelta(days=day)).weekday() == _SUNDAY:
                await self._tick(_WEEKLY, day, time(23, 30))
            told(day)
        await self._tick(_EVERY, self._days, time(12))
        return self.tally

    async def _for_each(self, act: Callable[[Client], Any]) -> None:
        async def alone(client: Client) -> None:
            async with self._lanes:
                await act(client)

        await asyncio.gather(*(alone(client) for client in self.clients))

    async def _tick(self, ticks: Sequence[Any], day: int, at: time) -> None:
        now = datetime.combine(self._begin + timedelta(days=day), at, UTC)
        for tick in ticks:
            await tick(self._engine, self._tenant, now)

    async def _open(self) -> None:
        """The therapists, and who is on call."""
        async with self._engine.database.connection(self._tenant.id) as connection:
            await keep_policy(connection, self._tenant.id, HomeworkPolicy(on_call="CareTeam/sim-on-call"))
        now = datetime.combine(self._begin, time(8), UTC)
        names = [("Kim", "Example"), ("Sam", "Sample"), ("Toni", "Pattern"), ("Alex", "Model")]
        people = [
            {
                "resourceType": "Practitioner",
                "id": f"sim-therapist-{at}",
                "name": [{"given": [names[at % 4][0]], "family": f"{names[at % 4][1]}-{at + 1}"}],
            }
            for at in range(self.therapists)
        ]
        on_call = {
            "resourceType": "CareTeam",
            "id": "sim-on-call",
            "status": "active",
            "name": "On call",
            "participant": [{"member": {"reference": f"Practitioner/{each['id']}"}} for each in people],
        }
        async with self._engine.at_work(self._tenant, now) as (call, store):
            await _put(call, store, *people, on_call)

    async def _first_session(self, client: Client) -> None:
        """The client, their goal, and what is agreed on."""
        zone = ZoneInfo(client.zone)
        now = datetime.combine(self._begin, time(9 + client.number % 8), zone).astimezone(UTC)
        programme = PROGRAMMES[client.programme]
        last = self._begin + timedelta(days=self._days - 1)
        async with self._engine.at_work(self._tenant, now) as (call, store):
            await _put(call, store, *_record(client, programme.goal, self._begin))
            for name in (*programme.activities, programme.measure):
                agreed = Assignment(
                    patient=f"Patient/{client.id}",
                    practitioner=f"Practitioner/sim-therapist-{client.therapist}",
                    activity=self._activities[f"{library.BASE}/ActivityDefinition/{name}"],
                    start=self._begin.isoformat(),
                    end=last.isoformat(),
                    now=dates.instant(now),
                )
                await _bundle(call, store, assign(agreed, self._id))
        self.tally.clients += 1

    def _id(self) -> str:
        self._ids += 1
        return str(UUID(int=self._ids))

    async def _day(self, client: Client, *, day: int) -> None:
        """What is open on this day, and what the client does about it."""
        on = self._begin + timedelta(days=day)
        noon = datetime.combine(on, time(12), ZoneInfo(client.zone)).astimezone(UTC)
        async with self._engine.at_work(self._tenant, noon) as (call, store):
            held = await found(
                call,
                store,
                "Task",
                [
                    ("owner", f"Patient/{client.id}"),
                    ("status", "ready"),
                    ("intent", "instance-order"),
                    ("due", f"lt{(on + timedelta(days=1)).isoformat()}"),
                    ("due", f"gt{on.isoformat()}"),
                ],
                50,
            )
            for each in held:
                await self._occurrence(call, store, client, day, each.resource(store.codec))

    async def _occurrence(self, call: Call, store: Store, client: Client, day: int, task: JsonObject) -> None:
        url = str(task.get("instantiatesCanonical", "")).partition("|")[0]
        name = url.rpartition("/")[2]
        on = self._begin + timedelta(days=day)
        # Named by its day and slot: the ids of a series are new each time it is played.
        slot = (named(task, OCCURRENCE) or "").partition("/")[2]
        became = course.outcome(client, day, on.weekday(), f"{name} {slot}")
        if name in _MEASURES and became.what == course.PARTLY:
            became = replace(became, what=course.DONE)
        self.tally.outcomes[became.what] = self.tally.outcomes.get(became.what, 0) + 1
        at = datetime.combine(on, time(became.minute // 60, became.minute % 60), ZoneInfo(client.zone)).astimezone(UTC)
        now = replace(call, now=at)
        if became.what in (course.DONE, course.PARTLY):
            await self._answer(now, store, client, day, task, name, became)
        elif became.what in (course.PAUSED, course.DECLINED):
            status = "on-hold" if became.what == course.PAUSED else "rejected"
            barrier = {"system": f"{library.BASE}/CodeSystem/homework-barrier", "code": became.barrier}
            await _put(now, store, {**task, "status": status, "statusReason": {"coding": [barrier]}})

    async def _answer(
        self, call: Call, store: Store, client: Client, day: int, task: JsonObject, name: str, became: course.Outcome
    ) -> None:
        canonical = next(asked_for(task), None)
        form = self._forms.get(canonical or "")
        if form is None:
            return
        begun = dates.instant(call.now - timedelta(minutes=became.minutes))
        answer = self._id()
        output = {
            "type": form_type("questionnaire-response"),
            "valueReference": {"reference": f"QuestionnaireResponse/{answer}"},
        }
        started = {"status": "in-progress", "executionPeriod": {"start": begun}, "output": [output]}
        await _put(call, store, {**task, **started})
        response = {
            "resourceType": "QuestionnaireResponse",
            "id": answer,
            "meta": {"security": list(DEFAULT_LABELS)},
            "basedOn": task["basedOn"],
            "questionnaire": canonical,
            "status": "completed",
            "subject": task["for"],
            "authored": dates.instant(call.now),
            "author": task["for"],
            "source": task["for"],
            "item": answered(form, call.now, client.chance(day, f"answers {name}"), _given(client, day, name, became)),
        }
        await _put(call, store, response)
        self.tally.answers += 1
        if became.what == course.PARTLY:
            await self._partly(call, store, task["id"])

    async def _partly(self, call: Call, store: Store, task_id: str) -> None:
        stored = await store.read("Task", task_id)
        assert stored is not None
        done = store.resource(stored)
        if done["status"] == "completed":
            coding = {"system": f"{library.BASE}/CodeSystem/homework-business-status", "code": "partially-done"}
            await _put(call, store, {**done, "businessStatus": {"coding": [coding]}})


def _given(client: Client, day: int, name: str, became: course.Outcome) -> JsonObject:
    """What the course says of this form's answers, by linkId or code."""
    if name in _MEASURES:
        most, items = _MEASURES[name]
        total = course.score(client, day // 7, most)
        risk = 1 if client.risk and client.chance(day, "risk").random() < 0.3 else 0
        given = course.spread(client, day // 7, total, items, 3, risk if name == "phq-9" else 3)
        form = next(each for each in library.seed() if each.get("url") == f"{library.BASE}/Questionnaire/{name}")
        asked = [each["linkId"] for each in form["item"] if each["type"] == "choice"]
        return dict(zip(asked, given, strict=False))
    before, peak, after = course.distress(client, day)
    ratings = {
        what: course.rating(client, day, what) for what in ("mood", "pleasure", "mastery", "helpfulness", "rested")
    }
    return {"suds-pre": before, "suds-peak": peak, "suds-post": after, "minutes": became.minutes} | ratings


def _record(client: Client, goal: str, begin: date) -> tuple[JsonObject, ...]:
    """The client, who cares for them, and what they want."""
    me = {"reference": f"Patient/{client.id}"}
    zone = {"url": "http://hl7.org/fhir/StructureDefinition/timezone", "valueCode": client.zone}
    language = {"coding": [{"system": "urn:ietf:bcp:47", "code": client.language}]}
    return (
        {
            "resourceType": "Patient",
            "id": client.id,
            "extension": [zone],
            "name": [{"given": [client.given], "family": client.family}],
            "gender": client.gender,
            "birthDate": str(client.birth_year),
            "communication": [{"language": language, "preferred": True}],
        },
        {
            "resourceType": "CareTeam",
            "id": f"{client.id}-team",
            "status": "active",
            "subject": me,
            "participant": [{"member": {"reference": f"Practitioner/sim-therapist-{client.therapist}"}}],
        },
        {
            "resourceType": "Goal",
            "id": f"{client.id}-goal",
            "lifecycleStatus": "active",
            "description": {"text": goal},
            "subject": me,
            "startDate": begin.isoformat(),
            "expressedBy": me,
        },
    )


async def _put(call: Call, store: Store, *resources: JsonObject) -> None:
    for each in resources:
        asked = replace(call, interaction="update", type=each["resourceType"], id=each["id"], body=each)
        await INTERACTIONS["update"](asked, store)


async def _bundle(call: Call, store: Store, bundle: JsonObject) -> None:
    await INTERACTIONS["transaction"](replace(call, interaction="transaction", body=bundle), store)
