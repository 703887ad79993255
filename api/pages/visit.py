"""One request of a person's browser: who it is, what it sent, and the proof that a form of ours sent it.

https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from fastapi import Request, Response

from api import oauth_endpoint
from api.pages import render
from api.pages.render import Look
from schemas import dates, words
from service import audit
from service.database import Connection
from service.engine import Engine
from service.errors import PayloadTooLarge, UnsupportedMediaType
from service.oauth import authorize, events, secret
from service.oauth.asked import Asked
from service.oauth.faults import InvalidRequest
from service.oauth.form import MEDIA_TYPE
from service.oauth.smart import Place
from service.people import accounts, cookies, policy, sessions
from service.people.accounts import Account
from service.people.sessions import Session

FIELDS_MOST: Final = 800
"""As many scopes as an authorization request can have, and what goes with them."""
_RANDOM: Final = re.compile(r"[A-Za-z0-9_\-]{43}")
_HANDLE: Final = re.compile(r"[A-Za-z0-9_\-]{1,100}")


class Elsewhere(Exception):
    """Something else has to be done first, at `location`."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


class Problem(Exception):
    """A page that says what is wrong: `kind` names its sentences (`fault.{kind}.title`)."""

    def __init__(self, kind: str, status: int) -> None:
        super().__init__(kind)
        self.kind, self.status = kind, status


@dataclass(frozen=True, slots=True)
class Visit:
    """A request with all that it carries; `key` is settings.secret(), `here` the page's path below the issuer.

    `session` and `account` are there once somebody gave a password; `policy.step` says what is missing still.
    """

    engine: Engine
    key: bytes
    tenant_id: int
    now: datetime
    look: Look
    address: str | None
    request_id: str
    jar: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, Sequence[str]] = field(default_factory=dict)
    visitor: str = ""
    is_new: bool = False
    session: Session | None = None
    account: Account | None = None

    @property
    def place(self) -> Place:
        """Where it came to."""
        return self.look.place

    @property
    def said(self) -> Mapping[str, str]:
        """The sentences in the person's language."""
        return words.of(self.look.language)

    @property
    def handle(self) -> str:
        """The whole handle of the authorization request under way, of its halves in the address and in the cookie."""
        return authorize.bound(self.look.ask, self.cookie(cookies.BROWSER) or "")

    @property
    def csrf(self) -> str:
        """What a form of a page for this browser brings along."""
        return sessions.csrf(self._binding, self.key)

    @property
    def _binding(self) -> str:
        given = self.cookie(cookies.SESSION)
        return given if self.session is not None and given else self.visitor

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """A connection for the tenant."""
        return self.engine.database.connection(self.tenant_id)

    def cookie(self, kind: cookies.Kind) -> str | None:
        """The value of a cookie of ours."""
        return self.jar.get(cookies.cookie(self.place, kind).name)

    def sent(self, name: str) -> str:
        """A field of the form; empty when it is not there."""
        return next(iter(self.form.get(name, ())), "")

    def url(self, path: str, **params: str) -> str:
        """The address of a page of ours, with the request under way."""
        kept = ({"ask": self.look.ask} if self.look.ask else {}) | params
        return f"{self.place.issuer}{path}{'?' if kept else ''}{urlencode(kept)}"

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """The page of a template, for this visit."""
        return render.page(self.look, template, status, visit=self, csrf=self.csrf, **values)

    def going_to(self, asked: Asked | None) -> Visit:
        """The same visit, of a page whose forms may lead to the app."""
        return self if asked is None else replace(self, look=replace(self.look, goes_to=asked.redirect_uri))

    def require_csrf(self) -> None:
        """Raise Problem unless a form of ours, made for this browser, sent this."""
        if not sessions.csrf_matches(self._binding, self.key, self.sent("csrf")):
            raise Problem("form", 403)

    def somebody(self) -> tuple[Session, Account]:
        """Who gave a password, whatever is missing still. Raises Elsewhere."""
        if self.session is None or self.account is None:
            raise Elsewhere(self.url("/sign-in"))
        return self.session, self.account

    def person(self) -> tuple[Session, Account]:
        """Who is signed in for good. Raises Elsewhere."""
        session, account = self.somebody()
        if policy.step(account, session, self.engine.settings.second_factor) is not None:
            raise Elsewhere(self.url("/sign-in"))
        return session, account

    def audited(self, kind: str, *, client_id: str | None = None, fhir_user: str | None = None, description: str = "",
                outcome: int = audit.SUCCESS) -> None:  # fmt: skip
        """Keep the AuditEvent of what happened."""
        who = fhir_user or (self.account.fhir_user if self.account else None)
        self.engine.spool.append(
            events.event(
                kind, tenant_id=self.tenant_id, client_id=client_id, fhir_user=who, address=self.address,
                outcome=outcome, now=self.now, request_id=self.request_id, description=description,
            )
        )  # fmt: skip


async def begun(engine: Engine, key: bytes, request: Request, tenant: str, here: str) -> Visit:
    """The visit of a request, without its form. Raises NotFound for a tenant that is none."""
    tenant_id, place = await engine.tenant_id(tenant), Place(engine.settings.base_url, tenant)
    query, now = dict(request.query_params), dates.clock()
    ask = query.get("ask", "")
    known = request.cookies.get(cookies.cookie(place, cookies.VISITOR).name, "")
    is_new = not _RANDOM.fullmatch(known)
    value = request.cookies.get(cookies.cookie(place, cookies.SESSION).name)
    session, account = await _who(engine, tenant_id, value, now)
    look = Look(
        place,
        _language(request, place, account),
        here,
        ask if _HANDLE.fullmatch(ask) else "",
        account.name if account else None,
    )
    return Visit(
        engine, key, tenant_id, now, look, request.client.host if request.client else None, request.state.request_id,
        request.cookies, query, visitor=secret.new() if is_new else known, is_new=is_new, session=session, account=account,
    )  # fmt: skip


async def with_form(visit: Visit, request: Request) -> Visit:
    """The visit with what a form of ours sent. Raises Problem, PayloadTooLarge, UnsupportedMediaType."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise UnsupportedMediaType(f"Send the form as {MEDIA_TYPE}")
    try:
        raw = await oauth_endpoint.body(request)
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MOST)
    except InvalidRequest as fault:
        raise PayloadTooLarge(fault.description) from None
    except ValueError:
        raise Problem("sent", 400) from None
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    ask = next(iter(form.get("ask", ())), visit.look.ask)
    look = replace(visit.look, ask=ask if _HANDLE.fullmatch(ask) else "")
    visit = replace(visit, form=form, look=look)
    visit.require_csrf()
    return visit


async def _who(
    engine: Engine, tenant_id: int, value: str | None, now: datetime
) -> tuple[Session | None, Account | None]:
    if value is None:
        return None, None
    async with engine.database.connection(tenant_id) as connection:
        session = await sessions.find(connection, tenant_id, value, now)
        account = None if session is None else await accounts.find(connection, tenant_id, session.account_id)
    return (None, None) if account is None else (session, account)


def _language(request: Request, place: Place, account: Account | None) -> str:
    """What the person chose just now by a link, or in this browser, or for their account; else what the browser prefers."""
    chosen = request.query_params.get("lang"), request.cookies.get(cookies.cookie(place, cookies.LANGUAGE).name)
    for language in (*chosen, account.language if account else None):
        if language in words.LANGUAGES:
            return language
    return words.preferred(request.headers.get("accept-language", ""))
