"""The service's own authority: how rules look up what a write belongs to. What it finds is never shown to a caller."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from service.call import Call
from service.grant import Grant, Rule
from service.search.find import Found, find
from service.store import Store

_EVERYTHING: Final = (Rule("*", frozenset("cruds")),)
SERVICE: Final = Grant("hearth", _EVERYTHING, "hearth")
"""All of a tenant."""


@lru_cache(maxsize=256)
def under_labels(hidden: tuple[str, ...]) -> Grant:
    """The authority where the caller learns what was found: scopes do not limit it, the caller's labels do."""
    return Grant("hearth", _EVERYTHING, "hearth", hidden)


async def found(call: Call, store: Store, type_name: str, params: Sequence[tuple[str, str]], limit: int) -> list[Found]:
    """At most `limit` resources of the tenant that `params` find."""
    return await find(replace(call, grant=SERVICE), store, type_name, tuple(params), "s", limit)
