"""The FHIR API as one ASGI application: bytes to a Request, the engine's Reply to bytes.

It has no framework routes: the rows of `service.interactions.routes` say the same in a tenth of the time a request.
https://hl7.org/fhir/R4/http.html
"""

import gzip
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

import msgspec

from api import cors, metrics, negotiation, trace
from api.outcomes import refusal_body
from service import capabilities, logs, query_string
from service.call import Reply
from service.engine import Engine, Request
from service.errors import (
    DEFECT,
    BadRequest,
    HearthError,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from service.interactions.operations import BY_NAME, FHIR_JSON
from service.interactions.routes import Route, is_held, route

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
_UNKNOWN: Final = Route("unknown")
_PREFLIGHT: Final = Route("preflight")


class FhirApi:
    """Answers below one tenant's base, `/fhir` or `/t/{tenant}/fhir`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._limit = engine.settings.request_limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send, tenant: str, base: str, path: str) -> None:
        """One request; `path` is what follows the base."""
        started = time.perf_counter()
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        request_id = trace.request_id(headers.get("x-request-id", ""))
        found, media_type = _UNKNOWN, None
        try:
            if len(headers) < len(scope["headers"]):
                headers = _joined(scope["headers"])
            if cors.is_preflight(scope["method"], headers):
                found, status, content, out = _PREFLIGHT, 204, None, [(b"vary", b"origin")]
            else:
                found = _route(scope["method"], path)
                reply = await self._answer(scope, receive, headers, tenant, base, path, found, request_id)
                status, content, out = reply.status, reply.content, _headers(reply)
                media_type = reply.media_type
        except HearthError as refusal:
            status, content, out = refusal.status, refusal_body(refusal), refusal_headers(refusal)
        except Exception:
            logs.failure(request_id)
            failure = HearthError(DEFECT)
            status, content, out = 500, refusal_body(failure), []
        if "origin" in headers and (shared := await cors.headers(self._engine, tenant, path, headers)):
            out += shared + (cors.allowed(headers) if found is _PREFLIGHT else [])
        content = content if media_type else self._shaped(scope, content)
        await _send(send, scope, status, content, out, request_id, headers, media_type)
        seconds = time.perf_counter() - started
        # What a caller wrote where a type or a tenant stands may be anything: only names of ours are labels and log fields.
        type_name = found.type if found.type is not None and is_held(found.type) else None
        metrics.observe(found.interaction, type_name, status, seconds)
        known = tenant if self._engine.knows(tenant) else None
        logs.request(request_id, known, found.interaction, type_name, status, seconds * 1000)

    async def _answer(
        self,
        scope: Scope,
        receive: Receive,
        headers: dict[str, str],
        tenant: str,
        base: str,
        path: str,
        found: Route,
        request_id: str,
    ) -> Reply:
        query = _query(scope["query_string"])
        params = query_string.parse(query)
        accept = _accept(found, headers.get("accept"), _value(params, "_format"))
        if found.interaction == "capabilities":
            await self._engine.tenant_id(tenant)
            return capabilities.reply(base, params)
        method: str = scope["method"]
        body, media_type = b"", ""
        scheme, token = _token(headers)
        if method in ("POST", "PUT", "PATCH", "DELETE"):
            body = await _body(receive, headers, self._limit if token else 0)
            is_search = found.interaction.startswith("search") or found.interaction == "everything"
            if body:
                media_type = negotiation.media_type(headers.get("content-type"), method, is_search)
            if is_search and method == "POST":
                params, query, body = _searched(params, query, body, media_type)
        client = scope.get("client")
        return await self._engine.answer(
            Request(
                tenant=tenant,
                base=base,
                route=found,
                method=method,
                params=params,
                query=query,
                body=body,
                media_type=media_type,
                scheme=scheme,
                token=token,
                proof=headers.get("dpop"),
                purpose=headers.get("x-purpose-of-use", ""),
                conditions=negotiation.conditions(headers),
                prefer=negotiation.prefer(headers.get("prefer")),
                accept=accept,
                idempotency_key=_idempotency_key(headers),
                request_id=request_id,
                address=client[0] if client else None,
                self_url=f"{base}/{path}" if path else base,
            )
        )

    def _shaped(self, scope: Scope, content: bytes | None) -> bytes | None:
        if content is None or b"_pretty=true" not in scope["query_string"]:
            return content
        return msgspec.json.format(content, indent=2)


def _joined(sent: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers, those sent several times as one list (RFC 9110, 5.3).

    Raises BadRequest for one that is no list: a proxy might heed the one and we the other.
    """
    joined: dict[bytes, bytes] = {}
    for name, value in sent:
        if name in joined and name in _SINGLE:
            raise BadRequest(f"The header {name.decode()} was sent more than once", details_code="header-repeated")
        joined[name] = joined[name] + b", " + value if name in joined else value
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in joined.items()}


def _route(method: str, path: str) -> Route:
    parts = path.split("/") if path else []
    if parts and not parts[-1]:
        parts.pop()
    found = route(method, parts)
    if found is None:
        raise NotFound(
            f"There is nothing at '{path[:200]}'; /metadata lists what is here", details_code="unknown-address"
        )
    if isinstance(found, Route):
        return found
    raise MethodNotAllowed(
        f"{method} is not possible on '{path[:200]}'; {', '.join(found)} {'is' if len(found) == 1 else 'are'}",
        headers=[("Allow", ", ".join(found))],
    )


def _query(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as fault:
        raise BadRequest("The query string is not UTF-8", details_code="query-malformed") from fault


def _value(params: Sequence[tuple[str, str]], name: str) -> str | None:
    return next((value for key, value in params if key == name), None)


def _searched(
    params: tuple[tuple[str, str], ...], query: str, body: bytes, media_type: str
) -> tuple[tuple[tuple[str, str], ...], str, bytes]:
    """A search by POST: the parameters of its form join those of its address."""
    if not body:
        return params, query, b""
    if media_type == "application/x-www-form-urlencoded":
        try:
            form = body.decode()
        except UnicodeDecodeError as fault:
            raise BadRequest("The form is not UTF-8", details_code="query-malformed") from fault
        return params + query_string.parse(form), "&".join(part for part in (query, form) if part), b""
    return params, query, body


def _token(headers: dict[str, str]) -> tuple[str, str | None]:
    """(scheme in lower case, token) of the Authorization header, where it has a token of ours."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    scheme = scheme.lower()
    return (scheme, token.strip() or None) if scheme in ("bearer", "dpop") else ("", None)


def _idempotency_key(headers: dict[str, str]) -> str | None:
    key = headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= 255 and key.isprintable()):
        raise BadRequest("Idempotency-Key is 1 to 255 printable characters", code="value")
    return key


async def _body(receive: Receive, headers: dict[str, str], limit: int) -> bytes:
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


def _headers(reply: Reply) -> Headers:
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


def _accept(found: Route, accept: str | None, wanted: str | None) -> str:
    """The media type to answer in. Raises NotAcceptable."""
    operation = BY_NAME.get(found.interaction)
    if operation is not None:
        return negotiation.chosen(accept, wanted, operation.produces)
    negotiation.require_acceptable(accept, wanted)
    return FHIR_JSON


async def _send(
    send: Send,
    scope: Scope,
    status: int,
    content: bytes | None,
    out: Headers,
    request_id: str,
    headers: dict[str, str],
    media_type: str | None,
) -> None:
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
