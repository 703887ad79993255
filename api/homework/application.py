"""The homework API as one ASGI application: bytes to a Request, the Reply to bytes. Docs: docs/homework-api.md."""

import time
from functools import cache
from typing import Any, Final

from api import cors, message, metrics, negotiation, trace
from api.homework import document, problems
from api.message import Receive, Scope, Send
from schemas import json
from service import logs, query_string
from service.call import Reply
from service.engine import ACT, Engine, Request
from service.errors import DEFECT, HearthError, MethodNotAllowed, NotAcceptable, NotFound, UnsupportedMediaType
from service.homework_api.endpoint import carried_out
from service.homework_api.routes import Asked, route

_DOCUMENT: Final = "openapi.json"
_UNKNOWN: Final = "homework-unknown"
_PREFLIGHT: Final = "homework-preflight"
_JSON: Final = ("application/json", "application/problem+json", "application/*", "*/*")
_WRITES: Final = ("POST", "PUT", "PATCH", "DELETE")


class HomeworkApi:
    """Answers below one tenant's base, `/api/v1` or `/t/{tenant}/api/v1`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._limit = engine.settings.request_limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send, tenant: str, base: str, path: str) -> None:
        """One request; `base` is the tenant's FHIR base, `path` what follows `/api/v1/`."""
        started = time.perf_counter()
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        request_id = trace.request_id(headers.get("x-request-id", ""))
        name, media_type = _UNKNOWN, problems.MEDIA_TYPE
        try:
            if len(headers) < len(scope["headers"]):
                headers = message.joined(scope["headers"])
            if cors.is_preflight(scope["method"], headers):
                name, status, content, out = _PREFLIGHT, 204, None, [(b"vary", b"origin")]
            else:
                if path == _DOCUMENT:
                    name, reply = "homework-openapi", await self._document(tenant, scope["method"])
                else:
                    asked = _asked(scope["method"], path)
                    name = f"homework-{asked.endpoint.name}"
                    reply = await self._answer(scope, receive, headers, tenant, base, asked, request_id)
                status, content, out = reply.status, reply.content, message.headers(reply)
                media_type = reply.media_type or "application/json"
        except HearthError as refusal:
            status, content = refusal.status, problems.problem(refusal, request_id)
            out = message.refusal_headers(refusal)
        except Exception:
            logs.failure(request_id)
            status, content, out = 500, problems.problem(HearthError(DEFECT), request_id), []
        if "origin" in headers and (shared := await cors.headers(self._engine, tenant, path, headers)):
            out += shared + (cors.allowed(headers) if name is _PREFLIGHT else [])
        await message.send(send, scope, status, content, out, request_id, headers, media_type)
        seconds = time.perf_counter() - started
        metrics.observe(name, None, status, seconds)
        known = tenant if self._engine.knows(tenant) else None
        logs.request(request_id, known, name, None, status, seconds * 1000)

    async def _document(self, tenant: str, method: str) -> Reply:
        """The OpenAPI document, which anybody may read."""
        if method not in ("GET", "HEAD"):
            raise MethodNotAllowed("The document is only read", headers=[("Allow", "GET, HEAD")])
        await self._engine.tenant_id(tenant)
        return Reply(200, _encoded())

    async def _answer(
        self,
        scope: Scope,
        receive: Receive,
        headers: dict[str, str],
        tenant: str,
        base: str,
        asked: Asked,
        request_id: str,
    ) -> Reply:
        query = message.query(scope["query_string"])
        _require_acceptable(headers.get("accept"), asked.endpoint.media_type)
        method: str = scope["method"]
        scheme, token = message.token(headers)
        body = await message.body(receive, headers, self._limit if token else 0) if method in _WRITES else b""
        if body:
            _require_json(headers.get("content-type"))
        client = scope.get("client")
        request = Request(
            tenant=tenant,
            base=base,
            route=ACT,
            method=method,
            params=query_string.parse(query),
            query=query,
            body=body,
            scheme=scheme,
            token=token,
            proof=headers.get("dpop"),
            purpose=headers.get("x-purpose-of-use", ""),
            conditions=negotiation.conditions(headers),
            idempotency_key=message.idempotency_key(headers),
            request_id=request_id,
            address=client[0] if client else None,
            self_url=f"{self._engine.settings.base_url}{scope['path']}",
        )
        return await self._engine.answer(request, carried_out(asked.endpoint, asked.ids, self._engine.settings))


@cache
def _encoded() -> bytes:
    return json.encode(document.document())


def _asked(method: str, path: str) -> Asked:
    parts = path.split("/")
    if parts and not parts[-1]:
        parts.pop()
    found = route(method, parts)
    if found is None:
        raise NotFound(
            f"There is nothing at '{path[:200]}'; docs/homework-api.md lists what is here",
            details_code="unknown-address",
        )
    if isinstance(found, Asked):
        return found
    raise MethodNotAllowed(
        f"{method} is not possible on '{path[:200]}'; {', '.join(found)} {'is' if len(found) == 1 else 'are'}",
        headers=[("Allow", ", ".join(found))],
    )


def _require_acceptable(accept: str | None, media_type: str) -> None:
    if not accept:
        return
    ranges: list[Any] = [each.partition(";")[0].strip().lower() for each in accept.split(",")]
    if not any(each in (*_JSON, media_type) for each in ranges):
        raise NotAcceptable(f"None of '{accept[:128]}' is served; this answers in {media_type}")


def _require_json(content_type: str | None) -> None:
    name = (content_type or "").partition(";")[0].strip().lower()
    if name != "application/json":
        raise UnsupportedMediaType("Send the body as application/json")
