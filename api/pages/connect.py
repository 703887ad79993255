"""Connecting an app: whose record it opens, and what it may do.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-authorization-code
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from fastapi import Response

from api.pages import render, way
from api.pages.visit import Elsewhere, Problem, Visit
from schemas import scope_words
from schemas.scope_words import Said
from service import audit
from service.oauth import authorize
from service.oauth.asked import Asked
from service.oauth.parameters import PageFault
from service.people.accounts import Account
from service.people.sessions import Session

_NAME_MOST: Final = 100
_FIXED: Final = ("identity", "learns")
"""What an app that opens a record at all has to know: shown, and not to be chosen."""


async def show_patients(visit: Visit) -> Response:
    """Those whose record the person may see."""
    asked, _, account = await _underway(visit)
    return await _patients(visit, asked, account)


async def choose(visit: Visit) -> Response:
    """Take the patient, or none at all."""
    asked, session, account = await _underway(visit)
    if visit.sent("decision") == "deny":
        return await _denied(visit, asked)
    if not visit.sent("patient"):
        return await _patients(visit, asked, account, 400, "patient.missing")
    try:
        async with visit.connection() as connection:
            asked = await authorize.choose_patient(
                connection, visit.tenant_id, visit.handle, asked, account, visit.sent("patient"), visit.now
            )
    except PageFault as fault:
        if fault.status != 404:
            raise
        return await _patients(visit, asked, account, 400, "patient.gone")
    return render.elsewhere(await way.onward(visit, session, account, asked))


async def show_consent(visit: Visit) -> Response:
    """What the app asks for, in plain words."""
    asked, _, account = await _underway(visit, "consent", "done")
    return await _consent(visit, asked, account, {part for scope in asked.scopes for part in scope_words.halves(scope)})


async def decide(visit: Visit) -> Response:
    """Allow what is ticked, or nothing."""
    asked, session, account = await _underway(visit, "consent", "done")
    decision = visit.sent("decision")
    if decision == "deny":
        return await _denied(visit, asked)
    if decision != "allow":
        raise Problem("sent", 400)
    sayings = scope_words.said(asked.scopes, visit.said)
    optional = {each.scope for each in sayings if each.kind not in _FIXED}
    ticked = set(visit.form.get("scope", ()))
    if optional and not optional & ticked:
        return await _consent(visit, asked, account, ticked, 400, "consent.nothing")
    fixed = {each.scope for each in sayings if each.kind in _FIXED}
    allowed = scope_words.whole(asked.scopes, ticked | fixed)
    async with visit.connection() as connection:
        location = await authorize.allow(
            connection, visit.tenant_id, visit.handle, asked, account, session, allowed, visit.now
        )
    visit.audited("consent-given", client_id=asked.client.client_id, description=" ".join(allowed))
    return render.elsewhere(location)


async def _denied(visit: Visit, asked: Asked) -> Response:
    async with visit.connection() as connection:
        location = await authorize.deny(connection, visit.tenant_id, visit.handle, asked, visit.now)
    visit.audited("consent-denied", client_id=asked.client.client_id, outcome=audit.MINOR_FAILURE)
    return render.elsewhere(location)


async def _underway(visit: Visit, *steps: str) -> tuple[Asked, Session, Account]:
    """The request that this person answers, at one of the steps. Raises Elsewhere when something has to be done before."""
    asked = await way.asked(visit)
    session, account = visit.person()
    if asked is None:
        raise Elsewhere(visit.url("/apps"))
    if asked.account_id != account.account_id or not asked.accepts(session):
        raise Elsewhere(visit.url("/sign-in"))
    if steps and authorize.next_step(asked, account) not in steps:
        raise Elsewhere(await way.onward(visit, session, account, asked))
    if not steps and not _is_for_them_to_choose(asked, account):
        raise Elsewhere(visit.url("/consent"))
    return asked, session, account


def _is_for_them_to_choose(asked: Asked, account: Account) -> bool:
    return "patient" not in (asked.launched or {}) and not account.fhir_user.startswith("Patient/")


async def _patients(
    visit: Visit, asked: Asked, account: Account, status: int = 200, fault: str | None = None
) -> Response:
    name = (visit.query.get("name") or visit.sent("name")).strip()[:_NAME_MOST]
    found = await authorize.patients(visit.engine, visit.tenant_id, account, name)
    alike = Counter((each.name, each.birth_date) for each in found)
    return visit.going_to(asked).page(
        "choose-patient",
        status,
        app=asked.client.name,
        name=name,
        found=[(each, alike[each.name, each.birth_date] > 1) for each in found],
        most=authorize.MOST,
        chosen=asked.patient,
        fault=fault,
    )


async def _consent(
    visit: Visit, asked: Asked, account: Account, ticked: Collection[str], status: int = 200, fault: str | None = None
) -> Response:
    patient_id = asked.context.get("patient")
    is_own = account.fhir_user == f"Patient/{patient_id}"
    patient = None
    if patient_id is not None:
        patient = await authorize.patient(visit.engine, visit.tenant_id, account, str(patient_id))
    sayings = scope_words.said(asked.scopes, visit.said)
    return visit.going_to(asked).page(
        "consent",
        status,
        app=asked.client.name,
        account=account,
        patient=patient,
        is_own=is_own,
        can_change=patient is not None and _is_for_them_to_choose(asked, account),
        groups=_groups(sayings, account),
        fixed=[each for each in sayings if each.kind in _FIXED],
        lasting=[each for each in sayings if each.kind == "time"],
        ticked=ticked,
        goes_to=_shown(asked.redirect_uri),
        fault=fault,
    )


def _groups(sayings: Collection[Said], account: Account) -> list[tuple[str, list[tuple[str, list[Said]]]]]:
    """What is read and what is written, by whose records it is about: names of headings, and what stands below."""
    is_patient = account.fhir_user.startswith("Patient/")
    levels = {"own": ("patient", "user")} if is_patient else {"patient": ("patient",), "user": ("user",)}
    groups = []
    for name, level in levels.items():
        halves = [
            (f"consent.{kind}", [each for each in sayings if each.level in level and each.kind == kind])
            for kind in ("read", "write")
        ]
        if any(found for _, found in halves):
            groups.append((f"consent.level.{name}", [half for half in halves if half[1]]))
    return groups


def _shown(redirect_uri: str) -> str | None:
    """The host that the answer goes to; None for an app on the person's own device."""
    parts = urlsplit(redirect_uri)
    return parts.netloc if parts.scheme in ("http", "https") else None
