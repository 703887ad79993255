"""Which web origins may call a tenant's FHIR API: those that its clients are registered with.

https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from datetime import datetime, timedelta
from typing import Final

from service.database import Database
from service.oauth import clients

KNOWN: Final = timedelta(seconds=30)
"""How long a worker may go on letting pages of an origin ask whose client was disabled; its tokens ended at once."""


class Origins:
    """What one worker knows of them. Only registered ones are remembered: strangers cannot fill the memory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[int, str], datetime] = {}

    async def knows(self, tenant_id: int, origin: str, now: datetime) -> bool:
        """Whether some client of the tenant is registered to call from `origin`. Raises Unavailable, TooManyRequests."""
        if self._known.get((tenant_id, origin), now) > now:
            return True
        async with self._database.connection(tenant_id) as connection:
            is_known = await clients.is_origin(connection, tenant_id, origin)
        if is_known:
            self._known[tenant_id, origin] = now + KNOWN
        else:
            self._known.pop((tenant_id, origin), None)
        return is_known
