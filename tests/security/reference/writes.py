"""Writes of every kind: done exactly where the plain filter says so, else 403 for what may be seen and 404 for what may not."""

import json
import random
from dataclasses import dataclass
from typing import Any, Final

import httpx

from fhir_mappings import lifecycle
from fhir_mappings.lifecycle import Actor
from service.oauth.token import Access
from tests.security.reference import matching, world
from tests.security.reference.comparison import Difference
from tests.security.reference.filter import PROGRESS, Filter
from tests.security.reference.generator import TYPES, Generator
from tests.security.reference.queries import Query, query_of
from tests.security.reference.world import Resource, World

KINDS: Final = ("PUT", "PUT", "PUT new", "POST", "POST", "PATCH", "DELETE", "PUT ?", "PATCH ?", "DELETE ?", "POST ?")
_MERGE: Final = "application/merge-patch+json"


@dataclass(frozen=True)
class Write:
    """One write: `id` is None for a create, `query` the condition where it has one, `body` what is sent."""

    method: str
    type: str
    id: str | None
    query: Query | None
    body: Resource | None

    @property
    def url(self) -> str:
        """Where it goes, relative to the base."""
        if self.query is not None and self.method != "POST":
            return f"{self.type}?{self.query.text}"
        return f"{self.type}/{self.id}" if self.id is not None else self.type

    @property
    def headers(self) -> dict[str, str]:
        """What it is sent with."""
        kind = {"Content-Type": _MERGE if self.method == "PATCH" else "application/fhir+json"}
        exist = {"If-None-Exist": self.query.text} if self.query is not None and self.method == "POST" else {}
        return kind | exist | {"Prefer": "return=minimal"}


