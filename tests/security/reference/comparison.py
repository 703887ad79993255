"""Every path to a resource, asked over HTTP and compared with what the plain filter says should come."""

import json
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import httpx

from tests.security.reference import matching
from tests.security.reference.filter import Filter, subjects, taking_part
from tests.security.reference.generator import TYPES
from tests.security.reference.queries import INCLUDES, SORTS, Query, queries
from tests.security.reference.world import Resource, Version, World

_TAG: Final = "SUBSETTED"
_FAR: Final = datetime.max.replace(tzinfo=UTC)
_RECORD: Final = (
    "Patient", "Observation", "Task", "QuestionnaireResponse", "Goal", "CarePlan", "Communication", "DocumentReference",
    "Provenance", "CareTeam", "Encounter", "Consent", "RelatedPerson",
)  # fmt: skip
"""The types of $everything."""


@dataclass(frozen=True)
class Difference:
    """A path whose answer is not what the filter says."""

    path: str
    expected: Any
    got: Any

    def __str__(self) -> str:
        return f"{self.path}\n    expected {self.expected}\n    got      {self.got}"


@dataclass
class Comparison:
    """One token in one world. `filter` may be another one than the reference, to test this."""

    world: World
    filter: Filter
    http: httpx.AsyncClient
    random: random.Random
    found: list[Difference] = field(default_factory=list)

    def compare(self, path: str, expected: Any, got: Any) -> None:
        if expected != got:
            self.found.append(Difference(path, expected, got))

    # --- by address ------------------------------------------------------------------------------------------------

    async def addresses(self) -> None:
        """Read, version read, history and $meta of everything, as the entries of batches and a few by themselves."""
        wanted: list[tuple[str, str]] = []
        for version in [*self.world.current, _nobody()]:
            name = f"{version.type}/{version.id}"
            status = self.status_of(version)
            wanted += [(name, status), (f"{name}/$meta", status)]
            wanted.append((f"{name}/_history", "200" if status in ("200", "410") else status))
            for each in self.world.kept.get((version.type, version.id), []):
                wanted.append((f"{name}/_history/{each.number}", self.status_of(version, each)))
        for start in range(0, len(wanted), 900):
            await self._batch(wanted[start : start + 900])
        for path, status in self.random.sample(wanted, 12):
            answer = await self.http.get(path)
            self._answer(path, status, str(answer.status_code), answer.json())

    def status_of(self, current: Version, asked: Version | None = None) -> str:
        """What a read has to answer; `asked` is another version of it than the current one."""
        if not self.filter.has_scope("r", current.type):
            return "403"
        if not self.filter.sees("r", self.world.now((current.type, current.id))):
            return "404"
        return "410" if (asked or current).resource is None else "200"

    async def _batch(self, wanted: list[tuple[str, str]]) -> None:
        entries = [{"request": {"method": "GET", "url": path}} for path, _ in wanted]
        answer = await self.http.post("", json={"resourceType": "Bundle", "type": "batch", "entry": entries})
        assert answer.status_code == 200, answer.text
        for (path, status), entry in zip(wanted, answer.json()["entry"], strict=True):
            self._answer(f"batch {path}", status, entry["response"]["status"][:3], entry.get("resource", {}))

    def _answer(self, path: str, status: str, got: str, body: Resource) -> None:
        self.compare(path, status, got)
        if got != "200" or status != "200":
            return
        name, resource_id, *rest = path.removeprefix("batch ").split("/")
        versions = self.world.kept[name, resource_id]
        if rest == ["_history"]:
            self.compare(path, [self._line(each) for each in reversed(versions)], history_lines(body))
        elif rest != ["$meta"]:
            version = versions[int(rest[1]) - 1] if rest else versions[-1]
            self.compare(path, untagged(self.filter.shown(version.resource or {})), untagged(body))

    def _line(self, version: Version) -> Any:
        shown = None if version.resource is None else untagged(self.filter.shown(version.resource))
        return f"{version.type}/{version.id}", version.number, shown

    # --- histories of many -----------------------------------------------------------------------------------------

    async def histories(self) -> None:
        """History of the system and of some types, by pages."""
        for name in (None, *self.random.sample(TYPES, 4)):
            path = "_history?_count=37" if name is None else f"{name}/_history?_count=5"
            types = [name] if name else [each for each in TYPES if self.filter.has_scope("s", each)]
            if not self.filter.has_scope("s", name or "*") and not (name is None and types):
                await self._refused(path)
                continue
            lines = []
            for body in await self._pages(path):
                lines += [line for line in history_lines(body) if not line[0].startswith("AuditEvent/")]
            expected = [self._line(each) for each in self.filter.versions("s", name)]
            self.compare(path, expected, lines)

    async def _refused(self, path: str) -> None:
        self.compare(path, 403, (await self.http.get(path)).status_code)

    async def _pages(self, path: str) -> list[Resource]:
        """The Bundles of all pages, by their next links."""
        bundles, following = [], path
        while following:
            answer = await self.http.get(following)
            if answer.status_code != 200:
                self.found.append(Difference(following, 200, f"{answer.status_code} {answer.text}"))
                break
            bundles.append(answer.json())
            following = next((each["url"] for each in bundles[-1]["link"] if each["relation"] == "next"), "")
            assert len(bundles) < 200, f"{path} never ends"
        return bundles

    # --- searches --------------------------------------------------------------------------------------------------

    def seen(self, type_name: str) -> list[Resource]:
        """The resources of a type that a search can find."""
        return self.filter.visible("s", type_name)

    def matching(self, query: Query) -> list[Resource]:
        """What the query has to find, in no order."""
        return [
            each
            for each in self.seen(query.type)
            if matching.matches_all(each, query.criteria, self.world.base, self.seen)
        ]

    async def searches(self, amount: int) -> None:
        """Searches by criteria, chains, `_has` and their modifiers: found, counted, posted, and as entries."""
        for query in queries(self.random, self.world, amount):
            if not self.filter.has_scope("s", query.type):
                await self._refused(f"{query.type}?{query.text}")
                continue
            await self._search(query)

    async def _search(self, query: Query) -> None:
        expected = sorted(name(each) for each in self.matching(query))
        path = f"{query.type}?{query.text}"
        bundles = await self._pages(f"{path}&_count={self.random.choice((2, 3, 50))}&_total=accurate")
        got = [name(each["resource"]) for body in bundles for each in body.get("entry", [])]
        self.compare(path, expected, sorted(got))
        self.compare(f"{path} total", {len(expected)}, {body["total"] for body in bundles if "total" in body})
        way = self.random.choice(("count", "post", "batch", "transaction", "zero"))
        self.compare(f"{way} {path}", *await _WAYS[way](self, query, expected))

    async def _by_count(self, query: Query, expected: list[str]) -> tuple[Any, Any]:
        return len(expected), (await self.http.get(f"{query.type}?{query.text}&_summary=count")).json()["total"]

    async def _by_zero(self, query: Query, expected: list[str]) -> tuple[Any, Any]:
        return len(expected), (await self.http.get(f"{query.type}?{query.text}&_count=0")).json()["total"]

    async def _by_post(self, query: Query, expected: list[str]) -> tuple[Any, Any]:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await self.http.post(f"{query.type}/_search", content=query.text + "&_count=1000", headers=headers)
        return expected, names(answer.json())

    async def _by_bundle(self, query: Query, expected: list[str], kind: str = "batch") -> tuple[Any, Any]:
        entry = {"request": {"method": "GET", "url": f"{query.type}?{query.text}&_count=1000"}}
        answer = await self.http.post("", json={"resourceType": "Bundle", "type": kind, "entry": [entry]})
        return expected, names(answer.json()["entry"][0]["resource"])

    async def _by_transaction(self, query: Query, expected: list[str]) -> tuple[Any, Any]:
        return await self._by_bundle(query, expected, "transaction")

    async def system_search(self) -> None:
        """A search of several types at once."""
        types = [each for each in self.random.sample(TYPES, 5) if self.filter.has_scope("s", each)]
        if not types:
            return
        path = f"?_type={','.join(types)}&_sort=-_lastUpdated&_count=7&_total=accurate"
        expected = [each for each in self.world.current if each.resource is not None and each.type in types]
        expected = [each for each in expected if self.filter.sees("s", each)]
        bundles = await self._pages(path)
        got = [name(each["resource"]) for body in bundles for each in body.get("entry", [])]
        self.compare(path, sorted(f"{each.type}/{each.id}" for each in expected), sorted(got))
        times = [self.world.now(tuple(each.split("/"))).updated for each in got]  # type: ignore[arg-type,union-attr]
        self.compare(f"{path} order", sorted(times, reverse=True), times)
        self.compare(f"{path} total", {len(expected)}, {body["total"] for body in bundles if "total" in body})

    async def orders(self) -> None:
        """Searches in an order, page by page: the same rows in the same places."""
        for type_name, code, kind in self.random.sample(SORTS, 5):
            if not self.filter.has_scope("s", type_name):
                continue
            for down in (False, True):
                path = f"{type_name}?_sort={'-' if down else ''}{code}"
                count = self.random.choice((1, 2, 5))
                bundles = await self._pages(f"{path}&_count={count}")
                got = [name(each["resource"]) for body in bundles for each in body.get("entry", [])]
                self.compare(path, self._ordered(type_name, code, kind, down), got)

    def _ordered(self, type_name: str, code: str, kind: str, down: bool) -> list[str]:
        held: list[tuple[Any, UUID, str]] = []
        for resource in self.seen(type_name):
            version = self.world.now((type_name, resource["id"]))
            assert version is not None
            held.append((self._sorted_by(resource, version, code, kind, down), version.key, name(resource)))
        there = sorted((each for each in held if each[0] is not None), key=lambda each: each[:2], reverse=down)
        gone = sorted((each for each in held if each[0] is None), key=lambda each: each[1], reverse=down)
        return [each[2] for each in there + gone]

    def _sorted_by(self, resource: Resource, version: Version, code: str, kind: str, down: bool) -> Any:
        if kind == "key":
            return version.key
        if kind == "updated":
            return version.updated
        found = matching.values(resource, code, self.world.base)
        if kind == "date":
            return matching.span(found[0])[0] if found else None
        if kind == "patient":
            to = self.world.now(("Patient", found[0].removeprefix("Patient/"))) if found else None
            return None if to is None else to.key
        return found[0].lower() if found else None

    # --- includes --------------------------------------------------------------------------------------------------

    async def includes(self) -> None:
        """What comes along with the matches, forwards, backwards and on and on."""
        for include in self.random.sample(INCLUDES, 6):
            if not self.filter.has_scope("s", include.type):
                continue
            for body in (await self._pages(f"{include.type}?{include.text}&_count=3"))[:4]:
                matches = names(body, "match")
                self.compare(
                    f"{include.type}?{include.text} {matches}", self._included(include, matches), names(body, "include")
                )

    def _included(self, include: Any, matches: list[str]) -> list[str]:
        everything = {name(each): each for each in self.filter.visible("rs")}
        searched = {name(each) for each in self.filter.visible("s")}
        there = set(matches)
        for step in include.steps:
            rounds = 5 if step.again else 1
            fresh = set(there) if step.again else set(matches)
            for _ in range(rounds):
                fresh = self._along(step, fresh, everything, searched) - there
                there |= fresh
        return sorted(there - set(matches))

    def _along(self, step: Any, start: set[str], everything: dict[str, Resource], searched: set[str]) -> set[str]:
        found = set()
        for source, resource in everything.items():
            if resource["resourceType"] != step.type:
                continue
            targets = [
                each
                for each in matching.values(resource, step.code, self.world.base)
                if each.startswith(f"{step.target}/" if step.target else "")
            ]
            if step.reverse:
                found |= {source} if source in searched and set(targets) & start else set()
            elif source in start:
                found |= {each for each in targets if each in everything}
        return found

    # --- compartments and records ----------------------------------------------------------------------------------

    async def compartments(self) -> None:
        """A type in the compartment of a Patient, and the whole record."""
        for version in [each for each in self.world.current if each.type == "Patient"]:
            for type_name in self.random.sample(_RECORD[1:], 2):
                path = f"Patient/{version.id}/{type_name}?_count=4"
                if not self.filter.has_scope("s", type_name):
                    await self._refused(path)
                    continue
                inside = [name(each) for each in self.seen(type_name) if self._is_in(each, version.id)]
                got = [one for body in await self._pages(path) for one in names(body)]
                self.compare(path, sorted(inside), sorted(got))
            await self._everything(version)

    def _is_in(self, resource: Resource, patient_id: str) -> bool:
        patient = f"Patient/{patient_id}"
        return patient in subjects(resource, self.world.base) or patient in taking_part(resource, self.world.base)

    async def _everything(self, version: Version) -> None:
        path = f"Patient/{version.id}/$everything?_count={self.random.choice((3, 10, 1000))}"
        status = int(self.status_of(version))
        if status != 200:
            self.compare(path, status, (await self.http.get(path)).status_code)
            return
        inside = [
            each
            for each in self.filter.visible("r")
            if each["resourceType"] in _RECORD and self._is_in(each, version.id)
        ]
        got = [one for body in await self._pages(path) for one in names(body)]
        self.compare(path, sorted(map(name, inside)), sorted(got))

    async def reads(self, amount: int) -> None:
        """All the ways to see."""
        await self.histories()  # first, before what is asked leaves AuditEvents in it
        await self.addresses()
        await self.searches(amount)
        await self.system_search()
        await self.orders()
        await self.includes()
        await self.compartments()


