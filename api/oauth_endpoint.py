"""What the OAuth endpoints share: body, limits, faults as OAuth's JSON, audit of refusals, CORS for registered origins.

https://www.rfc-editor.org/rfc/rfc6749#section-5.2, https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeVar

from fastapi import Request, Response

from schemas import dates, json
from service import audit
from service.database import Connection
from service.engine import Engine
from service.errors import HearthError
from service.oauth import clients, events, form
from service.oauth.faults import InvalidRequest, OAuthFault, Replayed
from service.oauth.form import OAuthRequest
from service.oauth.jwks_uri import SOURCE, KeysAway
from service.oauth.limits import Kind
from service.oauth.smart import Place

T = TypeVar("T")
BODY_MOST: Final = 65_536
NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
ANY_ORIGIN: Final = {"Access-Control-Allow-Origin": "*"}
_ALLOWED: Final = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP",
    "Access-Control-Max-Age": "600",
}
_EXPOSED: Final = {"Access-Control-Expose-Headers": "WWW-Authenticate, Retry-After", "Vary": "Origin"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to an OAuth endpoint: by whom it is answered, for which tenant, what it says, and when it came.

    `content` is the body as sent; of an endpoint that takes no form it is all there is.
    """

    engine: Engine
    tenant_id: int
    place: Place
    request: OAuthRequest
    now: datetime
    content: bytes = b""

    def audited(
        self,
        kind: str,
        client_id: str | None,
        *,
        fhir_user: str | None = None,
        about: str | None = None,
        outcome: int = audit.SUCCESS,
        description: str = "",
    ) -> None:
        """Keep the AuditEvent of what happened (audit.EVENTS). Raises Unavailable when it cannot be kept."""
        self.engine.spool.append(
            events.event(
                kind,
                tenant_id=self.tenant_id,
                client_id=client_id,
                fhir_user=fhir_user,
                about=about,
                address=self.request.address,
                outcome=outcome,
                now=self.now,
                request_id=self.request.request_id,
                description=description,
            )
        )


Act = Callable[[Connection, Asked], Awaitable[Response]]
Read = Callable[[bytes, str | None], Mapping[str, Any]]


def answer(body: Any, status: int = 200) -> Response:
    """A JSON answer that no cache may keep."""
    return Response(json.encode(body), status, headers=NO_STORE, media_type="application/json")


async def answered(
    engine: Engine,
    request: Request,
    tenant: str,
    kind: Kind,
    act: Act,
    *,
    refused: str = "token-refused",
    read: Read | None = form.parameters,
) -> Response:
    """What `act` answers, within the limits of `kind`; a fault as OAuth's JSON error, with an AuditEvent `refused`.

    `read` makes the parameters of body and media type; without it there are none, and `content` is left to `act`.
    """
    try:
        tenant_id, place = await engine.tenant_id(tenant), Place(engine.settings.base_url, tenant)
        address = request.client.host if request.client else None
        known = OAuthRequest({}, address=address, request_id=request.state.request_id)
        asked = Asked(engine, tenant_id, place, known, dates.clock())
        try:
            response = await _acted(asked, request, kind, act, refused, read)
        except HearthError as refusal:
            response = _refusal(refusal)
        response.headers.update(await _shared_with(engine, request, tenant_id))
    except HearthError as refusal:
        response = _refusal(refusal)
    return response


async def preflight(engine: Engine, request: Request, tenant: str) -> Response:
    """Whether a browser may let a page of the request's `Origin` ask."""
    shared = await _shared_with(engine, request, await engine.tenant_id(tenant))
    return Response(status_code=204, headers={**shared, **(_ALLOWED if len(shared) > 1 else {}), "Vary": "Origin"})


async def with_keys(engine: Engine, tenant_id: int, act: Callable[[Connection], Awaitable[T]]) -> T:
    """What `act` gives on a connection; keys that it misses are fetched while no connection is held, then it acts again."""
    try:
        async with engine.database.connection(tenant_id) as connection:
            return await act(connection)
    except KeysAway as away:
        await SOURCE.load(away.uri)
    async with engine.database.connection(tenant_id) as connection:
        return await act(connection)


async def _acted(asked: Asked, request: Request, kind: Kind, act: Act, refused: str, read: Read | None) -> Response:
    try:
        content = await body(request)
        fields = read(content, request.headers.get("content-type")) if read else {}
        authorization, dpop = _one(request, "authorization"), _one(request, "dpop")
        sent = replace(asked.request, form=fields, authorization=authorization, dpop=dpop)
        asked = replace(asked, content=content, request=sent)
        asked.engine.limits.check(kind, form.client_named(asked.request), asked.request.address, asked.now)
        return await with_keys(asked.engine, asked.tenant_id, lambda connection: act(connection, asked))
    except OAuthFault as fault:
        if isinstance(fault, Replayed):
            asked.audited("token-replayed", fault.client_id, fhir_user=fault.fhir_user, outcome=audit.SERIOUS_FAILURE)
        else:
            client_id = form.client_named(asked.request)
            asked.audited(refused, client_id, outcome=audit.MINOR_FAILURE, description=_told(fault))
        status, told, more = fault()
        response = answer(told, status)
        response.headers.update(dict(more) | NO_STORE)
        return response


def _told(fault: OAuthFault) -> str:
    reason = getattr(fault, "reason", "")
    return f"{fault.error}: {reason}" if reason else str(fault.error)


def _refusal(refusal: HearthError) -> Response:
    error = "temporarily_unavailable" if refusal.status in (429, 503) else "invalid_request"
    response = answer({"error": error, "error_description": str(refusal)}, refusal.status)
    response.headers.update(dict(refusal.headers))
    if refusal.retry_after:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


async def _shared_with(engine: Engine, request: Request, tenant_id: int) -> dict[str, str]:
    """The headers that let a page of a registered origin read the answer."""
    origin = request.headers.get("origin")
    if origin is None:
        return {}
    async with engine.database.connection(tenant_id) as connection:
        is_known = await clients.is_origin(connection, tenant_id, origin)
    return {"Access-Control-Allow-Origin": origin, **_EXPOSED} if is_known else {"Vary": "Origin"}


def _one(request: Request, name: str) -> str | None:
    found = request.headers.getlist(name)
    if len(found) > 1:
        raise InvalidRequest(f"The header {name} was sent more than once")
    return found[0] if found else None


async def body(request: Request) -> bytes:
    """The body, of at most BODY_MOST bytes. Raises InvalidRequest."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_MOST:
            raise InvalidRequest(f"The body is larger than {BODY_MOST:,} bytes")
        chunks.append(chunk)
    return b"".join(chunks)
