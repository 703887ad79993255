"""The authorization endpoint: from an app's request, by the person's steps, to a code.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-authorization-code

A request under way is a row of oauth_request. Its handle has two halves: one travels in addresses, the other is a cookie of
the browser that brought the request. Only both together find the row, so a handle that somebody else sees is of no use.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import asyncpg

from schemas import dates, json
from schemas.scopes import narrow_for_person
from service.call import Call
from service.engine import Engine
from service.oauth import asked as asked_of
from service.oauth import authorizations, clients, code, context, launch, par, secret, sight
from service.oauth.asked import Asked
from service.oauth.clients import Client
from service.oauth.parameters import PageFault, checked
from service.oauth.redirect import located
from service.oauth.smart import Place
from service.people import policy, sessions
from service.people.accounts import Account
from service.people.sessions import Session

ADD: Final = """
insert into oauth_request (tenant_id, request_hash, client_id, params, state, created, expires)
values ($1, $2, $3, $4, $5, $6, $7)"""
FIND: Final = """
select client_id, params, state, created from oauth_request where tenant_id = $1 and request_hash = $2 and expires > $3"""
STEP: Final = "update oauth_request set state = $3 where tenant_id = $1 and request_hash = $2"
TAKE: Final = "delete from oauth_request where tenant_id = $1 and request_hash = $2 and expires > $3"
STATEMENTS: Final = (ADD, FIND, STEP, TAKE)
LIFETIME: Final = timedelta(minutes=10)
Step = Literal["sign-in", "patient", "consent", "done"]
MOST: Final = 50
OVER: Final = (
    "This request to connect an app has ended, or was begun in another browser; go back to the app and try again"
)


@dataclass(frozen=True, slots=True)
class PatientChoice:
    """A Patient to choose: the logical id, the name as one line, the date of birth as it is recorded."""

    id: str
    name: str
    birth_date: str


async def begin(
    connection: asyncpg.Connection[Any],
    tenant_id: int,
    place: Place,
    params: Mapping[str, str],
    now: datetime,
    browser: str = "",
    repeated: Collection[str] = (),
) -> tuple[str, Asked]:
    """Check the request and keep it for ten minutes: the half of its handle for addresses, and what was asked.

    `browser` is the other half, `repeated` names parameters sent more than once. Raises PageFault or RedirectFault.
    """
    client = await _client(connection, tenant_id, params, repeated)
    pushed = params.get("request_uri", "")
    async with connection.transaction():
        if par.is_pushed(pushed):
            params, repeated = await par.take(connection, tenant_id, pushed, client.client_id, now), ()
        wanted = checked(params, repeated, client, place)
        asked = Asked(client, place, wanted, now)
        if wanted.launch is not None:
            launched = await launch.take(connection, tenant_id, wanted.launch, client.client_id, now)
            if launched is None:
                raise asked.refused("invalid_request", "The launch is unknown, over, used already or for another app")
            asked = replace(asked, launched=launched.context, fhir_user=launched.fhir_user)
        handle = secret.new()
        await connection.execute(
            ADD, tenant_id, secret.digest(bound(handle, browser)), client.client_id, asked_of.begun(asked),
            asked_of.steps(asked), now, now + LIFETIME,
        )  # fmt: skip
    return handle, asked


def bound(handle: str, browser: str) -> str:
    """The whole handle, of the half in the address and the half in the browser's cookie."""
    return f"{handle}~{browser}" if browser else handle


async def find(connection: asyncpg.Connection[Any], tenant_id: int, handle: str, now: datetime) -> Asked | None:
    """The request of a whole handle; None when it is unknown, over or answered, or its client was disabled."""
    row = await connection.fetchrow(FIND, tenant_id, secret.digest(handle), now)
    client = None if row is None else await clients.find(connection, tenant_id, row["client_id"])
    if row is None or client is None:
        return None
    return asked_of.read(client, row["created"], row["params"], row["state"])


