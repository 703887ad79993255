"""Conditional interactions: the one resource that a search finds. https://hl7.org/fhir/R4/http.html#ccreate"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from schemas import tokens
from schemas.registry import REGISTRY
from service import query_string
from service.call import Call
from service.errors import BadRequest, PreconditionFailed
from service.search.find import find
from service.store import Store, Stored

T = TypeVar("T")
_NO_CRITERION: Final = ("_count", "_sort", "_format", "_pretty", "_summary", "_elements")
_LOCK: Final = (
    "insert into conditional_key (tenant_id, type_id, key, taken) values ($1, $2, $3, $4)"
    " on conflict (tenant_id, type_id, key) do update set taken = excluded.taken"
)


def criteria(query: str) -> tuple[tuple[str, str], ...]:
    """The search parameters of a condition. Raises BadRequest for one that would match everything."""
    params = query_string.parse(query.removeprefix("?"))
    if not [name for name, value in params if value and not name.startswith(_NO_CRITERION)]:
        raise BadRequest("A conditional request needs a search parameter with a value", details_code="no-criteria")
    return params


async def match(call: Call, store: Store, query: str) -> Stored | None:
    """The one resource that `query` finds, None when it finds none. Raises PreconditionFailed when it finds more."""
    assert call.type is not None
    found = await find(call, store, call.type, criteria(query), "s", 2)
    if len(found) > 1:
        raise PreconditionFailed(
            f"The condition '{query}' matches more than one {call.type}; make it name exactly one",
            code="multiple-matches",
            details_code="multiple-matches",
        )
    if not found:
        return None
    return await store.read(call.type, found[0].id)


async def alone(call: Call, store: Store, query: str, act: Callable[[], Awaitable[T]]) -> T:
    """`act` in a transaction in which no other request acts on the same condition.

    The row of the key table stays locked until the commit; who waited for it searches with a fresh snapshot and finds what
    the first one made. An advisory lock would do the same, but not across the nodes of a distributed store.
    """
    assert call.type is not None
    condition = "&".join(map("=".join, sorted(criteria(query))))
    key = tokens.token(store.tenant_id, REGISTRY.types[call.type].id, 0, condition)
    async with store.transaction():
        await store.connection.execute(_LOCK, store.tenant_id, REGISTRY.types[call.type].id, key, call.now)
        return await act()
