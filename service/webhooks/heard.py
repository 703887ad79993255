"""Which events anybody listens to in a tenant, remembered for some seconds: most tenants have no webhook, and pay nothing."""

from time import monotonic
from typing import Final
from weakref import WeakKeyDictionary

from service.search.page import Pages
from service.store import Store

HEARD: Final = "select distinct unnest(events) from webhook where tenant_id = $1 and disabled is null"
SECONDS: Final = 10.0
"""Within this time every process knows of a webhook that another one registered."""
_KNOWN: Final[WeakKeyDictionary[Pages, dict[int, tuple[float, frozenset[str]]]]] = WeakKeyDictionary()
"""By the engine's pages, of which there is one a database, and tenant: until when it is good, and what is listened to."""
_MOST: Final = 10_000


async def events(store: Store) -> frozenset[str]:
    """The events that somebody listens to."""
    known = _KNOWN.setdefault(store.pages, {})
    until, found = known.get(store.tenant_id, (0.0, frozenset[str]()))
    if until < monotonic():
        if len(known) >= _MOST:
            known.clear()
        found = frozenset(row[0] for row in await store.connection.fetch(HEARD, store.tenant_id))
        known[store.tenant_id] = (monotonic() + SECONDS, found)
    return found


def forget(tenant_id: int) -> None:
    """Have this process ask anew."""
    for known in _KNOWN.values():
        known.pop(tenant_id, None)
