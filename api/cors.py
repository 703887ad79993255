"""Which pages may read the FHIR API in a browser. https://fetch.spec.whatwg.org/#http-cors-protocol

Any page may read the CapabilityStatement; all else only pages of an origin that a client of the tenant is registered with.
Cookies are not read below a FHIR base, so credentials are never allowed and a page has what its token allows, no more.
"""

import re
from typing import Final

from schemas import dates
from service.engine import Engine
from service.errors import HearthError

Headers = list[tuple[bytes, bytes]]

_EXPOSED: Final = (
    b"access-control-expose-headers",
    b"ETag, Location, Content-Location, Last-Modified, Link, X-Request-Id, Retry-After, WWW-Authenticate",
)
_NAMES: Final = re.compile(r"[A-Za-z0-9_\-, \t]{1,2000}")


def is_preflight(method: str, sent: dict[str, str]) -> bool:
    """Whether a browser asks if a page may ask."""
    return method == "OPTIONS" and "origin" in sent and "access-control-request-method" in sent


async def headers(engine: Engine, tenant: str, path: str, sent: dict[str, str]) -> Headers:
    """What lets the page that sent the request read the answer; nothing for a page that may not."""
    origin = sent.get("origin")
    if origin is None:
        return []
    if path == "metadata":
        return [(b"access-control-allow-origin", b"*"), _EXPOSED]
    try:
        is_known = await engine.origins.knows(await engine.tenant_id(tenant), origin, dates.clock())
    except HearthError:
        return []  # the answer itself says what is wrong
    return [(b"access-control-allow-origin", origin.encode("latin-1")), _EXPOSED] if is_known else []


def allowed(sent: dict[str, str]) -> Headers:
    """What a page that may ask may send: any method, so that it can read why one is refused, and any header.

    Clients add headers of their own to what the API reads, and without cookies a header can do no harm.
    """
    wanted = sent.get("access-control-request-headers", "")
    names = [(b"access-control-allow-headers", wanted.encode())] if _NAMES.fullmatch(wanted) else []
    return [
        (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
        (b"access-control-max-age", b"600"),
        *names,
    ]
