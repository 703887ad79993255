"""Plays the made-up clinic into a tenant, day by day, by the interactions and jobs of real use: only the time is made up.

The engine's clock is not touched: every Call says its own time, as those of jobs do. Docs: docs/operations.md
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from fhir_mappings.assignment import asked_for, form_type
from fhir_mappings.observation import DEFAULT_LABELS
from fhir_mappings.occurrence import OCCURRENCE, named
from schemas import dates, library
from service.call import Call
from service.engine import Engine
from service.homework import escalation, horizon, plan_reviews, proposals, weekly, windows
from service.homework.authority import found
from service.homework.policy import HomeworkPolicy
from service.homework.policy import keep as keep_policy
from service.simulation import answers, course, records
from service.simulation.acting import put, together
from service.simulation.answering import answered
from service.simulation.population import Client, population
from service.simulation.sessions import CHALLENGE_DAYS, Minted, Sessions, at
from service.store import Store
from service.tenants import Tenant

JsonObject = dict[str, Any]
_AT_ONCE: Final = 4
_PER_THERAPIST: Final = 25
_ON_CALL: Final = "CareTeam/sim-on-call"
_EVERY: Final = (horizon.roll, windows.close, escalation.escalate)
_NIGHT: Final = time(3)
_TUESDAY: Final = 1
"""When the week before has ended everywhere, and what nobody did of it is let go."""
_AHEAD: Final = timedelta(weeks=4)
"""How far homework goes on after the last day that is played."""
_MORNING: Final = time(8)
_EVENING: Final = time(21)
_AFTERWARDS: Final = timedelta(hours=1)
_MOST: Final = 60


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
        self._ids = Minted()
        self._lanes = asyncio.Semaphore(_AT_ONCE)
        last = begin + timedelta(days=self._days - 1)
        self._sessions = Sessions(self._ids, begin, last, last + _AHEAD)
        self._forms = {
            f"{each['url']}|{each['version']}": each
            for each in library.seed()
            if each["resourceType"] == "Questionnaire"
        }

    async def run(self, told: Callable[[int], None]) -> Tally:
        """Play it all; `told` hears of each day that is over."""
        await self._open()
        for day in range(self._days):
            await self._night(day)
            async with asyncio.TaskGroup() as lanes:
                for client in self.clients:
                    lanes.create_task(self._lived(client, day))
            if day == max(0, self._days - CHALLENGE_DAYS):
                async with self._engine.at_work(self._tenant, self._moment(day, _EVENING)) as (call, store):
                    await self._sessions.challenge(call, store, self.clients, day + 1)
            told(day)
        await self._night(self._days, _MORNING)
        for client in self.clients:
            await self._then(self._session_at(client, self._days), self._sessions.planned, client, self._days // 7)
        return self.tally

    def _day(self, day: int) -> date:
        return self._begin + timedelta(days=day)

    def _moment(self, day: int, at_time: time, zone: str = "UTC") -> datetime:
        return datetime.combine(self._day(day), at_time, ZoneInfo(zone)).astimezone(UTC)

    def _session_at(self, client: Client, day: int) -> datetime:
        return self._moment(day, time(9 + client.number % 8), client.zone)

    async def _night(self, day: int, at_time: time = time(1)) -> None:
        """What the server's own jobs do."""
        for tick in _EVERY:
            await tick(self._engine, self._tenant, self._moment(day, at_time))
        if self._day(day).weekday() == _TUESDAY:
            await weekly.tally(self._engine, self._tenant, self._moment(day, _NIGHT))
        if day and day % 7 == 0:
            await proposals.propose(self._engine, self._tenant, self._moment(day, _NIGHT))
            await plan_reviews.ask(self._engine, self._tenant, self._moment(day, _NIGHT))

    async def _open(self) -> None:
        """The therapists, and who is on call."""
        async with self._engine.database.connection(self._tenant.id) as connection:
            await keep_policy(connection, self._tenant.id, HomeworkPolicy(on_call=_ON_CALL))
        async with self._engine.at_work(self._tenant, self._moment(0, time(0))) as (call, store):
            await together(call, store, [("", each) for each in records.staff(self.therapists, _ON_CALL)])

    async def _lived(self, client: Client, day: int) -> None:
        """One day of one client: the session if there is one, what is open, and what is noted of the week."""
        async with self._lanes:
            number, rest = divmod(day, 7)
            if day == 0:
                await self._then(self._session_at(client, 0), self._sessions.first, client)
                self.tally.clients += 1
            elif rest == 0:
                await self._then(self._session_at(client, day), self._sessions.later, client, number)
            if client.risk or rest == 1:  # whoever else needs a look gets it a little later
                await self._then(self._moment(day, _MORNING), self._sessions.risk_looked_at, client, day)
            await self._then(self._moment(day, time(12), client.zone), self._homework, client, day)
            if rest == 6:
                await self._then(self._moment(day, _EVENING, client.zone), self._sessions.week_over, client, day)

    async def _then(self, now: datetime, act: Callable[..., Awaitable[None]], *said: Any) -> None:
        async with self._engine.at_work(self._tenant, now) as (call, store):
            await act(call, store, *said)

    async def _homework(self, call: Call, store: Store, client: Client, day: int) -> None:
        """What is open on this day, and what the client does about it."""
        held = await found(
            call,
            store,
            "Task",
            [
                ("owner", f"Patient/{client.id}"),
                ("status", "ready"),
                ("intent", "instance-order"),
                ("due", f"lt{dates.instant(call.now + timedelta(days=1))}"),
                ("due", f"gt{dates.instant(call.now - timedelta(days=1))}"),
            ],
            _MOST,
        )
        for task in (each.resource(store.codec) | {"id": each.id} for each in held):
            await self._occurrence(call, store, client, day, task)

    async def _occurrence(self, call: Call, store: Store, client: Client, day: int, task: JsonObject) -> None:
        """What the client does about one occurrence, if this is the day on which they do."""
        key = named(task, OCCURRENCE)
        if key is None:  # a member's share of what a group does, of which there are times
            return
        zone = ZoneInfo(client.zone)
        first, last = (dates.interval(task["restriction"]["period"][each]).lo for each in ("start", "end"))
        begins, ends = ((each.astimezone(zone).date() - self._begin).days for each in (first, last))
        name = str(task.get("instantiatesCanonical", "")).partition("|")[0].rpartition("/")[2]
        # Named by its day and slot: the ids of a series are new each time it is played.
        slot = f"{name} {key.partition('/')[2]}"
        if course.day_of(client, begins, ends - begins + 1, slot) != day:
            return
        became = course.outcome(client, day, self._day(day).weekday(), slot)
        if name in answers.MEASURES:
            became = course.measured(client, day, became)
        self.tally.outcomes[became.what] = self.tally.outcomes.get(became.what, 0) + 1
        now = at(call, self._when(client, day, became.minute, first, last))
        if became.what in (course.DONE, course.PARTLY):
            await self._answer(now, store, client, day, task, slot, became)
        elif became.what in (course.PAUSED, course.DECLINED):
            status = "on-hold" if became.what == course.PAUSED else "rejected"
            barrier = {"system": f"{library.BASE}/CodeSystem/homework-barrier", "code": became.barrier}
            await put(now, store, {**task, "status": status, "statusReason": {"coding": [barrier]}})

    def _when(self, client: Client, day: int, minute: int, first: datetime, last: datetime) -> datetime:
        """The moment of the day that a client says, or another one of that day if that is not within the window."""
        said = self._moment(day, time(minute // 60, minute % 60), client.zone)
        since = max(first, self._moment(day, time(5), client.zone), self._session_at(client, 0) + _AFTERWARDS)
        until = min(last, self._moment(day, time(23, 50), client.zone))
        return said if since <= said <= until else since + (until - since) * (1 + minute % 60) / 61

    async def _answer(
        self, call: Call, store: Store, client: Client, day: int, task: JsonObject, slot: str, became: course.Outcome
    ) -> None:
        canonical = next(asked_for(task), None)
        form = self._forms.get(canonical or "")
        if form is None:
            return
        begun = dates.instant(call.now - timedelta(minutes=became.minutes))
        answer = self._ids()
        output = {
            "type": form_type("questionnaire-response"),
            "valueReference": {"reference": f"QuestionnaireResponse/{answer}"},
        }
        started = {"status": "in-progress", "executionPeriod": {"start": begun}, "output": [output]}
        await put(call, store, {**task, **started})
        given = answers.given(client, day, slot.partition(" ")[0], slot, became.minutes)
        response = {
            "resourceType": "QuestionnaireResponse",
            "id": answer,
            "meta": {"security": list(DEFAULT_LABELS)},
            "language": client.language,
            "basedOn": task["basedOn"],
            "questionnaire": canonical,
            "status": "completed",
            "subject": task["for"],
            "authored": dates.instant(call.now),
            "author": task["for"],
            "source": task["for"],
            "item": answered(form, call.now, client.chance(day, f"answers {slot}"), given, client.language),
        }
        await put(call, store, response)
        self.tally.answers += 1
        if became.what == course.PARTLY:
            await self._partly(call, store, task["id"])

    async def _partly(self, call: Call, store: Store, task_id: str) -> None:
        stored = await store.read("Task", task_id)
        assert stored is not None
        done = store.resource(stored)
        if done["status"] == "completed":
            coding = {"system": f"{library.BASE}/CodeSystem/homework-business-status", "code": "partially-done"}
            await put(call, store, {**done, "businessStatus": {"coding": [coding]}})
