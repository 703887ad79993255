"""OAuth endpoints and discovery, for the default tenant and for each other one. https://hl7.org/fhir/smart-app-launch/STU2.2/"""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api.oauth_endpoint import ANY_ORIGIN, NO_STORE, Asked, answer, answered, preflight
from schemas import dates
from service.database import Connection
from service.engine import Engine
from service.oauth import grants, introspect, register, revoke, smart
from service.oauth.token import TokenRequest
from service.tenants import DEFAULT

_PUBLIC = ANY_ORIGIN | {"Cache-Control": "public, max-age=300"}
_ANY_PAGE = ANY_ORIGIN | {
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "*, Authorization",  # the star does not stand for that one
    "Access-Control-Max-Age": "600",
}
_DISCOVERY = (
    *(
        f"{prefix}/.well-known/{name}"
        for name in ("smart-configuration", "openid-configuration")
        for prefix in ("/fhir", "/t/{tenant}/fhir", "", "/t/{tenant}")
    ),
    "/.well-known/oauth-authorization-server",
    "/t/{tenant}/.well-known/oauth-authorization-server",
    "/.well-known/oauth-authorization-server/t/{tenant}",
)
"""Where clients look: below the FHIR base, below the issuer, and by RFC 8414 (3.1) between host and path of the issuer."""


def router(engine: Engine) -> APIRouter:
    """Token, revocation and SMART configuration, each at the origin's own and at a tenant's address."""
    routes = APIRouter(tags=["oauth"])

    async def issue(request: Request, tenant: str = DEFAULT) -> Response:
        """OAuth 2.0: an access token for a registered client (RFC 6749, 4)."""
        return await answered(engine, request, tenant, "token", _issue)

    async def revoked(request: Request, tenant: str = DEFAULT) -> Response:
        """Revoke an access or refresh token at once (RFC 7009)."""
        return await answered(engine, request, tenant, "introspect", _revoke)

    async def introspected(request: Request, tenant: str = DEFAULT) -> Response:
        """What a token stands for (RFC 7662)."""
        return await answered(engine, request, tenant, "introspect", _introspect)

    async def registered(request: Request, tenant: str = DEFAULT) -> Response:
        """Register a client, by invitation (RFC 7591)."""
        refused = "registration-refused"
        return await answered(engine, request, tenant, "register", _register, refused=refused, read=None)

    async def configuration(tenant: str = DEFAULT) -> Response:
        """Where and how to get a token: one document for SMART, OAuth (RFC 8414) and OpenID Connect."""
        await engine.tenant_id(tenant)
        return JSONResponse(smart.configuration(engine.settings.base_url, tenant), headers=_PUBLIC)

    async def key_set(tenant: str = DEFAULT) -> Response:
        """The public keys that id_tokens are verified by (RFC 7517)."""
        async with engine.database.connection(await engine.tenant_id(tenant)) as connection:
            return JSONResponse(await engine.keys.public(connection, dates.clock()), headers=_PUBLIC)

    async def options(request: Request, tenant: str = DEFAULT) -> Response:
        """Tell a browser whether a page may ask."""
        return await preflight(engine, request, tenant)

    async def for_all(tenant: str = DEFAULT) -> Response:
        """Tell a browser that any page may ask."""
        return Response(status_code=204, headers=_ANY_PAGE)

    def add(path: str, endpoint: Callable[..., Any], method: str, name: str, summary: str) -> None:
        is_told = method != "OPTIONS"  # preflights are between browser and server
        routes.add_api_route(path, endpoint, methods=[method], name=name, summary=summary, include_in_schema=is_told)

    for prefix in ("", "/t/{tenant}"):
        add(f"{prefix}/oauth/token", issue, "POST", "token", "Get an access token")
        add(f"{prefix}/oauth/revoke", revoked, "POST", "revoke", "Revoke a token")
        add(f"{prefix}/oauth/introspect", introspected, "POST", "introspect", "Ask what a token stands for")
        add(f"{prefix}/oauth/register", registered, "POST", "register", "Register a client")
        for name in ("token", "revoke", "introspect", "register", "par"):
            add(f"{prefix}/oauth/{name}", options, "OPTIONS", "preflight", "Whether a page may ask")
        add(f"{prefix}/oauth/jwks", key_set, "GET", "jwks", "The keys of id_tokens")
        add(f"{prefix}/oauth/jwks", for_all, "OPTIONS", "preflight", "Whether a page may ask")
    for path in _DISCOVERY:
        name = path.partition(".well-known/")[2].partition("/")[0]
        add(path, configuration, "GET", name, "How to get an access token")
        add(path, for_all, "OPTIONS", "preflight", "Whether a page may ask")
    return routes


async def _issue(connection: Connection, asked: Asked) -> Response:
    engine = asked.engine
    given = TokenRequest(asked.tenant_id, asked.request, asked.place, asked.now, engine.settings, engine.keys)
    answered = await grants.issue(connection, given)
    access = answered.access
    asked.audited("token-issued", access.client_id, fhir_user=access.fhir_user, description=access.scope)
    return answer(answered.body)


async def _revoke(connection: Connection, asked: Asked) -> Response:
    client = await revoke.revoke(connection, asked.tenant_id, asked.request, asked.place, asked.now)
    asked.audited("token-revoked", client.client_id)
    return Response(status_code=200, headers=NO_STORE)


async def _introspect(connection: Connection, asked: Asked) -> Response:
    asker, told = await introspect.introspect(connection, asked.tenant_id, asked.request, asked.place, asked.now)
    asked.audited("token-introspected", asker, description="active" if told["active"] else "inactive")
    return answer(told)


async def _register(connection: Connection, asked: Asked) -> Response:
    told = await register.register(
        connection,
        asked.tenant_id,
        asked.request,
        asked.content,
        asked.place.endpoints["register"],
        asked.now,
        loopback_keys=asked.engine.settings.allow_loopback_jwks,
    )
    asked.audited("client-registered", told["client_id"], description=told["scope"])
    return answer(told, 201)
