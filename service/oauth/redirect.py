"""Where the answer to an authorization request may be sent. https://www.rfc-editor.org/rfc/rfc9700#section-2.1"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import SplitResult, urlencode, urlsplit

_LOOPBACK: Final = ("127.0.0.1", "::1")


def is_registered(uri: str, registered: Iterable[str]) -> bool:
    """Whether `uri` is one of the registered, letter by letter.

    Only the port of a native app on this very machine may be another one than registered (RFC 8252, 7.3).
    """
    known = tuple(registered)
    if uri in known:
        return True
    anywhere = _without_port(uri)
    return anywhere is not None and anywhere in map(_without_port, known)


def located(uri: str, **params: str | None) -> str:
    """`uri` with the parameters that are not None added to its query; what stands in it stays as registered."""
    given = {name: value for name, value in params.items() if value is not None}
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(given)}"


def _without_port(uri: str) -> tuple[str, str, str] | None:
    """(host, path, query) of a loopback address, None for any other."""
    try:
        parts: SplitResult = urlsplit(uri)
        _ = parts.port  # a port that is none raises here
    except ValueError:
        return None
    host = parts.hostname or ""
    if parts.scheme != "http" or host not in _LOOPBACK or "@" in parts.netloc or "#" in uri:
        return None
    return host, parts.path, parts.query