async def signed_in(
    connection: asyncpg.Connection[Any],
    tenant_id: int,
    handle: str,
    asked: Asked,
    account: Account,
    session: Session,
    now: datetime,
) -> Asked:
    """The request with the person who answers it, and with their own record where they are the patient.

    Unchanged when a step of the sign-in is missing, or the client wants a newer one than this session's. Raises RedirectFault
    when the EHR opened the app for somebody else, or on a record that a patient or relative may not see.
    """
    if not _is_complete(asked, account, session):
        return asked
    if asked.fhir_user not in (None, account.fhir_user):
        raise asked.refused("access_denied", "The app was opened from the EHR by another person than who signed in")
    type_name, _, own = account.fhir_user.partition("/")
    given = (asked.launched or {}).get("patient")
    needs_sight = given is not None and type_name != "Practitioner"
    if needs_sight and not await _may_choose(connection, tenant_id, asked.place, account, str(given), now):
        raise asked.refused("access_denied", "The app was opened on a record that this person may not see")
    patient = asked.patient if asked.account_id == account.account_id else None
    if type_name == "Patient" and context.wants_patient(asked.scopes):
        patient = own
    remembered = await _is_remembered(connection, tenant_id, asked, account, now)
    asked = replace(asked, account_id=account.account_id, patient=patient, remembered=remembered)
    return await _kept(connection, tenant_id, handle, asked)


def next_step(asked: Asked, account: Account) -> Step:
    """What this person has to do next; `done` when `allow` may follow at once."""
    if asked.account_id != account.account_id:
        return "sign-in"
    if context.wants_patient(asked.scopes) and "patient" not in asked.context:
        return "patient"
    return "done" if asked.remembered else "consent"


async def patients(engine: Engine, tenant_id: int, account: Account, query: str = "") -> list[PatientChoice]:
    """Those whom the person may see, by family name, at most MOST; `query` is how a part of the name begins.

    An ordinary search under the person's own Grant, in the audit like any other.
    """
    named = [("name", query.strip())] if query.strip() else []
    return await _found(engine, tenant_id, account, [("_sort", "family"), ("_count", str(MOST)), *named])


async def patient(engine: Engine, tenant_id: int, account: Account, patient_id: str) -> PatientChoice | None:
    """The patient, where the person may see them."""
    found = await _found(engine, tenant_id, account, [("_id", patient_id)])
    return found[0] if found else None


async def _found(
    engine: Engine, tenant_id: int, account: Account, params: Sequence[tuple[str, str]]
) -> list[PatientChoice]:
    now = dates.clock()
    async with engine.database.connection(tenant_id) as connection:
        grant = await sight.of_person(connection, tenant_id, account, now)
    wanted = (("_elements", "name,birthDate"), *params)
    call = Call(tenant_id, engine.settings.base_url, grant, "search-type", now, type="Patient", params=wanted)
    reply = await engine.carry_out(call)
    bundle = json.decode(reply.content or b"{}")
    return [_choice(entry["resource"]) for entry in bundle.get("entry", ()) if entry["search"]["mode"] == "match"]


async def choose_patient(
    connection: asyncpg.Connection[Any],
    tenant_id: int,
    handle: str,
    asked: Asked,
    account: Account,
    patient_id: str,
    now: datetime,
) -> Asked:
    """The request with the chosen patient. Raises PageFault for one whom this person may not see."""
    if asked.account_id != account.account_id:
        raise PageFault(OVER)
    if not await _may_choose(connection, tenant_id, asked.place, account, patient_id, now):
        raise PageFault("There is no such patient among those whom you may see", 404)
    return await _kept(connection, tenant_id, handle, replace(asked, patient=patient_id))


async def allow(
    connection: asyncpg.Connection[Any],
    tenant_id: int,
    handle: str,
    asked: Asked,
    account: Account,
    session: Session,
    scopes: Collection[str],
    now: datetime,
) -> str:
    """Authorize the client for those of `scopes` that it asked for; the address that takes the code to it.

    What is not among `scopes` the person did not give. A scope may be narrower than asked, and nothing left is a refusal.
    Raises PageFault when the request was answered already.
    """
    granted = narrow_for_person(" ".join(scopes), " ".join(asked.scopes)).split()
    if next_step(asked, account) not in ("consent", "done") or not _is_complete(asked, account, session):
        raise PageFault(OVER)
    if not granted:
        return await deny(connection, tenant_id, handle, asked, now)
    async with connection.transaction():
        # Held, so that who ends the session right now waits, and then sees what was allowed in it.
        if not await sessions.touch(connection, tenant_id, session.digest, now):
            raise PageFault(OVER)
        await _take(connection, tenant_id, handle, now)
        new = authorizations.NewAuthorization(
            client_id=asked.client.client_id,
            account_id=account.account_id,
            session=session.digest,
            authenticated=session.created,
            scope=" ".join(granted),
            context=context.narrowed(asked.context, granted),
            jkt=asked.wanted.jkt,
            expires=now + authorizations.LASTS,
        )
        made = await authorizations.add(connection, tenant_id, new, now)
        issued = await code.issue(connection, tenant_id, made, asked.client.client_id, asked.wanted, now)
    return located(asked.redirect_uri, code=issued, state=asked.state, iss=asked.place.issuer)


