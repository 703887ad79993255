"""The cookies of people's browsers: one of each kind for each tenant of an origin. https://www.rfc-editor.org/rfc/rfc6265

Tenants are told apart by path, which browsers do not keep apart, so that the name carries the tenant.
"""

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from service.oauth.smart import Place

Kind = Literal["session", "visitor", "upstream", "browser", "language"]
SESSION: Final = "session"
"""Holds the secret of a session (service.people.sessions)."""
VISITOR: Final = "visitor"
"""Holds random characters that bind the form of a sign-in to a browser (`sessions.csrf`)."""
UPSTREAM: Final = "upstream"
"""Holds what was begun at another provider (service.people.upstream)."""
BROWSER: Final = "browser"
"""Holds the browser's half of the handles of authorization requests (service.oauth.authorize)."""
LANGUAGE: Final = "language"
"""Holds the language that somebody chose on a page."""


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie without its value. Scripts never see it, other sites' forms and frames never send it."""

    name: str
    path: str
    secure: bool

    def set(self, value: str, seconds: int | None = None) -> str:
        """The Set-Cookie header; without `seconds` it lasts until the browser is closed."""
        parts = [f"{self.name}={value}", f"Path={self.path}", "HttpOnly", "SameSite=Lax"]
        parts += [f"Max-Age={seconds}"] if seconds is not None else []
        return "; ".join(parts + (["Secure"] if self.secure else []))

    def clear(self) -> str:
        """The Set-Cookie header that makes the browser forget it."""
        return self.set("", 0)


def cookie(place: Place, kind: Kind) -> Cookie:
    """The tenant's cookie of a kind.

    Where all of the host is ours and https it is a `__Host-` one, which no other host and no http page can set. Where Hearth
    has a path of a host, it keeps to that.
    """
    origin, issuer = urlsplit(place.origin), urlsplit(place.issuer)
    name = f"hearth-{place.tenant}-{kind}"
    if origin.scheme == "https" and not origin.path:
        return Cookie(f"__Host-{name}", "/", True)
    if origin.scheme == "https":
        return Cookie(f"__Secure-{name}", issuer.path, True)
    return Cookie(name, issuer.path or "/", False)
