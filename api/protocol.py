"""HTTP/1.1 as uvicorn speaks it, with a bound on a request's head, refusals in FHIR's words, and an end without cuts.

https://www.rfc-editor.org/rfc/rfc9112
"""

from asyncio import TimerHandle, Transport
from http import HTTPStatus
from typing import Any, Final

from httptools import HttpParserError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.outcomes import refusal_body
from service.errors import BadRequest, HeadTooLarge, HearthError

HEAD_BYTES: Final = 65_536
"""The most that request line and headers may have together; without a bound one request could fill the memory."""
HEAD_SECONDS: Final = 10
"""How long a client may take from its connection, or the first byte of a later request, to the end of the head."""
GRACE_SECONDS: Final = 0.5
"""How long an idle connection stays open after SIGTERM for a request on its way, and one refused for an answer to be read."""
_BESIDE: Final = 4  # ": " and the end of the line


class Http(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head = 0
        self._is_reading_head = False
        self._is_leaving = False
        self._refusal: HearthError | None = None
        self._hurry: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Somebody is there, and has so long to say what for."""
        super().connection_made(transport)
        self._hurry = self.loop.call_later(HEAD_SECONDS, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._be_calm()
        super().connection_lost(exc)

    def _be_calm(self) -> None:
        if self._hurry is not None:
            self._hurry.cancel()
            self._hurry = None

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head that has no end is refused before it is whole."""
        if self._refusal is not None:
            return  # the connection is closing
        super().data_received(data)
        if self._is_reading_head:
            self._hurry = self._hurry or self.loop.call_later(HEAD_SECONDS, self.transport.close)
            self._head += len(data)
            if self._head > HEAD_BYTES and self._refusal is None:
                self._refusal = _too_large()
                self.send_400_response("")

    def on_message_begin(self) -> None:
        """A request starts."""
        self._head, self._is_reading_head = 0, True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole: the application is called."""
        self._is_reading_head = False
        self._be_calm()
        size = len(self.url) + sum(len(name) + len(value) + _BESIDE for name, value in self.headers)
        if size > HEAD_BYTES:
            self._refusal = _too_large()
            raise HttpParserError  # uvicorn then answers by send_400_response
        super().on_headers_complete()
        if self._is_leaving:
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; `msg` is uvicorn's own sentence."""
        self._refusal = self._refusal or BadRequest(
            "This is not HTTP/1.1: the request line, a header or the framing of the body cannot be read",
            code="structure",
            details_code="http-malformed",
        )
        if self.cycle is not None and not self.cycle.response_complete:
            # The application may be at work for a request whose body then broke off: it reads the end of the connection.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.close()
                return
        body = refusal_body(self._refusal)
        status = HTTPStatus(self._refusal.status)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/fhir+json; charset=utf-8\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        # Closed at once, with bytes of the client unread, the connection would be reset and the answer lost.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(GRACE_SECONDS, self.transport.close)

    def shutdown(self) -> None:
        """End with the request under way, or, where there is none, after the grace for one that is on its way.

        uvicorn closes idle connections at once, and so resets the one whose request arrives in that moment.
        """
        self._is_leaving = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
        self.loop.call_later(GRACE_SECONDS, self._leave)

    def _leave(self) -> None:
        is_idle = self.cycle is None or self.cycle.response_complete
        if is_idle and not self.transport.is_closing():
            self.transport.close()


def _too_large() -> HeadTooLarge:
    return HeadTooLarge(f"The request line and headers are longer than {HEAD_BYTES:,} bytes, the most that is read")
