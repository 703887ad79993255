"""Callers: one keep-alive connection each, one request under way on it, the next as soon as the answer is there.

A client this plain costs a tenth of a real one, so that on a small machine the server is what is measured.
https://www.rfc-editor.org/rfc/rfc9112
"""

import asyncio
import re
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from schemas import json

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BODILESS = (204, 304)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; `head` are its bytes down to the empty line."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """One header's value, empty when it is not there."""
        found = re.search(rb"\r\n" + name.encode() + rb": *([^\r]*)", self.head, re.IGNORECASE)
        return found[1].decode() if found else ""

    def json(self) -> Any:
        """The parsed body."""
        return json.decode(self.body)


Script = Generator[bytes, Answer, None]
"""One caller's requests; each may depend on the answer to the one before."""
Workload = Callable[[int], Script]
"""The script of the caller of this number."""


class Connection(asyncio.Protocol):
    """A connection that carries one request at a time."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._answer: asyncio.Future[Answer] | None = None
        self._raw = bytearray()
        self._head = b""
        self._wanted = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._raw += data
        if self._wanted < 0:
            end = self._raw.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head = bytes(self._raw[:end])
            del self._raw[: end + 4]
            length = _LENGTH.search(self._head)
            if length is None and int(self._head[9:12]) not in _BODILESS:
                raise ValueError("an answer without Content-Length")
            self._wanted = int(length[1]) if length else 0
        if len(self._raw) < self._wanted or self._answer is None:
            return
        body = bytes(self._raw[: self._wanted])
        del self._raw[: self._wanted]
        self._wanted = -1
        self._answer.set_result(Answer(int(self._head[9:12]), self._head, body))

    async def ask(self, request: bytes) -> Answer:
        """Send one request and wait for its answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self._transport.close()


async def connect(port: int) -> Connection:
    """A connection to a server on this machine."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


@dataclass(slots=True)
class Outcome:
    """What the callers saw."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    first_error: str = ""
    last: Answer | None = None

    def note(self, answer: Answer, seconds: float) -> None:
        """Keep one answer."""
        self.latencies.append(seconds)
        self.last = answer
        if not 200 <= answer.status < 300:
            self.errors += 1
            self.first_error = self.first_error or f"{answer.status} {answer.body[:500].decode(errors='replace')}"


class Callers:
    """`count` callers of one workload. They keep their connections and their place in the script between two runs."""

    def __init__(self, connections: list[Connection], workload: Workload) -> None:
        self._connections = connections
        self._scripts = [workload(number) for number in range(len(connections))]
        self._next: list[bytes | None] = [next(script, None) for script in self._scripts]

    async def run(self, seconds: float, most: int | None = None) -> Outcome:
        """Ask for `seconds`, or until the scripts end or `most` requests were sent."""
        outcome = Outcome()
        left = [most if most is not None else 1 << 60]
        started = time.perf_counter()
        await asyncio.gather(
            *(self._call(number, started + seconds, left, outcome) for number in range(len(self._connections)))
        )
        outcome.seconds = time.perf_counter() - started
        return outcome

    async def _call(self, number: int, deadline: float, left: list[int], outcome: Outcome) -> None:
        ask, script, clock = self._connections[number].ask, self._scripts[number], time.perf_counter
        request = self._next[number]
        while request is not None and left[0] > 0:
            left[0] -= 1
            started = clock()
            if started >= deadline:
                break
            answer = await ask(request)
            outcome.note(answer, clock() - started)
            try:
                request = script.send(answer)
            except StopIteration:
                request = None
        self._next[number] = request
