"""What happens when clients and therapists meet, and what therapists do in between. Docs: docs/homework.md"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from fhir_mappings import prescription
from fhir_mappings.homework_api.assignment import status_word
from fhir_mappings.prescription import Assignment
from fhir_mappings.risk import REVIEW_CODE, WAITING
from schemas import dates, library
from service.call import Call
from service.homework.authority import SERVICE, found
from service.simulation import course, records
from service.simulation.acting import put, together
from service.simulation.population import PROGRAMMES, Client
from service.store import Store

JsonObject = dict[str, Any]
_ACTIVITIES: Final = f"{library.BASE}/ActivityDefinition/"
_TALKED_ABOUT: Final = 0.7
"""The share of what was done that there is time for in the session."""
_RATED: Final = 0.15
_TAKEN: Final = 0.75
"""How likely it is that a waiting review is taken on a given day."""
_ACCEPTED: Final = 0.5
_DECLINED: Final = 0.75
_MOST: Final = 60
_PRACTICE: Final = replace(SERVICE, client_id="practice")
"""The practice's own program: what it writes is by people, and has the consequences of that."""
_RATED_EVERY: Final = 28
_GROUP: Final = 8
_CHALLENGE: Final = "kindness-challenge"
CHALLENGE_DAYS: Final = 14


@dataclass(slots=True)
class Minted:
    """Ids in the order in which they are asked for."""

    last: int = 0

    def __call__(self) -> str:
        """The next one, as a UUID."""
        self.last += 1
        return f"00000000-0000-4000-8000-{self.last:012x}"


class Sessions:
    """The meetings of one clinic; homework is agreed on from `begin` to `until`, or to `finish` with who is done then."""

    def __init__(self, ids: Minted, begin: date, finish: date, until: date) -> None:
        self._ids, self._begin, self._finish, self._until = ids, begin, finish, until
        known = (each for each in library.seed() if each["resourceType"] == "ActivityDefinition")
        self._activities: Mapping[str, JsonObject] = {
            each["url"]: each for each in known if each.get("status") == "active"
        }

    async def first(self, call: Call, store: Store, client: Client) -> None:
        """The client, their goal, and what is agreed on."""
        programme = PROGRAMMES[client.programme]
        agreed = [self._agreed(client, name, call.now) for name in (*programme.activities, programme.measure)]
        start = records.attained(client, records.BEGINNING, course.level(client, 0), dates.instant(call.now))
        made = [*records.record(client, self._begin), records.session(client, 0, call.now), start]
        await together(call, store, [*(("", each) for each in made), *records.plan(client, agreed, self._ids)])

    def _agreed(self, client: Client, name: str, now: datetime) -> Assignment:
        return Assignment(
            patient=f"Patient/{client.id}",
            practitioner=records.therapist(client.therapist),
            activity=self._activities[_ACTIVITIES + name],
            start=self._begin.isoformat(),
            end=(self._until if client.goes_on else self._finish).isoformat(),
            now=dates.instant(now),
            goals=(f"Goal/{client.id}-goal",),
            encounter=f"Encounter/{client.id}-session-0",
            set="session-0",
            language=client.language,
        )

    async def later(self, call: Call, store: Store, client: Client, number: int) -> None:
        """What was done is talked about, some of it rated, and what Hearth proposed is answered."""
        done = await found(
            call,
            store,
            "Task",
            [
                ("owner", f"Patient/{client.id}"),
                ("status", "completed"),
                ("intent", "instance-order"),
                ("_lastUpdated", f"ge{dates.instant(call.now - timedelta(days=7))}"),
                ("_sort", "due"),
            ],
            _MOST,
        )
        written = [records.session(client, number, call.now)]
        chance = client.chance(number * 7, "session")
        for task in (each.resource(store.codec) | {"id": each.id} for each in done):
            if chance.random() < _TALKED_ABOUT:
                written.append({**task, "businessStatus": status_word(task, "reviewed")})
            if chance.random() < _RATED:
                at = dates.instant(call.now)
                written.append(records.helpful(client, task["id"], 1 + chance.randrange(4), at))
        written += await self._answered(call, store, client, number)
        await together(call, store, [("", each) for each in written])

    async def _answered(self, call: Call, store: Store, client: Client, number: int) -> list[JsonObject]:
        """The proposals that the therapist says yes or no to, and the look at the whole plan; some wait for another day."""
        asked = [("patient", client.id), ("code", "review-proposal,plan-review"), ("status", "requested")]
        chance = client.chance(number * 7, "proposals")
        answered = []
        for each in await found(call, store, "Task", [*asked, ("_sort", "authored-on")], _MOST):
            throw, task = chance.random(), {**each.resource(store.codec), "id": each.id}
            if throw >= _DECLINED:
                continue
            if task["intent"] != "proposal":
                answered.append({**task, "status": "completed"})
            elif throw < _ACCEPTED:
                answered.append({**task, "status": "accepted"})
            else:
                answered.append({**task, "status": "rejected", "statusReason": {"text": "We will wait with it."}})
        return answered

    async def planned(self, call: Call, store: Store, client: Client, number: int) -> None:
        """The next meeting, in the calendar already."""
        await put(call, store, records.session(client, number, call.now, held=False))

    async def week_over(self, call: Call, store: Store, client: Client, day: int) -> None:
        """What a watch tells of the last day of a week, and every four weeks where the client sees their goal."""
        made = list(records.readings(client, self._day(day), *course.reading(client, day))) if client.wears else []
        if (day + 1) % _RATED_EVERY == 0:
            level = course.level(client, (day + 1) // 7)
            made.append(records.attained(client, records.BY_PATIENT, level, dates.instant(call.now)))
        await together(call, store, [("", each) for each in made])

    def _day(self, day: int) -> date:
        return self._begin + timedelta(days=day)

    async def risk_looked_at(self, call: Call, store: Store, client: Client, day: int) -> None:
        """Reviews of what told of risk are taken and completed within a day or two; the last ones wait."""
        call = replace(call, grant=_PRACTICE)
        asked = [
            ("patient", client.id),
            ("code", REVIEW_CODE),
            ("status", ",".join(sorted(WAITING))),
            ("authored-on", f"lt{dates.instant(call.now - timedelta(hours=12))}"),
        ]
        for each in await found(call, store, "Task", asked, _MOST):
            if client.chance(day, "review").random() < _TAKEN:
                for status in ("in-progress", "completed"):
                    stored = await store.read("Task", each.id)
                    assert stored is not None
                    await put(call, store, {**store.resource(stored), "id": each.id, "status": status})

    async def challenge(self, call: Call, store: Store, clients: Sequence[Client], day: int) -> None:
        """A group, and two weeks of something that its members do together."""
        members = clients[:_GROUP]
        agreed = Assignment(
            patient="Group/sim-group",
            practitioner=records.therapist(members[0].therapist),
            activity=self._activities[_ACTIVITIES + _CHALLENGE],
            start=self._day(day).isoformat(),
            end=self._day(day + CHALLENGE_DAYS - 1).isoformat(),
            now=dates.instant(call.now),
        )
        request = f"urn:uuid:{self._ids()}"
        await put(call, store, records.group(members))
        whole = [(request, prescription.service_request(agreed)), ("", prescription.task(agreed, request))]
        await together(call, store, whole)


def at(call: Call, moment: datetime) -> Call:
    """The Call at another time."""
    return replace(call, now=moment)
