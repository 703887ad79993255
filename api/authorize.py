"""The authorization endpoint, pushed requests and launch handles. https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request, Response

from api import oauth_endpoint
from api.oauth_endpoint import ANY_ORIGIN, Asked, answer
from api.pages import render
from api.pages.fault import fault_page
from api.pages.render import Look
from schemas import dates, words
from schemas import launch as launches
from service import audit
from service import grant as grants
from service.database import Connection
from service.engine import Engine
from service.errors import HearthError, NotFound
from service.oauth import authorize, bearer, client_auth, context, events, launch, par, secret
from service.oauth.asked import Asked as Underway
from service.oauth.faults import InvalidRequest
from service.oauth.form import FIELDS_MAX, MEDIA_TYPE
from service.oauth.parameters import PageFault, RedirectFault
from service.oauth.smart import Place
from service.people import accounts, cookies, policy, sessions
from service.tenants import DEFAULT

_BROWSER: Final = re.compile(r"[A-Za-z0-9_\-]{43}")
_FOREVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}


def router(engine: Engine) -> APIRouter:
    """Authorization, pushed requests, launches and the style of launches, at the origin's and at a tenant's address."""
    routes = APIRouter(tags=["oauth"])

    async def asked(request: Request, tenant: str = DEFAULT) -> Response:
        """Begin to connect an app: a person signs in, chooses and consents; the app gets a code (RFC 6749, 4.1.1)."""
        return await _begun(engine, request, tenant)

    async def pushed(request: Request, tenant: str = DEFAULT) -> Response:
        """Push an authorization request by a direct way (RFC 9126)."""
        return await oauth_endpoint.answered(engine, request, tenant, "par", _push, refused="authorization-refused")

    async def launched(request: Request, tenant: str = DEFAULT) -> Response:
        """Make a launch handle, for an EHR that opens an app on a patient."""
        return await oauth_endpoint.answered(
            engine, request, tenant, "token", _launch, refused="authorization-refused", read=_json
        )

    async def style(version: str, tenant: str = DEFAULT) -> Response:
        """How Hearth looks, for apps that want to look alike (smart_style_url)."""
        await engine.tenant_id(tenant)
        if version != context.STYLE_VERSION:
            raise NotFound("This style is not of this release; a launch says where the present one is")
        return Response(context.STYLE_JSON, media_type="application/json", headers=ANY_ORIGIN | _FOREVER)

    def add(path: str, endpoint: Callable[..., Any], method: str, name: str, summary: str) -> None:
        for prefix in ("", "/t/{tenant}"):
            routes.add_api_route(f"{prefix}{path}", endpoint, methods=[method], name=name, summary=summary)

    add("/oauth/authorize", asked, "GET", "authorize", "Connect an app")
    add("/oauth/authorize", asked, "POST", "authorize", "Connect an app, by form")
    add("/oauth/par", pushed, "POST", "par", "Push an authorization request")
    add("/oauth/launch", launched, "POST", "launch", "Make a launch handle")
    add("/smart-style/{version}.json", style, "GET", "smart-style", "How Hearth looks")
    return routes


def handle_of(request: Request, place: Place, ask: str) -> str:
    """The whole handle of a request under way: the half in the page's address or form, and that of the browser."""
    return authorize.bound(ask, _browser(request, place))


async def _begun(engine: Engine, request: Request, tenant: str) -> Response:
    """The way to the person's first page; a refusal goes to the app, or stays on a page where that is not sure."""
    tenant_id, now = await engine.tenant_id(tenant), dates.clock()
    place = Place(engine.settings.base_url, tenant)
    address = request.client.host if request.client else None
    params: Mapping[str, str] = {}
    browser = _browser(request, place) or secret.new()
    try:
        params, repeated = _once(await _pairs(request))
        engine.limits.check("authorize", params.get("client_id"), address, now)
        async with engine.database.connection(tenant_id) as connection:
            handle, asked = await authorize.begin(connection, tenant_id, place, params, now, browser, repeated)
            if asked.silent:
                whole = authorize.bound(handle, browser)
                return render.elsewhere(await _silent(engine, request, connection, tenant_id, whole, asked, now))
    except (PageFault, RedirectFault) as fault:
        engine.spool.append(
            events.event(
                "authorization-refused",
                tenant_id=tenant_id,
                client_id=params.get("client_id"),
                address=address,
                outcome=audit.MINOR_FAILURE,
                now=now,
                request_id=request.state.request_id,
                description=fault.error,
            )
        )
        return render.elsewhere(fault.location) if isinstance(fault, RedirectFault) else _page(request, place, fault)
    except HearthError as refusal:
        return _page(request, place, refusal)
    response = render.elsewhere(f"{place.issuer}/sign-in?{urlencode({'ask': handle})}")
    response.headers.append("Set-Cookie", cookies.cookie(place, cookies.BROWSER).set(browser))
    return response


