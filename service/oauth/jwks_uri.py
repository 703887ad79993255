"""The keys that clients publish at their `jwks_uri`, kept as long as they allow.

https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html#registering-a-client-communicating-public-keys
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from schemas import dates
from service import public_web
from service.errors import Unavailable
from service.oauth import jwks
from service.oauth.jwks import BadKeys, Key
from service.public_web import Document, Unreachable

KEPT_MOST: Final = timedelta(minutes=5)
KEPT_UNSAID: Final = timedelta(minutes=1)
AGAIN: Final = timedelta(seconds=10)
"""How long after a fetch neither an unknown `kid` nor a failure leads to another one."""
_URIS_MOST: Final = 1000
_MAX_AGE: Final = re.compile(r'max-age\s*=\s*"?(\d{1,9})')
_log: Final = structlog.get_logger()


class KeysAway(Unavailable):
    """The client's keys have to be fetched; try again."""

    def __init__(self, uri: str) -> None:
        super().__init__(retry_after=1)
        self.uri = uri


@dataclass(frozen=True, slots=True)
class _Held:
    keys: tuple[Key, ...]
    fetched: datetime
    fresh_until: datetime


async def _get(uri: str) -> Document:
    return await public_web.get(uri, jwks.BYTES_MOST)


class KeySource:
    """What one worker has of the clients' key sets."""

    def __init__(
        self, get: Callable[[str], Awaitable[Document]] = _get, clock: Callable[[], datetime] = dates.clock
    ) -> None:
        self._get = get
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def keys(self, uri: str, kid: str, now: datetime) -> tuple[Key, ...]:
        """The keys at `uri` for a request that came `now`, none when they could not be had.

        Raises KeysAway when they have to be fetched, by `load`, and then asked for again with the same `now`. Not here: the
        caller holds a connection to the database, which nobody's slow server may keep.
        """
        held = self._held.get(uri)
        if held is None or now > held.fresh_until:
            raise KeysAway(uri)
        if now > held.fetched + AGAIN and not any(key.kid == kid for key in held.keys):
            raise KeysAway(uri)
        return held.keys

    async def load(self, uri: str) -> None:
        """Fetch the keys at `uri`; of requests that need them at once, one fetches."""
        task = self._under_way.get(uri)
        if task is None:
            task = self._under_way[uri] = asyncio.create_task(self._load(uri))
            task.add_done_callback(lambda _: self._under_way.pop(uri, None))
        await asyncio.shield(task)

    async def _load(self, uri: str) -> None:
        try:
            document = await self._get(uri)
            keys, kept = jwks.parse(document.content.decode()), kept_for(document.cache_control)
        except (Unreachable, BadKeys, UnicodeDecodeError) as fault:
            _log.warning("jwks-uri-fails", uri=uri, reason=str(fault))
            keys, kept = (), AGAIN
        if len(self._held) >= _URIS_MOST:
            self._held.clear()
        # What may not be kept at all is for those who came before it did.
        fetched = self._clock()
        self._held[uri] = _Held(keys, fetched, fetched + kept)


def kept_for(cache_control: str) -> timedelta:
    """How long a key set is kept: never beyond what its server says, and some minutes at most."""
    said = cache_control.lower()
    if "no-store" in said or "no-cache" in said:
        return timedelta()
    match = _MAX_AGE.search(said)
    return KEPT_UNSAID if match is None else min(KEPT_MOST, timedelta(seconds=int(match[1])))


SOURCE: Final = KeySource()
"""This worker's."""
