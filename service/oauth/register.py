"""Dynamic registration of clients, by who was invited. https://www.rfc-editor.org/rfc/rfc7591

An invitation is an access token with the scope `__register` and, behind that word, each scope that its clients may have.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec

from schemas import json
from schemas.scopes import PERSONAL, narrow
from service.errors import Unprocessable
from service.oauth import bearer, clients, metadata
from service.oauth.faults import MetadataFault
from service.oauth.form import Credentials, OAuthRequest
from service.oauth.metadata import MACHINE, BadMetadata, NewClient
from service.oauth.token import Access, mint

SCOPE: Final = "__register"
INVITED: Final = "invitation"
"""The client that invitations are of in the audit: they come from the operator."""
_ALLOWS: Final = f"{SCOPE}:"
_SHOWN: Final = ("client_uri", "logo_uri", "tos_uri", "policy_uri", "contacts", "software_id", "software_version")


class _Metadata(msgspec.Struct, frozen=True):
    """The members of a registration that mean something here; others are passed over (2)."""

    client_name: str
    redirect_uris: list[str] = []
    token_endpoint_auth_method: str = "client_secret_basic"  # noqa: S105 - a name
    grant_types: list[str] | None = None
    response_types: list[str] | None = None
    scope: str | None = None
    jwks: dict[str, Any] | None = None
    jwks_uri: str | None = None
    launch_url: str | None = None
    dpop_bound_access_tokens: bool = False
    client_uri: str | None = None
    logo_uri: str | None = None
    tos_uri: str | None = None
    policy_uri: str | None = None
    contacts: list[str] | None = None
    software_id: str | None = None
    software_version: str | None = None


async def invite(connection: asyncpg.Connection[Any], tenant_id: int, scope: str, hours: int, now: datetime) -> str:
    """A token by which others register clients with these scopes or some of them. Raises Unprocessable."""
    words = scope.split()
    unknown = [word for word in words if metadata.grant_of(word) is None]
    if unknown or not words:
        raise Unprocessable(
            f"{(unknown or [''])[0]!r} is no scope that a client can have, such as 'patient/*.rs' or 'openid'"
        )
    allowed = " ".join([SCOPE, *(_ALLOWS + word for word in words)])
    return await mint(connection, tenant_id, Access(INVITED, allowed, now + timedelta(hours=hours)), now)


async def register(
    connection: asyncpg.Connection[Any],
    tenant_id: int,
    request: OAuthRequest,
    content: bytes,
    url: str,
    now: datetime,
    *,
    loopback_keys: bool,
) -> dict[str, Any]:
    """The registered client as the answer tells it (3.2.1). Raises OAuthFault."""
    access = await bearer.require(connection, tenant_id, request, url, SCOPE, now)
    allowed = [word.removeprefix(_ALLOWS) for word in access.scope.split() if word.startswith(_ALLOWS)]
    try:
        new = new_client(content, allowed)
        made = await clients.register(connection, tenant_id, new, loopback_keys=loopback_keys)
    except BadMetadata as fault:
        raise MetadataFault(fault.error, str(fault)) from None
    return _told(new, made, now)


def new_client(content: bytes, allowed: Sequence[str]) -> NewClient:
    """The client that a registration asks for, with the scopes of it that are allowed. Raises BadMetadata."""
    try:
        sent = msgspec.json.decode(content, type=_Metadata)
    except msgspec.ValidationError as fault:
        raise BadMetadata(f"The metadata of the client: {fault}") from None
    except msgspec.DecodeError:
        raise BadMetadata("The body is not a JSON object") from None
    is_public, has_redirect = sent.token_endpoint_auth_method in metadata.PUBLIC_METHODS, bool(sent.redirect_uris)
    scope = _narrowed(allowed if sent.scope is None else sent.scope.split(), allowed, has_redirect, is_public)
    grants = metadata.grants_for(scope, has_redirect=has_redirect, is_public=is_public)
    if sent.response_types not in (None, [], ["code"]):
        raise BadMetadata('response_types is ["code"], the only one there is')
    shown = {name: value for name in _SHOWN if (value := getattr(sent, name)) is not None}
    return NewClient(
        sent.client_name,
        scope,
        auth_method=sent.token_endpoint_auth_method,
        grant_types=grants if sent.grant_types is None else tuple(sent.grant_types),
        redirect_uris=tuple(sent.redirect_uris),
        jwks=None if sent.jwks is None else json.encode(sent.jwks).decode(),
        jwks_uri=sent.jwks_uri,
        launch_url=sent.launch_url,
        dpop=sent.dpop_bound_access_tokens,
        about=json.encode(shown).decode(),
    )


def _narrowed(asked: Sequence[str], allowed: Sequence[str], has_redirect: bool, is_public: bool) -> str:
    """What is asked for, allowed by the invitation, and possible for such a client; the rest is left out (2)."""
    found: dict[str, None] = {}
    for word in asked:
        name = word.partition("?role=")[0]
        if name in PERSONAL or word in MACHINE:
            found.update(dict.fromkeys([word] if name in allowed else []))
        else:
            found.update(dict.fromkeys(narrow(word, " ".join(allowed)).split()))
    possible = {"authorization_code": has_redirect, "client_credentials": not is_public}
    kept = [word for word in found if possible[metadata.grant_of(word) or "client_credentials"]]
    if not kept:
        raise BadMetadata("None of the scopes is one that the invitation allows and such a client can have")
    return " ".join(kept)


def _told(new: NewClient, made: Credentials, now: datetime) -> dict[str, Any]:
    told: dict[str, Any] = {
        "client_id": made.client_id,
        "client_id_issued_at": int(now.timestamp()),
        "client_name": new.name.strip(),
        "scope": new.scope,
        "token_endpoint_auth_method": new.auth_method,
        "grant_types": new.grant_types,
        "response_types": ["code"] if new.redirect_uris else [],
        "redirect_uris": new.redirect_uris,
        "dpop_bound_access_tokens": new.dpop,
        "jwks_uri": new.jwks_uri,
        "jwks": None if new.jwks is None else json.decode(new.jwks.encode()),
        "launch_url": new.launch_url,
        **json.decode(new.about.encode()),
    }
    if made.client_secret:
        told |= {"client_secret": made.client_secret, "client_secret_expires_at": 0}
    return {name: value for name, value in told.items() if value is not None}
