"""Seeding through the API: transactions of a hundred resources, as an import would send them."""

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import accumulate
from typing import Any

import homework
import load
from homework import Person
from place import Place

from schemas import json

JsonObject = dict[str, Any]
BUNDLE = 100
CALLERS = 3
MATCHES = 30_000
"""How many ratings of pleasure there are at most: the population search finds as many at every size from 100,000 on."""
SHARES = {
    "task": 0.20, "pleasure": 0.30, "mood": 0.08, "distress": 0.08, "adherence": 0.04, "minutes": 0.04,
    "journal": 0.04, "phq9": 0.015,
}  # fmt: skip
"""Of all resources; the rest are persons with their plans, and what the service derives from their answers."""
FULL = 0.95
"""The share of a size that counts as seeded: what the service derives comes in whole numbers only."""
PER_PERSON = 80
REQUESTS = 3
SECONDS_BETWEEN_LINES = 10


def volumes(size: int) -> dict[str, int]:
    """How many of each kind make `size` resources."""
    counts = {kind: round(share * size) for kind, share in SHARES.items()}
    over = max(0, counts["pleasure"] - MATCHES)
    return {**counts, "pleasure": counts["pleasure"] - over, "mood": counts["mood"] + over}


class Seeder:
    """Grows the data, and remembers whom it is about."""

    def __init__(self, place: Place, out: Callable[[str], None]) -> None:
        self._place = place
        self._out = out
        self._rng = random.Random(20_261_125)
        self.persons: list[Person] = []
        self._practitioners: list[str] = []

    async def grow(self, have: int, size: int) -> None:
        """Add what is missing between `have` and `size` resources, nothing when there is nearly as much."""
        if have >= size * FULL:
            return
        before, after = volumes(have), volumes(size)
        await self._hire(max(2, size // 2000) - len(self._practitioners))
        await self._admit(max(3, size // PER_PERSON) - len(self.persons))
        kinds = [kind for kind in after for _ in range(after[kind] - before[kind])]
        self._rng.shuffle(kinds)
        weights = list(accumulate(person.weight for person in self.persons))
        whose = self._rng.choices(self.persons, cum_weights=weights, k=len(kinds))
        await self._send(self._leaves(kinds, whose), len(kinds))

    async def _hire(self, count: int) -> None:
        entries = [_entry(homework.practitioner(self._rng)) for _ in range(count)]
        for start in range(0, count, BUNDLE):
            async for made in self._answers(iter([entries[start : start + BUNDLE]])):
                self._practitioners += made

    async def _admit(self, count: int) -> None:
        """Persons with a goal, prescriptions and a plan each."""
        size = 3 + REQUESTS
        authors = [self._rng.choice(self._practitioners) for _ in range(max(0, count))]
        together = BUNDLE // size
        groups = (authors[start : start + together] for start in range(0, len(authors), together))
        bundles = ([entry for author in group for entry in self._person(author)] for group in groups)
        async for made in self._answers(bundles):
            for start in range(0, len(made), size):
                patient, *requests = made[start : start + 1 + REQUESTS]
                author = self._rng.choice(self._practitioners)
                self.persons.append(Person(patient, author, requests, self._rng.lognormvariate(0, 1)))

    def _person(self, author: str) -> list[JsonObject]:
        patient, goal, *requests = (
            f"urn:uuid:{uuid.UUID(int=self._rng.getrandbits(128))}" for _ in range(2 + REQUESTS)
        )
        return [
            _entry(homework.patient(self._rng, author), patient),
            *(_entry(homework.request(self._rng, patient, author), url) for url in requests),
            _entry(homework.goal(self._rng, patient), goal),
            _entry(homework.care_plan(self._rng, patient, author, goal, requests)),
        ]

    def _leaves(self, kinds: list[str], whose: list[Person]) -> Iterator[list[JsonObject]]:
        for start in range(0, len(kinds), BUNDLE):
            pairs = zip(kinds[start : start + BUNDLE], whose[start : start + BUNDLE], strict=True)
            yield [_entry(self._leaf(kind, person)) for kind, person in pairs]

    def _leaf(self, kind: str, person: Person) -> JsonObject:
        rng = self._rng
        if kind == "task":
            return homework.task(rng, person.patient, person.practitioner, rng.choice(person.requests))
        if kind == "phq9":
            return homework.phq9(rng, person.patient, None)
        return homework.RATINGS[kind](rng, person.patient, rng.choice(person.requests))

    async def _send(self, bundles: Iterator[list[JsonObject]], total: int) -> None:
        started = said = time.monotonic()
        sent = 0
        async for made in self._answers(bundles):
            sent += len(made)
            if time.monotonic() - said > SECONDS_BETWEEN_LINES:
                said = time.monotonic()
                self._out(f"  seeded {sent:,} of {total:,} resources, {sent / (said - started):,.0f} a second")
        if total:
            seconds = time.monotonic() - started
            self._out(f"  seeded {sent:,} resources in {seconds:.0f} s, {sent / seconds:,.0f} a second")

    async def _answers(self, bundles: Iterator[list[JsonObject]]) -> AsyncIterator[list[str]]:
        """The references of what each transaction made, a few transactions at once."""
        done: asyncio.Queue[list[str] | None] = asyncio.Queue()

        async def caller() -> None:
            connection = await load.connect(self._place.port)
            for entries in bundles:
                await done.put(await self._transact(connection, entries))
            connection.close()
            await done.put(None)

        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(caller())
            open_callers = CALLERS
            while open_callers:
                made = await done.get()
                if made is None:
                    open_callers -= 1
                else:
                    yield made

    async def _transact(self, connection: load.Connection, entries: list[JsonObject]) -> list[str]:
        return await transact(self._place, connection, entries)


async def transact(place: Place, connection: load.Connection, entries: list[JsonObject]) -> list[str]:
    """The references of what a transaction made, in the order of its entries."""
    body = json.encode({"resourceType": "Bundle", "type": "transaction", "entry": entries})
    answer = await connection.ask(place.request("POST", "/fhir", body, {"Prefer": "return=minimal"}))
    if answer.status != 200:
        raise SystemExit(f"a transaction was answered with {answer.status}: {answer.body.decode()[:1000]}")
    locations = [entry["response"]["location"].split("/_history/")[0] for entry in answer.json()["entry"]]
    return ["/".join(location.split("/")[-2:]) for location in locations]


def _entry(resource: JsonObject, url: str | None = None) -> JsonObject:
    request = {"method": "POST", "url": resource["resourceType"]}
    return {**({"fullUrl": url} if url else {}), "resource": resource, "request": request}
