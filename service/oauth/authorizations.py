"""Authorizations: what a person has allowed a client, until it expires or somebody ends it; codes and tokens are of one.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html#using-well-known (management_endpoint)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from schemas import ids, json
from service.oauth.token import Access

ADD: Final = """
insert into oauth_authorization
  (tenant_id, authorization_id, client_id, account_id, session_hash, scope, context, jkt, authenticated, created, expires)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"""
# One entry for a client and a person: an app that was launched twenty times is one app to whoever looks for it.
_LIST: Final = """
select distinct on (a.client_id, a.account_id) a.authorization_id, a.client_id, c.name as client_name, a.account_id,
  p.name as person, a.scope, a.context, min(a.created) over whose as created,
  max(coalesce(a.used, a.created)) over whose as used, a.expires
from oauth_authorization a
join oauth_client c on c.tenant_id = $1 and c.client_id = a.client_id
join account p on p.tenant_id = $1 and p.account_id = a.account_id
where a.tenant_id = $1 and a.revoked is null and a.expires > $2{whose}
window whose as (partition by a.client_id, a.account_id)
order by a.client_id, a.account_id, a.created desc"""
OF_TENANT: Final = _LIST.format(whose="")
OF_ACCOUNT: Final = _LIST.format(whose=" and a.account_id = $3")
# The locks stand in the order in which whoever disables or revokes takes them: client, person, session, authorization.
OWNERS: Final = """
select a.scope, a.context, a.session_hash, a.authenticated, a.account_id, a.jkt, a.expires, p.fhir_user, p.clearance,
  p.break_glass, t.practitioner_access as reach
from oauth_authorization a
join oauth_client c on c.tenant_id = $1 and c.client_id = a.client_id
join account p on p.tenant_id = $1 and p.account_id = a.account_id
join tenant t on t.id = $1
where a.tenant_id = $1 and a.authorization_id = $2 and not c.disabled and not p.disabled
for share of c, p"""
HOLD: Final = """
update oauth_authorization set used = $3, jkt = coalesce(jkt, $4)
where tenant_id = $1 and authorization_id = $2 and revoked is null and expires > $3"""
END: Final = """
update oauth_authorization set revoked = $3 where tenant_id = $1 and authorization_id = $2 and revoked is null"""
END_TOKENS: Final = """
update oauth_token set revoked = $3 where tenant_id = $1 and authorization_id = $2 and revoked is null"""
ALIKE: Final = """
select other.authorization_id
from oauth_authorization one
join oauth_authorization other on other.tenant_id = $1 and other.client_id = one.client_id
  and other.account_id = one.account_id
where one.tenant_id = $1 and one.authorization_id = $2 and ($3::uuid is null or one.account_id = $3)
  and other.revoked is null
