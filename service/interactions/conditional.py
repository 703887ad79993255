"""Conditional interactions: the one resource that a search finds. https://hl7.org/fhir/R4/http.html#ccreate"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

from schemas import tokens
from schemas.registry import REGISTRY
from service import query_string
from service.call import Call
from service.errors import BadRequest, PreconditionFailed
from service.search.find import find
from service.store import Store, Stored

T = TypeVar("T")
Criteria: TypeAlias = tuple[tuple[str, str], ...]
"""Search parameters, decoded, in order."""
_NO_CRITERION: Final = ("_count", "_sort", "_format", "_pretty", "_summary", "_elements")
_HOLD: Final = (
    "insert into conditional_key (tenant_id, type_id, key, taken)"
    " select $1, t, k, $4 from unnest($2::int[], $3::bigint[]) as wanted (t, k) order by t, k"
    " on conflict (tenant_id, type_id, key) do update set taken = excluded.taken"
)


def criteria(query: str) -> Criteria:
    """The search that a query string, such as If-None-Exist, holds. Raises BadRequest as `required` does."""
    return required(query_string.parse(query.removeprefix("?")))


def required(params: Criteria) -> Criteria:
    """`params`. Raises BadRequest when nothing in them narrows the search, so that it would match everything."""
    if not [name for name, value in params if value and not name.startswith(_NO_CRITERION)]:
        raise BadRequest("A conditional request needs a search parameter with a value", details_code="no-criteria")
    return params


async def match(call: Call, store: Store, wanted: Criteria) -> Stored | None:
    """The one resource that `wanted` finds, None when it finds none. Raises PreconditionFailed when it finds more.

    Raises Forbidden for who may not search: their condition would find nothing, and each request make another resource.
    """
    assert call.type is not None
    call.grant.require("s", call.type)
    found = await find(call, store, call.type, wanted, "s", 2)
    if len(found) > 1:
        raise PreconditionFailed(
            f"The condition matches more than one {call.type}; make it name exactly one",
            code="multiple-matches",
            details_code="multiple-matches",
        )
    return found[0].stored if found else None


async def alone(call: Call, store: Store, wanted: Criteria, act: Callable[[], Awaitable[T]]) -> T:
    """`act` in a transaction in which no other request acts on the same condition."""
    async with store.transaction():
        await hold(store, call.now, [(str(call.type), wanted)])
        return await act()


async def hold(store: Store, now: datetime, conditions: Iterable[tuple[str, Criteria]]) -> None:
    """Keep these conditions, each with its type, from other requests until the transaction ends.

    The rows of the key table stay locked until the commit; who waited for one searches with a fresh snapshot and finds what
    the first one made. An advisory lock would do the same, but not across the nodes of a distributed store. They are locked
    in one order, so that two requests never wait for each other.
    """
    keys = {(REGISTRY.types[name].id, _key(store, name, wanted)) for name, wanted in conditions}
    types, numbers = zip(*sorted(keys), strict=True)
    await store.connection.execute(_HOLD, store.tenant_id, types, numbers, now)


def _key(store: Store, type_name: str, wanted: Criteria) -> int:
    condition = "&".join(map("=".join, sorted(wanted)))
    return tokens.token(store.tenant_id, REGISTRY.types[type_name].id, 0, condition)
