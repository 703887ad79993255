"""Workloads under the tokens of persons, and tokens by assertion: what authorization adds to a request.

https://hl7.org/fhir/smart-app-launch/STU2.2/
"""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

import asyncpg
from joserfc import jwt
from joserfc.jwk import ECKey
from load import Script, Workload
from place import FORM, TENANT
from stage import CALLERS, Stage, over

from schemas import dates, json
from service.oauth import clients
from service.oauth.assertion import LIFETIME, TYPE
from service.oauth.metadata import NewClient
from service.oauth.token import Access
from service.tenants import REACHES

CASELOAD: Final = 40
"""How many patients a practitioner has."""
_PER_SECOND: Final = 2000


async def read_as_patient(stage: Stage) -> Workload:
    """Each read by the patient whose record it is."""
    requests = []
    for patient in (await stage.sample.busy("Observation", limit=100))[:100]:
        own = await _minted(stage, patient, "patient/*.rs", patient.partition("/")[2])
        requests += [stage.get_as(own, reference) for reference in await _observations(stage, patient, 10)]
    return over(requests)


async def read_as_practitioner(stage: Stage) -> Workload:
    """Each read by a practitioner on the patient's care team, who has a caseload."""
    requests = []
    for own, patients in await _practice(stage):
        for patient in patients[:5]:
            requests += [stage.get_as(own, reference) for reference in await _observations(stage, patient, 4)]
    return over(requests)


async def read_as_relative(stage: Stage) -> Workload:
    """Each read by a related person to whom the patient consented."""
    requests = []
    for patient in await stage.sample.busy("Observation", limit=40):
        person = {"resourceType": "RelatedPerson", "patient": {"reference": patient}}
        made = await stage.connection.ask(stage.post("RelatedPerson", person))
        relative = f"RelatedPerson/{made.json()['id']}"
        await stage.connection.ask(stage.post("Consent", _consent(patient, relative)))
        own = await _minted(stage, relative, "user/*.rs", None)
        requests += [stage.get_as(own, reference) for reference in await _observations(stage, patient, 10)]
    return over(requests)


async def tasks_as_practitioner(stage: Stage) -> Workload:
    """Open Tasks of a patient in the caseload."""
    return over(
        [
            stage.get_as(own, f"Task?patient={patient}&status=ready&_count=20")
            for own, patients in await _practice(stage)
            for patient in patients
        ]
    )


async def tokens_by_assertion(stage: Stage) -> Workload:
    """A token for an ES384 assertion; every one is used once."""
    key = ECKey.generate_key("P-384", {"kid": "bench"}, private=True)
    keys = json.encode({"keys": [key.as_dict(private=False)]}).decode()
    new = NewClient("bench-es384", "system/*.rs", auth_method="private_key_jwt", jwks=keys)
    connection = await asyncpg.connect(stage.place.url)
    try:
        made = await clients.register(connection, TENANT, new)
    finally:
        await connection.close()
    count = CALLERS * 8 + int(stage.seconds * _PER_SECOND)
    requests = iter([_asked(stage, made.client_id, key) for _ in range(count)])

    def script(_number: int) -> Script:
        for request in requests:  # noqa: UP028 - a script takes answers, an iterator does not
            yield request

    return script


def _asked(stage: Stage, client_id: str, key: ECKey) -> bytes:
    now = dates.clock()
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": f"http://127.0.0.1:{stage.place.port}/oauth/token",
        "exp": int((now + LIFETIME).timestamp()),
        "jti": str(uuid.uuid4()),
    }
    signed = jwt.encode({"alg": "ES384", "kid": "bench", "typ": "JWT"}, claims, key, algorithms=["ES384"])
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": quote(TYPE, safe=""),
        "client_assertion": signed,
    }
    body = "&".join(f"{name}={value}" for name, value in form.items()).encode()
    return stage.place.request("POST", "/oauth/token", body, {"Content-Type": FORM})


async def _practice(stage: Stage) -> list[tuple[str, Sequence[str]]]:
    """(access token, patients) of practitioners, whose CareTeams are made by the way."""
    patients = await stage.sample.busy("Observation", limit=CASELOAD * 4)
    found = []
    for start, practitioner in zip(
        range(0, len(patients), CASELOAD), await stage.sample.some("Practitioner"), strict=False
    ):
        caseload = patients[start : start + CASELOAD]
        for patient in caseload:
            await stage.connection.ask(stage.post("CareTeam", _team(patient, practitioner)))
        found.append((await _minted(stage, practitioner, "user/*.rs", None), caseload))
    return found


def _team(patient: str, practitioner: str) -> dict[str, Any]:
    return {
        "resourceType": "CareTeam",
        "status": "active",
        "subject": {"reference": patient},
        "participant": [{"member": {"reference": practitioner}}],
    }


def _consent(patient: str, relative: str) -> dict[str, Any]:
    actor = {"role": {"text": "reader"}, "reference": {"reference": relative}}
    scope = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [scope]},
        "category": [{"text": "privacy"}],
        "patient": {"reference": patient},
        "policyRule": {"text": "as agreed"},
        "provision": {"type": "permit", "actor": [actor]},
    }


async def _minted(stage: Stage, fhir_user: str, scope: str, patient: str | None) -> str:
    expires = dates.clock() + timedelta(hours=1)
    access = Access("bench", scope, expires, fhir_user=fhir_user, patient=patient, reach=REACHES[0])
    return await stage.place.mint(access)


async def _observations(stage: Stage, patient: str, count: int) -> list[str]:
    answer = await stage.connection.ask(stage.get(f"Observation?patient={patient}&_count={count}&_elements=id"))
    return [f"Observation/{entry['resource']['id']}" for entry in answer.json().get("entry", ())]
