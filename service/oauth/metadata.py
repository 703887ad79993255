"""What a client is registered with, and the rules for it, however it comes: by command or by dynamic registration.

https://www.rfc-editor.org/rfc/rfc7591#section-2, https://www.rfc-editor.org/rfc/rfc8252#section-7 (native apps)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from schemas.scopes import PERSONAL, parse_one
from service.errors import Unprocessable
from service.oauth import jwks

SECRET_METHODS: Final = ("client_secret_basic", "client_secret_post")
ASSERTION_METHOD: Final = "private_key_jwt"
PUBLIC_METHODS: Final = ("none",)
AUTH_METHODS: Final = (*PUBLIC_METHODS, *SECRET_METHODS, ASSERTION_METHOD)
GRANT_TYPES: Final = ("authorization_code", "refresh_token", "client_credentials")
MACHINE: Final = ("__launch", "__introspect")
"""Scopes of our own for programs: make launch handles, introspect the tokens of every client."""
LOOPBACK: Final = ("127.0.0.1", "[::1]", "localhost")
_NAME_MOST: Final = 200
_URI_MOST: Final = 2000
_URIS_MOST: Final = 20


class BadMetadata(Unprocessable):
    """The client cannot be registered like this; `error` is RFC 7591's word for why (3.2.2)."""

    def __init__(self, sentence: str, error: str = "invalid_client_metadata") -> None:
        super().__init__(sentence)
        self.error = error


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client to be registered. `jwks` and `about` (what people are shown of it) are JSON; `scope` is all it may ever get."""

    name: str
    scope: str
    auth_method: str = "client_secret_basic"
    grant_types: tuple[str, ...] = ("client_credentials",)
    redirect_uris: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    jwks: str | None = None
    jwks_uri: str | None = None
    launch_url: str | None = None
    dpop: bool = False
    clearance: tuple[str, ...] = ()
    about: str = "{}"


def grants_for(scope: str, *, has_redirect: bool, is_public: bool) -> tuple[str, ...]:
    """The grant types that a client needs for its scopes, where it does not say itself."""
    speaks_for_itself = any(grant_of(word) == "client_credentials" for word in scope.split())
    personal = ("authorization_code", "refresh_token") if has_redirect or is_public else ()
    own = ("client_credentials",) if not is_public and (speaks_for_itself or not personal) else ()
    return (*personal, *own)


def check(new: NewClient, loopback_keys: bool = False) -> None:
    """Raises BadMetadata for what no client may have; `loopback_keys` lets keys be at an http address of this host."""
    if not new.name.strip() or len(new.name) > _NAME_MOST or not new.name.isprintable():
        raise BadMetadata(f"client_name is needed: up to {_NAME_MOST} printable characters, as people will read it")
    if new.auth_method not in AUTH_METHODS:
        raise BadMetadata(f"token_endpoint_auth_method is one of {', '.join(AUTH_METHODS)}")
    _check_grants(new)
    _check_scope(new)
    _check_keys(new, loopback_keys)
    for uri in new.redirect_uris:
        _check_redirect(uri, new.auth_method)
    for origin in new.origins:
        if origin_of(origin) != origin:
            raise BadMetadata(f"{origin!r} is no web origin; one is 'https://app.example.org', without a path")
    if new.launch_url is not None and origin_of(new.launch_url) is None:
        raise BadMetadata("launch_url is an https address (http on this host only), which the EHR opens")
    if not all(label.isascii() and label.isprintable() and " " not in label for label in new.clearance):
        raise BadMetadata("clearance is a list of sensitivity codes, such as HIV")


def _check_grants(new: NewClient) -> None:
    grants = new.grant_types
    if not grants or set(grants) - set(GRANT_TYPES):
        raise BadMetadata(f"grant_types are of {', '.join(GRANT_TYPES)}")
    if "client_credentials" in grants and new.auth_method == "none":
        raise BadMetadata("client_credentials is for clients that authenticate; a public client has users to speak for")
    if "refresh_token" in grants and "authorization_code" not in grants:
        raise BadMetadata("refresh_token comes with authorization_code: nothing else here gives one out")
    if ("authorization_code" in grants) != bool(new.redirect_uris):
        raise BadMetadata(
            "redirect_uris and the grant type authorization_code go together: give both, or neither",
            "invalid_redirect_uri",
        )
    if len(new.redirect_uris) > _URIS_MOST or len(set(new.redirect_uris)) != len(new.redirect_uris):
        raise BadMetadata(f"Give each redirect URI once, and at most {_URIS_MOST}", "invalid_redirect_uri")


def _check_scope(new: NewClient) -> None:
    words = new.scope.split()
    if not words:
        raise BadMetadata("A client needs at least one scope, such as 'patient/*.rs' or 'system/*.cruds'")
    for word in words:
        needed = grant_of(word)
        if needed is None:
            raise BadMetadata(
                f"{word!r} is not a scope of this server; one would be 'patient/Task.rs' or 'system/*.cruds'"
            )
        if needed not in new.grant_types:
            raise BadMetadata(f"The scope {word!r} comes by {needed}, which is not among the client's grant_types")


def grant_of(word: str) -> str | None:
    """The grant type by which a client gets this scope; None when it is no scope of ours."""
    found = parse_one(word)
    if (found is not None and found.level == "system") or word in MACHINE:
        return "client_credentials"
    is_personal = found is not None or word.partition("?role=")[0] in PERSONAL
    return "authorization_code" if is_personal else None


def _check_keys(new: NewClient, loopback: bool) -> None:
    given = (new.jwks is not None) + (new.jwks_uri is not None)
    if given != (new.auth_method == ASSERTION_METHOD):
        raise BadMetadata(f"{ASSERTION_METHOD} needs jwks_uri or jwks, one of them, and no other method has keys")
    if new.jwks is not None:
        try:
            jwks.check(new.jwks)
        except jwks.BadKeys as fault:
            raise BadMetadata(f"jwks: {fault}") from None
    if new.jwks_uri is not None and not jwks.is_address(new.jwks_uri, loopback):
        raise BadMetadata("jwks_uri is an https address with a host that everybody can reach")


def _check_redirect(uri: str, auth_method: str) -> None:
    """https, or for an app on the person's device http to itself or a scheme of its own (RFC 8252, 7.1 to 7.3)."""
    parts = _split(uri)
    is_own = parts is not None and "." in parts.scheme and not parts.netloc and auth_method == "none"
    if "#" in uri or not (origin_of(uri) or is_own):
        raise BadMetadata(
            f"{uri[:200]!r} is no redirect URI: it is the whole address as the client will send it, https and without a "
            "fragment; a public app on a device may use http://127.0.0.1 or a scheme such as org.example.app:/done",
            "invalid_redirect_uri",
        )


def origin_of(uri: str) -> str | None:
    """The web origin of an https address, or of an http one on this host; None for any other text."""
    parts = _split(uri)
    if parts is None or "@" in parts.netloc or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK):
        return None
    default = 443 if parts.scheme == "https" else 80
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _split(uri: str) -> SplitResult | None:
    if (
        len(uri) > _URI_MOST
        or not uri.isascii()
        or not uri.isprintable()
        or any(char in uri for char in ' "<>\\^`{|}*')
    ):
        return None
    try:
        parts = urlsplit(uri)
        _ = parts.port  # read only to see whether it is a number
    except ValueError:
        return None
    return parts if parts.scheme else None
