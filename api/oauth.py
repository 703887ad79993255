"""OAuth endpoints and discovery, for the default tenant and for each other one. https://hl7.org/fhir/smart-app-launch/STU2.2/"""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from schemas import dates, json
from service.engine import Engine
from service.errors import HearthError
from service.oauth import form, revoke, smart, token
from service.oauth.faults import InvalidRequest, OAuthFault
from service.tenants import DEFAULT

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_OPEN = {"Access-Control-Allow-Origin": "*"}
_BODY_MOST = 65_536


def router(engine: Engine) -> APIRouter:
    """Token, revocation and SMART configuration, each at the origin's own and at a tenant's address."""
    routes = APIRouter(tags=["oauth"])

    async def issue(request: Request, tenant: str = DEFAULT) -> Response:
        """OAuth 2.0 client credentials: an access token for a registered client (RFC 6749, 4.4)."""
        return await _answered(engine, request, tenant, _issue)

    async def revoked(request: Request, tenant: str = DEFAULT) -> Response:
        """Revoke an access token at once (RFC 7009)."""
        return await _answered(engine, request, tenant, _revoke)

    async def configuration(tenant: str = DEFAULT) -> Response:
        """The SMART configuration of a FHIR base."""
        await engine.tenant_id(tenant)
        return JSONResponse(smart.configuration(engine.settings.base_url, tenant), headers=_OPEN)

    def add(path: str, endpoint: Callable[..., Any], method: str, name: str, summary: str) -> None:
        routes.add_api_route(path, endpoint, methods=[method], name=name, summary=summary)

    for prefix in ("", "/t/{tenant}"):
        add(f"{prefix}/oauth/token", issue, "POST", "token", "Get an access token")
        add(f"{prefix}/oauth/revoke", revoked, "POST", "revoke", "Revoke an access token")
    for prefix in ("/fhir", "/t/{tenant}/fhir", ""):
        address = f"{prefix}/.well-known/smart-configuration"
        add(address, configuration, "GET", "smart-configuration", "How to get an access token")
    return routes


async def _issue(engine: Engine, tenant_id: int, asked: form.OAuthRequest) -> Response:
    async with engine.database.connection(tenant_id) as connection:
        answer = await token.issue(connection, tenant_id, asked, dates.clock(), engine.settings.access_token_seconds)
    body = {
        "access_token": answer.access_token,
        "token_type": answer.token_type,
        "expires_in": answer.expires_in,
        "scope": answer.scope,
    }
    return Response(json.encode(body), media_type="application/json", headers=_NO_STORE)


async def _revoke(engine: Engine, tenant_id: int, asked: form.OAuthRequest) -> Response:
    async with engine.database.connection(tenant_id) as connection:
        await revoke.revoke(connection, tenant_id, asked, dates.clock())
    return Response(status_code=200, headers=_NO_STORE)


async def _answered(engine: Engine, request: Request, tenant: str, act: Any) -> Response:
    """What `act` answers; faults as OAuth's JSON errors, which is what OAuth clients read (RFC 6749, 5.2)."""
    try:
        tenant_id = await engine.tenant_id(tenant)
        body = await _body(request)
        asked = form.read(body, request.headers.get("content-type"), request.headers.get("authorization"))
        answered: Response = await act(engine, tenant_id, asked)
        return answered
    except OAuthFault as fault:
        status, content, headers = fault()
        return Response(json.encode(content), status, headers=dict(headers) | _NO_STORE, media_type="application/json")
    except HearthError as refusal:
        error = "temporarily_unavailable" if refusal.status in (429, 503) else "invalid_request"
        content = {"error": error, "error_description": str(refusal)}
        retry = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else {}
        return Response(json.encode(content), refusal.status, headers=_NO_STORE | retry, media_type="application/json")


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _BODY_MOST:
            raise InvalidRequest(f"The body is larger than {_BODY_MOST:,} bytes")
        chunks.append(chunk)
    return b"".join(chunks)