_WAYS: Final[dict[str, Callable[[Comparison, Query, list[str]], Awaitable[tuple[Any, Any]]]]] = {
    "count": Comparison._by_count,
    "zero": Comparison._by_zero,
    "post": Comparison._by_post,
    "batch": Comparison._by_bundle,
    "transaction": Comparison._by_transaction,
}


def name(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def names(body: Resource, mode: str = "") -> list[str]:
    """What a Bundle holds, in one order."""
    return sorted(
        name(each["resource"]) for each in body.get("entry", []) if mode in ("", each.get("search", {}).get("mode"))
    )


def untagged(resource: Resource) -> str:
    """The resource without the tag that says it is a part, as text."""
    kept = json.loads(json.dumps(resource, default=str))
    tags = [each for each in kept.get("meta", {}).get("tag", []) if each.get("code") != _TAG]
    if "meta" in kept:
        kept["meta"].pop("tag", None)
        kept["meta"] |= {"tag": tags} if tags else {}
    return json.dumps(kept, sort_keys=True)


def history_lines(body: Resource) -> list[Any]:
    """(name, version, content) of each entry of a history."""
    lines = []
    for each in body.get("entry", []):
        number = int(each["response"]["etag"].strip('W/"'))
        held = each.get("resource")
        lines.append(("/".join(each["fullUrl"].split("/")[-2:]), number, None if held is None else untagged(held)))
    return lines


def _nobody() -> Version:
    return Version("Observation", "never-was", 1, _FAR, UUID(int=0), {})


def told(found: Iterable[Difference], most: int = 8) -> str:
    """The differences, as many as one can read."""
    listed: Sequence[Difference] = list(found)
    return "\n".join([f"{len(listed)} differences", *map(str, listed[:most])])
