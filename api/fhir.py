"""The FHIR API as one ASGI application: bytes to a Request, the engine's Reply to bytes.

It has no framework routes: the rows of `service.interactions.routes` say the same in a tenth of the time a request.
https://hl7.org/fhir/R4/http.html
"""

import time
from collections.abc import Sequence
from typing import Final

import msgspec

from api import cors, message, metrics, negotiation, trace
from api.message import Receive, Scope, Send
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
)
from service.interactions.operations import BY_NAME, FHIR_JSON
from service.interactions.routes import Route, is_held, route

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
                headers = message.joined(scope["headers"])
            if cors.is_preflight(scope["method"], headers):
                found, status, content, out = _PREFLIGHT, 204, None, [(b"vary", b"origin")]
            else:
                found = _route(scope["method"], path)
                reply = await self._answer(scope, receive, headers, tenant, base, path, found, request_id)
                status, content, out = reply.status, reply.content, message.headers(reply)
                media_type = reply.media_type
        except HearthError as refusal:
            status, content, out = refusal.status, refusal_body(refusal), message.refusal_headers(refusal)
        except Exception:
            logs.failure(request_id)
            failure = HearthError(DEFECT)
            status, content, out = 500, refusal_body(failure), []
        if "origin" in headers and (shared := await cors.headers(self._engine, tenant, path, headers)):
            out += shared + (cors.allowed(headers) if found is _PREFLIGHT else [])
        content = content if media_type else self._shaped(scope, content)
        await message.send(send, scope, status, content, out, request_id, headers, media_type)
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
        query = message.query(scope["query_string"])
        params = query_string.parse(query)
        accept = _accept(found, headers.get("accept"), _value(params, "_format"))
        if found.interaction == "capabilities":
            await self._engine.tenant_id(tenant)
            return capabilities.reply(base, params)
        method: str = scope["method"]
        body, media_type = b"", ""
        scheme, token = message.token(headers)
        if method in ("POST", "PUT", "PATCH", "DELETE"):
            body = await message.body(receive, headers, self._limit if token else 0)
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
                idempotency_key=message.idempotency_key(headers),
                request_id=request_id,
                address=client[0] if client else None,
                self_url=f"{base}/{path}" if path else base,
            )
        )

    def _shaped(self, scope: Scope, content: bytes | None) -> bytes | None:
        if content is None or b"_pretty=true" not in scope["query_string"]:
            return content
        return msgspec.json.format(content, indent=2)


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


def _accept(found: Route, accept: str | None, wanted: str | None) -> str:
    """The media type to answer in. Raises NotAcceptable."""
    operation = BY_NAME.get(found.interaction)
    if operation is not None:
        return negotiation.chosen(accept, wanted, operation.produces)
    negotiation.require_acceptable(accept, wanted)
    return FHIR_JSON
