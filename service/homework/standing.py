"""Assignments by where they stand, all of a tenant's, page by page: what the service's regular work goes through."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from fhir_mappings.occurrence import OCCURRENCE
from schemas import dates, tokens
from schemas.registry import REGISTRY
from service.index import values
from service.index.rows import reference_key
from service.search.find import Found
from service.store import Store, Stored

_TASK: Final = REGISTRY.types["Task"]
_PAGE: Final = 200
_COLUMNS: Final = "r.id, r.version, r.updated, r.deleted, r.enc, r.content, r.fid, r.d0"
_OF: Final = f"r.tenant_id = $1 and r.type_id = {_TASK.id} and r.k2 = $2 and (r.d0, r.id) > ($3, $4) and not r.deleted"
_NEXT: Final = f"order by r.d0, r.id limit {_PAGE}"
_REQUESTED: Final = reference_key(_TASK.search["based-on"].id, REGISTRY.types["ServiceRequest"].id)
_WINDOW: Final = (
    f"exists (select from resource_range x where x.tenant_id = $1 and x.type_id = {_TASK.id}"
    f" and x.param = {_TASK.search['due'].id} and x.id = r.id and"
)
EVERY: Final = f"select {_COLUMNS} from resource_task r where {_OF} {_NEXT}"  # noqa: S608
HEADS: Final = (
    f"select {_COLUMNS} from resource_task r where {_OF} and r.refk @> array[{_REQUESTED}]"  # noqa: S608
    f" and not r.flt @> array[$5::bigint] {_NEXT}"
)
ENDED: Final = f"select {_COLUMNS} from resource_task r where {_OF} and {_WINDOW} x.hi <= $5::numeric) {_NEXT}"  # noqa: S608
OPENED: Final = f"select {_COLUMNS} from resource_task r where {_OF} and {_WINDOW} x.lo <= $5::numeric) {_NEXT}"  # noqa: S608
"""$1 tenant, $2 status, $3 and $4 behind which place, $5 what the name says: one page in the order of the status's index."""
_SQL: Final[Mapping[str, str]] = MappingProxyType({"every": EVERY, "heads": HEADS, "ended": ENDED, "opened": OPENED})


async def standing(
    store: Store, status: str, which: str = "every", by: datetime | None = None
) -> AsyncIterator[list[Found]]:
    """Pages of the Tasks of this status: `every`, `heads` (of what may be a series), or whose window `ended` or `opened` `by`.

    A Task that leaves the status while pages are read is not met again.
    """
    place: tuple[Any, UUID] = (dates.PAST, UUID(int=0))
    last: list[Any] = [] if which == "every" else [_limit(store, which, by)]
    while True:
        found = await store.connection.fetch(_SQL[which], store.tenant_id, _status(store, status), *place, *last)
        if found:
            yield [Found(Stored("Task", row[0], *row[1:7])) for row in found]
            place = (found[-1][7], found[-1][0])
        if len(found) < _PAGE:
            return


def _limit(store: Store, which: str, by: datetime | None) -> Any:
    if which != "heads":
        return values.micros(by or dates.FUTURE)
    return tokens.token(store.tenant_id, _TASK.id, _TASK.search["identifier"].id, f"{OCCURRENCE}|")


def _status(store: Store, status: str) -> int:
    return tokens.token(store.tenant_id, _TASK.id, _TASK.search["status"].id, f"*|{status}")
