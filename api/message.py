"""HTTP messages to values and back, for everything that is answered without a framework. https://www.rfc-editor.org/rfc/rfc9110"""

import gzip
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

from api import negotiation
from service.call import Reply
from service.errors import BadRequest, HearthError, PayloadTooLarge, UnsupportedMediaType

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_GZIP_FROM: Final = 1024
_PACKED: Final = frozenset(("application/pdf", "image/png"))
_PASSED_BY: Final = 1 << 26
_SINGLE: Final = (
    b"authorization",
    b"dpop",
    b"x-purpose-of-use",
    b"content-type",
    b"if-match",
    b"if-none-match",
    b"if-none-exist",
    b"idempotency-key",
)
_COMMON: Final[Headers] = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"private, no-cache")]


def joined(sent: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers, those sent several times as one list (RFC 9110, 5.3).

    Raises BadRequest for one that is no list: a proxy might heed the one and we the other.
    """
    joined: dict[bytes, bytes] = {}
    for name, value in sent:
        if name in joined and name in _SINGLE:
            raise BadRequest(f"The header {name.decode()} was sent more than once", details_code="header-repeated")
        joined[name] = joined[name] + b", " + value if name in joined else value
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in joined.items()}


def query(raw: bytes) -> str:
    """The query string as text. Raises BadRequest."""
    try:
        return raw.decode()
    except UnicodeDecodeError as fault:
        raise BadRequest("The query string is not UTF-8", details_code="query-malformed") from fault


def token(headers: dict[str, str]) -> tuple[str, str | None]:
    """(scheme in lower case, token) of the Authorization header, where it has a token of ours."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    scheme = scheme.lower()
    return (scheme, token.strip() or None) if scheme in ("bearer", "dpop") else ("", None)


def idempotency_key(headers: dict[str, str]) -> str | None:
    """The Idempotency-Key header. Raises BadRequest."""
    key = headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= 255 and key.isprintable()):
        raise BadRequest("Idempotency-Key is 1 to 255 printable characters", code="value")
    return key


async def body(receive: Receive, headers: dict[str, str], limit: int) -> bytes:
    """The whole body, of at most `limit` bytes; with a limit of 0 it is read past, for a caller who is refused anyway."""
    if headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMediaType("Content-Encoding is not read on requests; send the body as it is")
    length = headers.get("content-length", "0")
    if not limit or (length.isdecimal() and int(length) > limit):
        await _pass_by(receive, headers)
        if not limit:
            return b""
        raise _too_large(limit)
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("The connection closed before the body was complete", details_code="body-incomplete")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        more = message.get("more_body", False)
        if size > limit:
            if more:
                await _pass_by(receive, headers)
            raise _too_large(limit)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _pass_by(receive: Receive, headers: dict[str, str]) -> None:
    """Let the client send the rest, to a point: who is cut off while sending never reads the answer.

    Who asked first, by Expect: 100-continue, is answered at once.
    """
    size = 0
    while headers.get("expect") is None and size < _PASSED_BY:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            return


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"The body is larger than {limit:,} bytes, the most that is read", headers=[("Connection", "close")]
    )


def headers(reply: Reply) -> Headers:
    """The headers that a reply asks for."""
    out: Headers = []
    if reply.version is not None:
        out.append((b"etag", b'W/"%d"' % reply.version))
    if reply.updated is not None:
        out.append((b"last-modified", negotiation.http_date(reply.updated.replace(microsecond=0))))
    if reply.location is not None and reply.status in (200, 201):
        out.append((b"location", reply.location.encode()))
    out += [(name.lower().encode(), value.encode()) for name, value in reply.headers]
    return out


def refusal_headers(refusal: HearthError) -> Headers:
    """The headers of a refusal: its own, and Retry-After where trying again helps."""
    out = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in refusal.headers]
    if refusal.retry_after is not None:
        out.append((b"retry-after", str(refusal.retry_after).encode()))
    return out


async def send(
    send: Send,
    scope: Scope,
    status: int,
    content: bytes | None,
    out: Headers,
    request_id: str,
    headers: dict[str, str],
    media_type: str | None,
) -> None:
    """The whole answer; `out` are its own headers, `headers` the request's. Without a media type it is FHIR JSON."""
    out += _COMMON
    out.append((b"x-request-id", request_id.encode()))
    body = content or b""
    if content is not None:
        out.append((b"content-type", media_type.encode() if media_type else negotiation.CONTENT_TYPE))
        out.append((b"vary", b"accept, accept-encoding, authorization, origin, prefer"))
        if (
            len(body) >= _GZIP_FROM
            and media_type not in _PACKED
            and negotiation.takes_gzip(headers.get("accept-encoding"))
        ):
            body = gzip.compress(body, compresslevel=3, mtime=0)
            out.append((b"content-encoding", b"gzip"))
    if status not in (204, 304):
        out.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": out})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
