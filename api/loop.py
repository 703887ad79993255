"""The event loop of a worker: one that, before it stops listening, takes everybody whom the system has let in already.

A connection is made by the system and waits in a queue until the program accepts it. Closing the listening socket resets those
who wait, and their requests with them: under load that is a few at every end of a worker. https://man7.org/linux/man-pages/man2/listen.2.html
"""

import os
import socket
from asyncio import Task
from collections.abc import Callable, Iterator
from typing import Any

import uvloop

Factory = Callable[[], Any]


class Loop(uvloop.Loop):
    """uvloop, whose servers close as described."""

    async def create_server(self, protocol_factory: Any, *arguments: Any, **named: Any) -> Any:
        """As asyncio's."""
        return Listening(self, await super().create_server(protocol_factory, *arguments, **named), protocol_factory)


class Listening:
    """A server on sockets; what is not said here it does as uvloop's."""

    def __init__(self, loop: Loop, server: Any, protocol_factory: Factory) -> None:
        self._loop = loop
        self._server = server
        self._factory = protocol_factory
        self._late: set[Task[None]] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def close(self) -> None:
        """Stop listening; whoever waits to be accepted is served, and told that it is the last answer."""
        listeners = [socket.socket(fileno=os.dup(each.fileno())) for each in self._server.sockets]
        self._server.close()
        for listener in listeners:
            with listener:
                late = list(_waiting(listener))
            for connection in late:
                task = self._loop.create_task(self._serve(connection))
                self._late.add(task)
                task.add_done_callback(self._late.discard)

    async def _serve(self, connection: socket.socket) -> None:
        _, protocol = await self._loop.connect_accepted_socket(self._factory, connection)
        protocol.shutdown()


def _waiting(listener: socket.socket) -> Iterator[socket.socket]:
    listener.setblocking(False)
    while True:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return
        except ConnectionAbortedError:  # who waited has left
            continue
        connection.setblocking(False)
        yield connection