order by other.authorization_id"""
STANDING: Final = """
select scope from oauth_authorization
where tenant_id = $1 and account_id = $2 and client_id = $3 and revoked is null and expires > $4
order by created desc limit 20"""
# One that no refresh token keeps in use is remembered only as the latest consent to its client.
PURGE: Final = """
delete from oauth_authorization a where a.tenant_id = $1 and (expires < $2 or revoked < $2 or (created < $2
  and not exists (select from oauth_refresh r where r.tenant_id = $1 and r.authorization_id = a.authorization_id)
  and exists (select from oauth_authorization later where later.tenant_id = $1 and later.account_id = a.account_id
    and later.client_id = a.client_id and later.created > a.created and later.revoked is null)))"""
PURGE_CODES: Final = "delete from oauth_code where tenant_id = $1 and expires < $2"
PURGE_REFRESH: Final = "delete from oauth_refresh where tenant_id = $1 and expires < $2"
PURGE_REQUESTS: Final = "delete from oauth_request where tenant_id = $1 and expires < $2"
PURGE_LAUNCHES: Final = "delete from oauth_launch where tenant_id = $1 and expires < $2"
_OVER: Final = (PURGE_REQUESTS, PURGE_LAUNCHES)
_ENDED: Final = (PURGE_CODES, PURGE_REFRESH, PURGE)
STATEMENTS: Final = (ADD, OF_TENANT, OF_ACCOUNT, OWNERS, HOLD, END, END_TOKENS, ALIKE, STANDING, *_OVER, *_ENDED)
LASTS: Final = timedelta(days=365)
"""After how long the person has to be asked again, whatever happened since."""
KEPT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Authorization:
    """What one person allows one client, for a list of connected apps; `context` is that of the latest launch.

    `created` is when the person first agreed, `used` when the app last got a token, `expires` when it has to ask again.
    """

    authorization_id: UUID
    client_id: str
    client_name: str
    account_id: UUID
    person: str
    scope: str
    context: Mapping[str, Any]
    created: datetime
    used: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """An authorization that holds now, and the policy of its person as it is now."""

    authorization_id: UUID
    account_id: UUID
    scope: str
    context: Mapping[str, Any]
    session_hash: bytes | None
    authenticated: datetime
    jkt: str | None
    expires: datetime
    fhir_user: str
    reach: str
    clearance: tuple[str, ...]
    break_glass: bool

    def access(self, client_id: str, scope: str, expires: datetime, jkt: str | None) -> Access:
        """What an access token of it stands for, with some or all of its scopes."""
        return Access(
            client_id=client_id,
            scope=scope,
            expires=min(expires, self.expires),
            authorization_id=self.authorization_id,
            account_id=self.account_id,
            fhir_user=self.fhir_user,
            patient=self.context.get("patient"),
            reach=self.reach,
            clearance=self.clearance,
            break_glass=self.break_glass,
            jkt=jkt,
        )


@dataclass(frozen=True, slots=True)
class NewAuthorization:
    """What a person has just agreed to; `session` is the digest of the session they agreed in."""

    client_id: str
    account_id: UUID
    session: bytes
    authenticated: datetime
    scope: str
    context: Mapping[str, Any]
    jkt: str | None
    expires: datetime


async def add(connection: asyncpg.Connection[Any], tenant_id: int, new: NewAuthorization, now: datetime) -> UUID:
    """Record the consent; its id."""
    made = ids.new(now.timestamp())
    await connection.execute(
        ADD, tenant_id, made, new.client_id, new.account_id, new.session, new.scope, json.encode(new.context).decode(),
        new.jkt, new.authenticated, now, new.expires,
    )  # fmt: skip
    return made


async def of_account(
    connection: asyncpg.Connection[Any], tenant_id: int, account_id: UUID, now: datetime
) -> list[Authorization]:
    """The apps a person has connected, latest used first."""
    return _listed(await connection.fetch(OF_ACCOUNT, tenant_id, now, account_id))


async def of_tenant(connection: asyncpg.Connection[Any], tenant_id: int, now: datetime) -> list[Authorization]:
    """The apps that anybody has connected, latest used first; for administrators."""
    return _listed(await connection.fetch(OF_TENANT, tenant_id, now))


def _listed(rows: list[Any]) -> list[Authorization]:
    found = [Authorization(**{**row, "context": json.decode(row["context"].encode())}) for row in rows]
    return sorted(found, key=lambda each: each.used, reverse=True)


async def revoke(
    connection: asyncpg.Connection[Any],
    tenant_id: int,
    authorization_id: UUID,
    now: datetime,
    account_id: UUID | None = None,
) -> bool:
    """End what a person allows the client: this authorization and its like, with all their tokens, at once.

    With an `account_id` only where it is that person's. False when there was nothing to end.
    """
    async with connection.transaction():
        alike = await connection.fetch(ALIKE, tenant_id, authorization_id, account_id)
        for row in alike:
            await end(connection, tenant_id, row["authorization_id"], now)
    return bool(alike)


async def end(connection: asyncpg.Connection[Any], tenant_id: int, authorization_id: UUID, now: datetime) -> None:
    """End one authorization and its tokens, within the caller's transaction.

    In two statements: the first waits for a token being issued (that holds the row), and only a statement begun after
    that sees it.
    """
    await connection.execute(END, tenant_id, authorization_id, now)
    await connection.execute(END_TOKENS, tenant_id, authorization_id, now)


async def standing(connection: asyncpg.Connection[Any], tenant_id: int, authorization_id: UUID) -> Standing | None:
    """The authorization with its person's policy, held until the transaction ends; None when either may no more.

    Whether it has expired or was revoked is what `hold` says, which comes after the session's turn.
    """
    row = await connection.fetchrow(OWNERS, tenant_id, authorization_id)
    if row is None:
        return None
    values = {**row, "clearance": tuple(row["clearance"]), "context": json.decode(row["context"].encode())}
    return Standing(authorization_id, **values)


async def hold(
    connection: asyncpg.Connection[Any], tenant_id: int, authorization_id: UUID, now: datetime, jkt: str | None
) -> bool:
    """Mark it used, and bind it to the key `jkt` if none yet; False when it has ended."""
    return bool(await connection.execute(HOLD, tenant_id, authorization_id, now, jkt) == "UPDATE 1")


async def scopes_allowed(
    connection: asyncpg.Connection[Any], tenant_id: int, account_id: UUID, client_id: str, now: datetime
) -> list[str]:
    """The scopes of each authorization of this person for this client that still stands."""
    return [str(row["scope"]) for row in await connection.fetch(STANDING, tenant_id, account_id, client_id, now)]


async def purge(connection: asyncpg.Connection[Any], tenant_id: int, now: datetime) -> None:
    """Forget requests and launches that are over, and what ended more than a day ago: until then its misuse is seen."""
    for statement in _OVER:
        await connection.execute(statement, tenant_id, now)
    for statement in _ENDED:
        await connection.execute(statement, tenant_id, now - KEPT)