class Writes:
    """The writes of one token in a house that they change; `held` is always what the house holds now."""

    def __init__(self, house: Any, access: Access, http: httpx.AsyncClient, chance: random.Random, held: World) -> None:
        self.house, self.access, self.http, self.random, self.held = house, access, http, chance, held
        self.made = Generator(chance.randrange(1 << 30))
        self.found: list[Difference] = []
        self.done = 0

    async def attempt(self, amount: int) -> None:
        """As many writes, each compared; in the end nothing has changed but what was answered so."""
        for _ in range(amount):
            write = self._any()
            expected = self.expected(write)
            got = await self._sent(write)
            if expected != got:
                path = f"{write.method} {write.url} {write.headers.get('If-None-Exist', '')} {json.dumps(write.body)}"
                self.found.append(Difference(path, expected, got))
            if got // 100 == 2:
                self.done += 1
                self.held = await world.load(self.house)
        after = await world.load(self.house)
        if after.kept != self.held.kept:
            self.found.append(Difference("what is held in the end", "as it was", "something else"))

    def _any(self) -> Write:
        method, _, how = self.random.choice(KINDS).partition(" ")
        type_name = self.random.choice([*TYPES, "Observation", "Task", "Task", "CareTeam"])
        if type_name == "Communication" and Filter(self.held, self.access).is_client:
            type_name = "Observation"  # what clients may say to whom is tested by itself (test_group_posts.py)
        known = [each.id for each in self.held.current if each.type == type_name]
        chosen = self.random.choice(known)
        body: Resource | None = self.made.resource(
            type_name, f"new-{self.random.randrange(1000)}" if how == "new" else chosen
        )
        query = None
        if how == "?":
            query = query_of(self.random, self.held, type_name)
        assert body is not None
        if method == "PATCH":
            names = [name for name in body if name not in ("resourceType", "id")]
            body = {name: body[name] for name in self.random.sample(names, 1)} if names else {"language": "de"}
        if method == "DELETE":
            body = None
        if body is not None and (method == "POST" or how == "?"):
            body = {name: value for name, value in body.items() if name != "id"}
        resource_id = (
            None if method == "POST" or how == "?" else body["id"] if body is not None and "id" in body else chosen
        )
        return Write(method, type_name, resource_id, query, body)

    async def _sent(self, write: Write) -> int:
        content = None if write.body is None else json.dumps(write.body)
        kind = self.random.choice(("alone", "alone", "batch", "transaction"))
        version = self._version(write)
        if kind == "alone" or write.method == "PATCH":
            headers = write.headers | ({"If-Match": version} if version else {}) if content else {}
            answer = await self.http.request(write.method, write.url, content=content, headers=headers)
            return answer.status_code
        request = {"method": write.method, "url": write.url}
        if "If-None-Exist" in write.headers:
            request["ifNoneExist"] = write.headers["If-None-Exist"]
        if version:
            request["ifMatch"] = version
        entry: dict[str, Any] = {"request": request} | ({"resource": write.body} if write.body is not None else {})
        answer = await self.http.post("", json={"resourceType": "Bundle", "type": kind, "entry": [entry]})
        if answer.status_code != 200:
            return answer.status_code
        return int(answer.json()["entry"][0]["response"]["status"][:3])

    def _version(self, write: Write) -> str | None:
        """The version that a client says to have read of the Task it changes."""
        seen = Filter(self.held, self.access)
        if write.type != "Task" or not seen.is_client or write.method not in ("PUT", "PATCH"):
            return None
        target = write.id
        if write.query is not None:
            matched = self._matches(seen, write.query)
            target = matched[0] if len(matched) == 1 else None
        current = None if target is None else self.held.now(("Task", target))
        return None if current is None or current.resource is None else f'W/"{current.number}"'

    # --- what has to come of it ------------------------------------------------------------------------------------

    def expected(self, write: Write) -> int:
        """The status that the write has to be answered with."""
        seen = Filter(self.held, self.access)
        letter = {"PUT": "u", "PATCH": "u", "POST": "c", "DELETE": "d"}[write.method]
        if not seen.has_scope(letter, write.type):
            return 403
        target = write.id
        if write.query is not None:
            if not seen.has_scope("s", write.type):
                return 403
            matched = self._matches(seen, write.query)
            if len(matched) > 1:
                return 412
            if not matched and write.method in ("DELETE", "PATCH"):
                return 204 if write.method == "DELETE" else 404
            if matched and write.method == "POST":
                return 200
            target = matched[0] if matched else None
        if write.method == "POST" or target is None:
            made = {**(write.body or {}), "id": "made-here"}
            return self._made(seen, "c" if write.method == "POST" else "U", made)
        return {"PUT": self._put, "PATCH": self._patch, "DELETE": self._delete}[write.method](seen, write, target)

    def _matches(self, seen: Filter, query: Query) -> list[str]:
        def of(type_name: str) -> list[Resource]:
            return seen.visible("s", type_name)

        return [each["id"] for each in of(query.type) if matching.matches_all(each, query.criteria, self.held.base, of)]

    def _put(self, seen: Filter, write: Write, target: str) -> int:
        current, body = self.held.now((write.type, target)), {**(write.body or {}), "id": target}
        if current is None:
            return self._made(seen, "U", body)
        if not seen.sees("u", current):
            return 403 if seen.sees("r", current) else 404
        if current.resource is None:
            return self._made(seen, "U", body)
        return self._changed(seen, current.resource, body)

    def _made(self, seen: Filter, letter: str, body: Resource) -> int:
        if body["resourceType"] == "Task" and seen.is_client:  # no proposal, nothing of the library
            return 403
        return 201 if seen.may_become(letter, body) else 403

    def _patch(self, seen: Filter, write: Write, target: str) -> int:
        if not seen.has_scope("r", write.type):
            return 403
        current = self.held.now((write.type, target))
        assert current is not None
        if not seen.sees("u", current):
            return 403 if seen.sees("r", current) else 404
        if current.resource is None:
            return 410
        if not seen.sees("r", current):
            return 404
        return self._changed(seen, current.resource, _merged(current.resource, write.body or {}))

    def _changed(self, seen: Filter, before: Resource, after: Resource) -> int:
        if _said(before) == _said(after):
            return 200
        if before["resourceType"] == "Task" and seen.is_client:
            names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
            labelled = before.get("meta", {}).get("security") != after.get("meta", {}).get("security")
            if names - set(PROGRESS) or labelled:
                return 403
        if before["resourceType"] == "Task" and _breaks_the_lifecycle(seen, before, after):
            return 422
        return 200 if seen.may_become("u", after) else 403

    def _delete(self, seen: Filter, write: Write, target: str) -> int:
        current = self.held.now((write.type, target))
        assert current is not None
        if not seen.sees("d", current):
            return 403 if seen.sees("r", current) else 404
        if current.resource is not None and write.type == "Task" and seen.is_client:
            return 403
        return 204


def _breaks_the_lifecycle(seen: Filter, before: Resource, after: Resource) -> bool:
    """What the states of an assignment forbid: tests of their own say that the table is right."""
    actor = Actor.CLIENT if seen.is_client else Actor.THERAPIST if seen.kind else Actor.SYSTEM
    ours = lifecycle.is_assignment(before) or lifecycle.is_assignment(after)
    return ours and any(lifecycle.faults(before, after, actor))


def _said(resource: Resource) -> str:
    meta = {name: value for name, value in resource.get("meta", {}).items() if name not in ("versionId", "lastUpdated")}
    kept = {name: value for name, value in resource.items() if name != "meta"}
    return json.dumps({**kept, **({"meta": meta} if meta else {})}, sort_keys=True, default=str)


def _merged(held: Any, patch: Any) -> Any:
    """RFC 7396, without nulls."""
    if not isinstance(held, dict) or not isinstance(patch, dict):
        return patch
    return {**held, **{name: _merged(held.get(name), value) for name, value in patch.items()}}
