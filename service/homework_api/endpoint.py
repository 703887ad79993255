"""One address of the homework API as data, and the act that it asks for. Docs: docs/homework-api.md, "Reference"."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from schemas.homework.queries import Nothing
from service.call import Call, Reply
from service.homework_api import sent
from service.homework_api.ask import Ask
from service.settings import Settings
from service.store import Store

Act = Callable[[Ask], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What `method` on `path` does, and what it takes and gives.

    `scopes` are what the token needs for it, as type and letters (`Task.u`); `more` what it needs for parts of the body that
    may be left out. `gives` is the model of the answer, of a list
    that of its items; None where there is none (204). `takes` is the model of the body; one that may be left out is
    `optional`.
    """

    method: str
    path: str
    act: Act
    summary: str
    scopes: tuple[str, ...]
    gives: Any = None
    takes: type[BaseModel] | None = None
    query: type[BaseModel] = Nothing
    status: int = 200
    optional: bool = False
    listing: bool = False
    conditional: bool = False
    """Whether it changes a version, so that a client sends If-Match."""
    more: tuple[str, ...] = ()
    description: str = ""
    media_type: str = "application/json"

    @property
    def tag(self) -> str:
        """The kind of object that it is about."""
        return self.path.partition("/")[0]

    @property
    def name(self) -> str:
        """A name for logs, figures and documents: `get-assignments-id-answers`."""
        parts = (part.strip("{}") for part in self.path.split("/"))
        return "-".join((self.method.lower(), *parts))


def carried_out(
    endpoint: Endpoint, ids: Mapping[str, str], settings: Settings
) -> Callable[[Call, Store], Awaitable[Reply]]:
    """The act of a request to the endpoint; `ids` are those in its address."""

    async def act(call: Call, store: Store) -> Reply:
        for each in endpoint.scopes:
            type_name, _, letters = each.partition(".")
            for letter in letters:
                call.grant.require(letter, type_name)
        query = sent.parameters(endpoint.query, call.params)
        body = None
        if endpoint.takes is not None:
            absent = call.body is None and endpoint.optional
            body = sent.body(endpoint.takes, {} if absent else call.body)
        reply = await endpoint.act(Ask(call, store, ids, settings, query, body))
        held = call.conditions.if_none_match
        if endpoint.method == "GET" and reply.version is not None and held in ("*", str(reply.version)):
            return replace(reply, status=304, content=None)
        return reply

    return act