async def _silent(
    engine: Engine,
    request: Request,
    connection: Connection,
    tenant_id: int,
    handle: str,
    asked: Underway,
    now: datetime,
) -> str:
    """The answer to prompt=none, by the session that the browser has. Raises RedirectFault."""
    value = request.cookies.get(cookies.cookie(asked.place, cookies.SESSION).name)
    session = await sessions.find(connection, tenant_id, value, now)
    account = None if session is None else await accounts.find(connection, tenant_id, session.account_id)
    if account is not None and session is not None and policy.step(account, session, engine.settings.second_factor):
        account = None
    return await authorize.silent(connection, tenant_id, handle, asked, account, session, now)


def _browser(request: Request, place: Place) -> str:
    """The browser's half of handles, empty where it has none that we made."""
    given = request.cookies.get(cookies.cookie(place, cookies.BROWSER).name, "")
    return given if _BROWSER.fullmatch(given) else ""


async def _push(connection: Connection, asked: Asked) -> Response:
    client = await client_auth.authenticate(connection, asked.tenant_id, asked.request, asked.place, asked.now)
    client_auth.require_grant(client, "authorization_code")
    made = await par.push(connection, asked.tenant_id, asked.place, client, asked.request.form, asked.now)
    return answer({"request_uri": made.request_uri, "expires_in": made.expires_in}, 201)


async def _launch(connection: Connection, asked: Asked) -> Response:
    url = asked.place.endpoints["launch"]
    access = await bearer.require(connection, asked.tenant_id, asked.request, url, launch.SCOPE, asked.now)
    try:
        wanted = launches.read(asked.request.form["json"].encode())
    except launches.LaunchFault as fault:
        raise InvalidRequest(str(fault)) from None
    grant = grants.of(access, asked.tenant_id)
    made = await launch.make(connection, asked.tenant_id, asked.place, grant, wanted, asked.now)
    asked.audited("launch-created", access.client_id, fhir_user=wanted.user, about=wanted.patient)
    body = {"launch": made.launch, "expires_in": made.expires_in, "launch_url": made.launch_url}
    return answer({name: value for name, value in body.items() if value is not None}, 201)


def _json(body: bytes, media_type: str | None) -> Mapping[str, str]:
    if (media_type or "").partition(";")[0].strip().lower() != "application/json":
        raise InvalidRequest("Send the launch in the body as application/json")
    return {"json": body.decode("utf-8", "replace")}


def _once(pairs: Sequence[tuple[str, str]]) -> tuple[Mapping[str, str], frozenset[str]]:
    """The parameters, and the names of those that were sent more than once."""
    counted = Counter(name for name, _ in pairs)
    return dict(pairs), frozenset(name for name, times in counted.items() if times > 1)


async def _pairs(request: Request) -> list[tuple[str, str]]:
    """What stands in the address and, by POST, in the form; empty values count as left out (RFC 6749, 3.1)."""
    texts = [request.scope["query_string"]]
    if request.method == "POST":
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
            raise PageFault(f"The app did not send its request as {MEDIA_TYPE}", 415)
        try:
            texts.append(await oauth_endpoint.body(request))
        except InvalidRequest as fault:
            raise PageFault(fault.description, 413) from None
    try:
        return [pair for text in texts for pair in parse_qsl(text.decode(), errors="strict", max_num_fields=FIELDS_MAX)]
    except ValueError:
        raise PageFault("The app sent a request that is not a form in UTF-8, or has too many parameters") from None


def _page(request: Request, place: Place, fault: Exception) -> Response:
    look = Look(place, words.preferred(request.headers.get("accept-language", "")))
    return fault_page(look, fault, request.state.request_id)
