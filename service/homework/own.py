"""Writes of the service itself: what its jobs do outside of any request, with the same rules and records."""

from collections.abc import Sequence

from service.call import Call, Reply
from service.interactions.plan import Plan, commit
from service.store import Change, Store


async def write(call: Call, store: Store, changes: Sequence[Change]) -> list[Change]:
    """Write the changes in one transaction. Raises VersionConflict when somebody else was faster."""
    return await commit([Plan(call, Reply(200), change) for change in changes], store)
