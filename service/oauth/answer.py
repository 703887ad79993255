"""What the grants of a person have in common: who asks, and the answer with the context of the launch.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-access-token
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from service.oauth import client_auth, dpop
from service.oauth.authorizations import Standing
from service.oauth.clients import Client
from service.oauth.token import TokenAnswer, TokenRequest, mint

ENDED: Final = "What the person allowed has expired or was ended, or the account or the client was disabled"


@dataclass(frozen=True, slots=True)
class Asking:
    """A request whose client is authenticated; `jkt` is the key that its DPoP proof has shown, None without a proof."""

    asked: TokenRequest
    client: Client
    jkt: str | None

    @property
    def tenant_id(self) -> int:
        """The tenant of the client and of all it can ask for."""
        return self.asked.tenant_id

    @property
    def now(self) -> datetime:
        """When it asked."""
        return self.asked.now

    def param(self, name: str) -> str | None:
        """A parameter of the form, None where it is missing or empty."""
        return self.asked.request.form.get(name)


async def authenticated(connection: asyncpg.Connection[Any], asked: TokenRequest, grant_type: str) -> Asking:
    """The client, with its right to the grant and the key it proves. Raises OAuthFault."""
    client = await client_auth.authenticate(connection, asked.tenant_id, asked.request, asked.place, asked.now)
    client_auth.require_grant(client, grant_type)
    url = asked.place.endpoints["token"]
    return Asking(asked, client, await dpop.binding(connection, asked.tenant_id, asked.request, url, client, asked.now))


async def answer(
    connection: asyncpg.Connection[Any], asking: Asking, standing: Standing, scope: str, **more: str | None
) -> TokenAnswer:
    """A new access token of the authorization, with its launch context and what else is given."""
    seconds = asking.asked.settings.access_token_seconds
    access = standing.access(asking.client.client_id, scope, asking.now + timedelta(seconds=seconds), asking.jkt)
    minted = await mint(connection, asking.tenant_id, access, asking.now)
    given = {name: value for name, value in more.items() if value is not None}
    return TokenAnswer(minted, seconds, access, {**standing.context, **given})
