"""Makes the players of the demo, and the records that they are: safe to run at every start of `hearth serve --demo`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
import pyotp

from schemas import dates
from service import seed
from service.demo.cast import CALLBACK, Cast, People, Person, load, save
from service.oauth import clients, secret
from service.oauth.form import Credentials
from service.oauth.metadata import NewClient
from service.people import accounts, passwords, second_factor
from service.people.accounts import NewAccount

_PERSONAL: Final = ("authorization_code", "refresh_token")
_ROBIN, _KIM = "Patient/demo-robin", "Practitioner/demo-kim"
_BACKEND: Final = NewClient("Demo backend", "system/*.cruds")
_EHR: Final = NewClient("Demo EHR", "__launch system/*.rs")
_DIARY: Final = NewClient(
    "Demo diary app",
    "launch/patient openid fhirUser offline_access patient/Patient.rs patient/Task.rus patient/Questionnaire.rs "
    "patient/QuestionnaireResponse.crus patient/Observation.crs patient/Communication.rs",
    "none",
    _PERSONAL,
    (CALLBACK,),
)
_CHART: Final = NewClient(
    "Demo outcomes app",
    "launch openid fhirUser user/Patient.rs user/Task.crus user/ServiceRequest.crus user/CarePlan.crus "
    "user/ActivityDefinition.rs user/PlanDefinition.rs user/Questionnaire.rs user/QuestionnaireResponse.rs "
    "user/Observation.rs user/Flag.rs user/Goal.rs user/Encounter.rs user/Communication.rs",
    "client_secret_basic",
    _PERSONAL,
    (CALLBACK,),
    launch_url=CALLBACK,
)
_RECORDS: Final[tuple[Mapping[str, Any], ...]] = (
    {
        "resourceType": "Patient",
        "id": "demo-robin",
        "name": [{"family": "Sample", "given": ["Robin"]}],
        "birthDate": "1990-05-17",
    },
    {"resourceType": "Practitioner", "id": "demo-kim", "name": [{"family": "Example", "given": ["Kim"]}]},
    {
        "resourceType": "CareTeam",
        "id": "demo-team",
        "status": "active",
        "subject": {"reference": _ROBIN},
        "participant": [{"member": {"reference": _ROBIN}}, {"member": {"reference": _KIM}}],
    },
    {
        "resourceType": "Task",
        "id": "demo-walk",
        "status": "ready",
        "intent": "order",
        "description": "Take a ten-minute walk, and note how you felt",
        "for": {"reference": _ROBIN},
        "requester": {"reference": _KIM},
        "owner": {"reference": _ROBIN},
    },
)


async def ensure(connection: asyncpg.Connection[Any], tenant_id: int, base: str, data_dir: Path, key: bytes) -> Cast:
    """The kept cast as far as the database knows it (it may be another than last time); who is missing is made.

    `base` is the tenant's FHIR base, `key` settings.secret().
    """
    kept = load(data_dir)
    backend = None if kept is None else kept.backend
    people = None if kept is None else kept.people
    robin, kim = (None, None) if people is None else (people.robin, people.kim)
    diary, chart, ehr = (None, None, None) if people is None else (people.diary, people.chart, people.ehr)
    await seed.records(connection, tenant_id, base, _RECORDS)
    made = Cast(
        await _client(connection, tenant_id, _BACKEND, backend),
        People(
            await _person(connection, tenant_id, "robin@demo.example", "Robin Sample", _ROBIN, robin),
            await _with_second_factor(
                connection,
                tenant_id,
                await _person(connection, tenant_id, "kim@demo.example", "Kim Example", _KIM, kim),
                key,
            ),
            await _client(connection, tenant_id, _DIARY, diary),
            await _client(connection, tenant_id, _CHART, chart),
            await _client(connection, tenant_id, _EHR, ehr),
        ),
    )
    if made != kept:
        save(made, data_dir)
    return made


async def _client(
    connection: asyncpg.Connection[Any], tenant_id: int, new: NewClient, kept: Credentials | None
) -> Credentials:
    known = None if kept is None else await clients.find(connection, tenant_id, kept.client_id)
    if kept is None or known is None or known.scope != new.scope:
        return await clients.register(connection, tenant_id, new)
    is_right = known.secret_hash is None or secret.matches(kept.client_secret, known.secret_hash)
    return kept if is_right else await clients.register(connection, tenant_id, new)


async def _person(
    connection: asyncpg.Connection[Any], tenant_id: int, login: str, name: str, fhir_user: str, kept: Person | None
) -> Person:
    account = await accounts.by_login(connection, tenant_id, login)
    if account is not None and kept is not None:
        return kept
    person = Person(login, passwords.generate(), name, fhir_user)
    if account is None:
        await accounts.add(connection, tenant_id, NewAccount(login, name, fhir_user, person.password))
    else:
        await accounts.set_password(connection, tenant_id, account, person.password, dates.clock())
    return person


async def _with_second_factor(
    connection: asyncpg.Connection[Any], tenant_id: int, person: Person, key: bytes
) -> Person:
    """The person with a second factor, which practitioners need unless the settings say otherwise."""
    account = await accounts.by_login(connection, tenant_id, person.login)
    assert account is not None
    if account.has_second_factor and person.key:
        return person
    now = dates.clock()
    await second_factor.reset(connection, tenant_id, account.account_id, now)
    setup = await second_factor.start(connection, tenant_id, account, key, "Hearth")
    # Confirmed by a code of some minutes ago, so that those of today are still to be used.
    then = now - timedelta(minutes=5)
    code = pyotp.TOTP(setup.secret).at(then)
    await second_factor.confirm(connection, tenant_id, account.account_id, code, key, then)
    return replace(person, key=setup.secret)
