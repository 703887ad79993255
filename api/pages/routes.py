"""The pages' addresses, at the origin's own and at a tenant's; what goes wrong there is a page, too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from api.pages import account, apps, connect, providers, render, second_factor, sign_in, sign_out, visit
from api.pages.fault import fault_page
from api.pages.render import Look
from api.pages.visit import Elsewhere, Visit
from schemas import words
from service import logs
from service.engine import Engine
from service.errors import NotFound
from service.oauth.parameters import RedirectFault
from service.oauth.smart import Place
from service.people import cookies
from service.tenants import DEFAULT

Act = Callable[[Visit], Awaitable[Response]]
PAGES: Final[tuple[tuple[str, Act | None, Act | None], ...]] = (
    ("/sign-in", sign_in.show, sign_in.enter),
    ("/sign-in/{provider}", providers.leave, None),
    ("/sign-in/{provider}/callback", providers.back, None),
    ("/sign-out", sign_out.show, sign_out.leave),
    ("/second-factor", second_factor.show, second_factor.enter),
    ("/choose-patient", connect.show_patients, connect.choose),
    ("/consent", connect.show_consent, connect.decide),
    ("/apps", apps.show, apps.end),
    ("/account", account.show, account.speak),
    ("/account/password", account.show_password, account.change_password),
    ("/account/second-factor", second_factor.manage, second_factor.change),
    ("/account/sign-out-everywhere", None, sign_out.leave_everywhere),
)
"""Path, what GET shows, what POST does."""
_SHOWN_AT: Final = {
    "/sign-in/{provider}": "/sign-in",
    "/sign-in/{provider}/callback": "/sign-in",
    "/account/sign-out-everywhere": "/account",
}
"""Which page's address stands for one that is not a page by itself, in links."""
_FOREVER: Final = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


def router(engine: Engine) -> APIRouter:
    """All pages, and their stylesheet."""
    routes, key = APIRouter(include_in_schema=False), engine.settings.secret()

    async def style(version: str) -> Response:
        """The stylesheet of the pages; its address changes with it."""
        if version != render.STYLE_VERSION:
            raise NotFound("This stylesheet is not of this release; a page says where the present one is")
        return Response(render.STYLE, media_type="text/css", headers=_FOREVER)

    for path, show, act in PAGES:
        name = path.strip("/").partition("/{")[0].replace("/", "-")
        for method, page in (("GET", show), ("POST", act)):
            if page is None:
                continue
            for prefix in ("", "/t/{tenant}"):
                endpoint = _endpoint(engine, key, path, page)
                routes.add_api_route(f"{prefix}{path}", endpoint, methods=[method], name=name)
    routes.add_api_route("/pages/{version}.css", style, methods=["GET"], name="style")
    return routes


def _endpoint(engine: Engine, key: bytes, path: str, page: Act) -> Callable[..., Any]:
    async def answered(request: Request) -> Response:
        return await _answered(engine, key, request, path, page)

    return answered


async def _answered(engine: Engine, key: bytes, request: Request, path: str, page: Act) -> Response:
    tenant = request.path_params.get("tenant", DEFAULT)
    look = Look(Place(engine.settings.base_url, DEFAULT), words.preferred(request.headers.get("accept-language", "")))
    seen: Visit | None = None
    try:
        seen = await visit.begun(engine, key, request, tenant, _SHOWN_AT.get(path, path))
        seen = replace(seen, query={**seen.query, "provider": request.path_params.get("provider", "")})
        look = seen.look
        if request.method == "POST":
            seen = await visit.with_form(seen, request)
        response = await page(seen)
    except (Elsewhere, RedirectFault) as other:
        response = render.elsewhere(other.location)
    except Exception as fault:
        # The person is told on a page; what is a defect is told to who reads the log, as everywhere.
        response = fault_page(look, fault, request.state.request_id)
        if response.status_code == 500:
            logs.failure(request.state.request_id)
    if seen is not None:
        _remember(seen, response)
    return response


def _remember(seen: Visit, response: Response) -> None:
    if seen.is_new and response.status_code == 200:
        response.headers.append("Set-Cookie", cookies.cookie(seen.place, cookies.VISITOR).set(seen.visitor))
    if seen.query.get("lang") in words.LANGUAGES:
        response.headers.append("Set-Cookie", cookies.cookie(seen.place, cookies.LANGUAGE).set(seen.query["lang"]))