async def deny(connection: asyncpg.Connection[Any], tenant_id: int, handle: str, asked: Asked, now: datetime) -> str:
    """Refuse the client; the address that tells it. Raises PageFault when the request was answered already."""
    await _take(connection, tenant_id, handle, now)
    return asked.refused("access_denied", "The person did not allow it").location


async def silent(
    connection: asyncpg.Connection[Any],
    tenant_id: int,
    handle: str,
    asked: Asked,
    account: Account | None,
    session: Session | None,
    now: datetime,
) -> str:
    """The answer to prompt=none: a code where nothing has to be asked, else the error that says what would have to be.

    https://openid.net/specs/openid-connect-core-1_0.html#AuthError
    """
    if account is None or session is None:
        raise asked.refused("login_required", "Nobody is signed in")
    asked = await signed_in(connection, tenant_id, handle, asked, account, session, now)
    step = next_step(asked, account)
    if step == "done":
        return await allow(connection, tenant_id, handle, asked, account, session, asked.scopes, now)
    errors = {"sign-in": "login_required", "patient": "interaction_required", "consent": "consent_required"}
    raise asked.refused(errors[step], "The person would have to be asked, which prompt=none forbids")


def _is_complete(asked: Asked, account: Account, session: Session) -> bool:
    """Whether the sign-in counts; that somebody has to set a second factor up first is for the pages to see."""
    is_theirs = session.account_id == account.account_id
    return is_theirs and policy.step(account, session, "optional") is None and asked.accepts(session)


async def _client(
    connection: asyncpg.Connection[Any], tenant_id: int, params: Mapping[str, str], repeated: Collection[str]
) -> Client:
    name = params.get("client_id")
    if name is None or "client_id" in repeated:
        raise PageFault("The app did not say, or said twice, which app it is (client_id)")
    client = None if "\0" in name else await clients.find(connection, tenant_id, name)
    if client is None:
        raise PageFault("This app (client_id) is not registered here, or was disabled")
    return client


async def _may_choose(
    connection: asyncpg.Connection[Any], tenant_id: int, place: Place, account: Account, patient_id: str, now: datetime
) -> bool:
    grant = await sight.of_person(connection, tenant_id, account, now)
    return await sight.sees(connection, tenant_id, place, grant, "Patient", patient_id)


async def _is_remembered(
    connection: asyncpg.Connection[Any], tenant_id: int, asked: Asked, account: Account, now: datetime
) -> bool:
    """An app that can prove who it is, opened from the EHR again, was allowed all this before (decision 0010)."""
    if asked.launched is None or asked.client.auth_method == "none" or "consent" in asked.wanted.prompts:
        return False
    wanted = " ".join(asked.scopes)
    given = await authorizations.scopes_allowed(connection, tenant_id, account.account_id, asked.client.client_id, now)
    return any(narrow_for_person(wanted, scope) == wanted for scope in given)


async def _kept(connection: asyncpg.Connection[Any], tenant_id: int, handle: str, asked: Asked) -> Asked:
    if await connection.execute(STEP, tenant_id, secret.digest(handle), asked_of.steps(asked)) == "UPDATE 0":
        raise PageFault(OVER)
    return asked


async def _take(connection: asyncpg.Connection[Any], tenant_id: int, handle: str, now: datetime) -> None:
    if await connection.execute(TAKE, tenant_id, secret.digest(handle), now) == "DELETE 0":
        raise PageFault(OVER)


def _choice(patient: Mapping[str, Any]) -> PatientChoice:
    names: Sequence[Mapping[str, Any]] = patient.get("name", ())
    name = next((each for each in names if each.get("use") in ("usual", "official")), names[0] if names else {})
    parts = [*name.get("given", ()), name.get("family", "")]
    written = name.get("text") or " ".join(part for part in parts if part)
    return PatientChoice(patient["id"], written or patient["id"], patient.get("birthDate", ""))
