"""A page as HTML, with the headers that every page has. https://www.rfc-editor.org/rfc/rfc9700#section-4.16

Nothing is loaded from elsewhere, nothing runs, nobody frames it, no cache keeps it, no address leaks by Referer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from schemas import words
from service.oauth.smart import Place

STYLE: Final = (files("api.pages") / "hearth.css").read_bytes()
STYLE_VERSION: Final = sha256(STYLE).hexdigest()[:16]
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "X-Robots-Tag": "noindex",
    "Vary": "Accept-Language, Cookie",
}
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action {};"
    " frame-ancestors 'none'; base-uri 'none'"
)
_PAGES: Final = Environment(
    loader=PackageLoader("api.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Look:
    """What every page is drawn with: where, in which language, and the page's own address without a query.

    `ask` is kept in links, `person` is the name of who is signed in, `goes_to` where a form may lead besides to us.
    """

    place: Place
    language: str
    here: str = ""
    ask: str = ""
    person: str | None = None
    goes_to: str | None = None


def page(look: Look, template: str, status: int = 200, **values: Any) -> Response:
    """The page of a template."""
    said = words.of(look.language)
    text = _PAGES.get_template(f"{template}.html").render(
        look=look,
        languages=[(code, words.of(code)["language"]) for code in words.LANGUAGES],
        style=f"{look.place.origin}{style_path()}",
        t=_teller(look.language),
        date=lambda text: words.date(said, text),
        **values,
    )
    policy = _POLICY.format(_form_action(look.goes_to))
    headers = {**_HEADERS, "Content-Security-Policy": policy, "Content-Language": look.language}
    return Response(text, status, headers=headers, media_type="text/html")


def elsewhere(location: str) -> Response:
    """Send the browser on, by GET whatever it sent (RFC 9700, 4.12)."""
    policy = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}
    return Response(status_code=303, headers={**_HEADERS, **policy, "Location": location})


def style_path() -> str:
    """Where the stylesheet is; another address as soon as it changes."""
    return f"/pages/{STYLE_VERSION}.css"


def moment(said: Mapping[str, str], seconds: int | None) -> str:
    """In how long to try again."""
    if seconds is None or seconds < 2:
        return said["when.soon"]
    if seconds < 60:
        return said["when.seconds"].format(count=seconds)
    minutes = -(-seconds // 60)
    return said["when.minute"] if minutes == 1 else said["when.minutes"].format(count=minutes)


def day(said: Mapping[str, str], when: datetime, now: datetime) -> str:
    """The day of a moment, as people say it."""
    days = (now.date() - when.date()).days
    near = {0: "when.today", 1: "when.yesterday"}.get(days)
    return said[near] if near else words.date(said, when.date().isoformat())


@cache
def _teller(language: str) -> Any:
    said = words.of(language)

    def told(name: str, **values: Any) -> Markup:
        """A sentence; what is put into it is escaped."""
        return escape(said[name]).format(**values)

    return told


def _form_action(goes_to: str | None) -> str:
    """Chromium asks this of every redirect that follows a form, the app's own too: any address of the app's kind is allowed.

    The app's origin alone would strand people of an app that redirects its callback to another host.
    """
    scheme = urlsplit(goes_to or "").scheme
    return f"'self' {scheme}:" if scheme else "'self'"
