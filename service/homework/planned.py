"""The changes of one commit: those that were asked for, then what follows from them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fhir_mappings.homework_event import Event
from schemas import ids
from schemas.outcome import Issue
from service.audit import AuditRecord
from service.call import Call
from service.homework import policy as policies
from service.homework.policy import HomeworkPolicy
from service.store import Change, Store, Stored

JsonObject = dict[str, Any]


class Planned:
    """Grows while rules run. `changes` keeps the order: the first `asked` are the caller's, in the caller's order."""

    def __init__(self, asked: Sequence[tuple[Call, Change]], store: Store) -> None:
        self.changes = [change for _, change in asked]
        self._calls = {(change.type, change.id): call for call, change in asked}
        self._places = {(change.type, change.id): at for at, change in enumerate(self.changes)}
        self._store = store
        self._now = asked[0][0].now
        self._policy: HomeworkPolicy | None = None
        self.seen: dict[tuple[str, str], tuple[JsonObject, Stored]] = {}
        """What a rule has read of the store, by type and id, for those after it."""
        self.events: list[Event] = []
        """What the webhooks that listen are told of."""
        self.audits: list[AuditRecord] = []
        """What happened besides the changes and is to be kept with them."""

    def call_of(self, change: Change) -> Call | None:
        """The call that asked for this change; None for what follows from a rule."""
        return self._calls.get((change.type, change.id))

    def of(self, type_name: str) -> list[Change]:
        """The changes of a type as they are planned so far."""
        return [change for change in self.changes if change.type == type_name]

    def resource(self, type_name: str, resource_id: str) -> JsonObject | None:
        """The resource as it is planned, None where no change of it is, or its deletion."""
        at = self._places.get((type_name, resource_id))
        return None if at is None else self.changes[at].resource

    def put(
        self,
        type_name: str,
        resource_id: str,
        resource: JsonObject | None,
        before: Stored | None = None,
        *,
        by_service: bool = True,
    ) -> None:
        """Plan a resource. One that is being written anyway is written once, as it is now said: `before` stays its own.

        Without `by_service` the caller's Grant must allow it.
        """
        at = self._places.get((type_name, resource_id))
        if at is None:
            self._places[type_name, resource_id] = len(self.changes)
            self.changes.append(
                self._store.change(type_name, resource_id, resource, self._now, before, by_service=by_service)
            )
            return
        known = self.changes[at]
        made = self._store.change(
            type_name,
            resource_id,
            resource,
            self._now,
            known.before,
            by_service=known.by_service,
            by_update=known.by_update,
        )
        self.changes[at] = replace(made, notices=known.notices) if known.notices else made

    def note(self, change: Change, issue: Issue) -> None:
        """Have the caller told of something about the change."""
        at = self._places[change.type, change.id]
        known = self.changes[at]
        self.changes[at] = replace(known, notices=(*known.notices, issue))

    async def policy(self) -> HomeworkPolicy:
        """The tenant's policy, at no statement where it was asked for a moment ago."""
        if self._policy is None:
            self._policy = await policies.known(self._store.connection, self._store.tenant_id)
        return self._policy

    def create(self, resource: JsonObject) -> str:
        """Plan a new resource; returns its id."""
        made = str(ids.new(self._now.timestamp()))
        self.put(resource["resourceType"], made, resource)
        return made
