"""A clinic with three clients and those who work with them, and the tokens that they come with."""

from datetime import timedelta
from typing import Any, Final

import httpx

from schemas import dates
from service.oauth.token import Access, mint

ACT: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
PAST: Final = "2020-01-01"
FUTURE: Final = "2199-01-01"


def to(reference: str) -> dict[str, str]:
    return {"reference": reference}


def labelled(*codes: str) -> dict[str, Any]:
    ours = "https://hearth.health/fhir/CodeSystem/sensitivity"
    systems = {"V": CONFIDENTIALITY, "client-only": ours, "staff-only": ours}
    return {"meta": {"security": [{"system": systems.get(code, ACT), "code": code} for code in codes]}}


def observation(subject: str, name: str | None = None, **more: Any) -> dict[str, Any]:
    body = {"resourceType": "Observation", "status": "final", "code": {"text": "mood"}, "subject": to(subject)}
    return body | ({"id": name} if name else {}) | more


def team(subject: str, *members: str, name: str | None = None, **more: Any) -> dict[str, Any]:
    body = {
        "resourceType": "CareTeam", "status": "active", "subject": to(subject),
        "participant": [{"member": to(member)} for member in members],
    }  # fmt: skip
    return body | ({"id": name} if name else {}) | more


def consent(patient: str, provision: dict[str, Any], name: str | None = None, **more: Any) -> dict[str, Any]:
    body = {
        "resourceType": "Consent", "status": "active", "patient": to(patient), "provision": provision,
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": ACT, "code": "IDSCL"}]}],
        "policyRule": {"text": "as agreed"},
    }  # fmt: skip
    return body | ({"id": name} if name else {}) | more


def permit(actor: str, **more: Any) -> dict[str, Any]:
    return {"type": "permit", "actor": [{"role": {"text": "reader"}, "reference": to(actor)}]} | more


def deny(*actors: str, **more: Any) -> dict[str, Any]:
    named = [{"role": {"text": "reader"}, "reference": to(actor)} for actor in actors]
    return {"type": "deny"} | ({"actor": named} if named else {}) | more


def of_type(*names: str) -> dict[str, Any]:
    return {"class": [{"system": "http://hl7.org/fhir/resource-types", "code": name} for name in names]}


class Clinic:
    """One tenant; `system` is a client of it that may do everything."""

    def __init__(self, house: Any, system: httpx.AsyncClient) -> None:
        self.house, self.system = house, system
        self._open: list[httpx.AsyncClient] = []

    async def put(self, *resources: dict[str, Any]) -> None:
        for each in resources:
            answer = await self.system.put(f"{each['resourceType']}/{each['id']}", json=each)
            assert answer.status_code in (200, 201), answer.text

    async def furnish(self) -> None:
        """Ann, Ben and Cas, a therapist of Ann's, a stranger, and Ann's mother."""
        for name in ("ann", "ben", "cas"):
            await self.put({"resourceType": "Patient", "id": name, "name": [{"family": name}]})
            await self.put(observation(f"Patient/{name}", f"obs-{name}"))
        await self.put({"resourceType": "Practitioner", "id": "thera"}, {"resourceType": "Practitioner", "id": "other"})
        await self.put(team("Patient/ann", "Practitioner/thera", name="team-ann"))
        await self.put({"resourceType": "RelatedPerson", "id": "mum", "patient": to("Patient/ann")})

    async def as_person(self, user: str | None, scope: str, **access: Any) -> httpx.AsyncClient:
        """Who comes with a token of this person's."""
        now = dates.clock()
        access = {"reach": "care-team"} | access
        made = Access("app", scope, now + timedelta(hours=1), fhir_user=user, **access)
        async with self.house.app.engine.database.connection(self.house.tenant_id) as connection:
            token = await mint(connection, self.house.tenant_id, made, now)
        http: httpx.AsyncClient = self.house.client(token)
        self._open.append(http)
        return http

    async def close(self) -> None:
        for each in self._open:
            await each.aclose()


async def found(http: httpx.AsyncClient, query: str, **headers: str) -> list[str]:
    """What a search finds, by type and id, in one order."""
    answer = await http.get(query, headers=headers)
    assert answer.status_code == 200, answer.text
    return sorted(f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in answer.json().get("entry", []))
