"""Random clinics and random tokens, each wholly said by its seed. What a seed makes in one house it makes in another."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from schemas import dates
from service.oauth.token import Access, mint
from tests.security.circles import ACT, CONFIDENTIALITY, FUTURE, PAST, consent, to
from tests.security.reference.world import Resource

PATIENTS: Final = ("pa", "pb", "pc", "019a0000-0000-7000-8000-00000000000d")
PRACTITIONERS: Final = ("dr", "du")
ROLES: Final = ("role-dr", "role-du")
RELATED: Final = ("ra", "rb")
CLEARABLE: Final = ("V", "HIV", "SUD", "PSYTHPN", "SDV")
ALL_CLEAR: Final = (*CLEARABLE, "ETH", "ETHUD", "OPIOIDUD", "42CFRPart2", "SEX", "MST", "HIPAAPsyNotes")
SENSITIVITY: Final = "https://hearth.health/fhir/CodeSystem/sensitivity"
TIMES: Final = ("2026-01-05", "2026-02-10T08:00:00Z", "2026-02-10T09:30:00Z", "2026-03-15", "2025-12-31T23:59:59Z")
_LATER: Final = (None, None, None, {"start": PAST, "end": FUTURE}, {"end": PAST}, {"start": FUTURE})
COUNTS: Final = {
    "Questionnaire": 2,
    "Organization": 2,
    "Encounter": 4,
    "Observation": 14,
    "Task": 9,
    "QuestionnaireResponse": 5,
    "Goal": 4,
    "CarePlan": 4,
    "Communication": 5,
    "DocumentReference": 3,
    "Provenance": 4,
    "Group": 3,
    "CareTeam": 5,
    "Consent": 5,
    "Device": 1,
}
TYPES: Final = ("Patient", "Practitioner", "PractitionerRole", "RelatedPerson", *COUNTS)


class Generator:
    """Makes resources by one seeded source of chance."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - made again by its seed
        self.ids = {
            "Patient": PATIENTS,
            "Practitioner": PRACTITIONERS,
            "PractitionerRole": ROLES,
            "RelatedPerson": RELATED,
            **{name: tuple(self._id(name, at) for at in range(count)) for name, count in COUNTS.items()},
        }

    def _id(self, name: str, at: int) -> str:
        if at % 4 == 3:
            return str(UUID(int=(0x019A << 112) | (0x7000 << 64) | (0x8 << 60) | (TYPES.index(name) << 8) | at))
        return f"{name.lower()}-{at}"

    def chance(self, share: float) -> bool:
        """True as often as `share` says."""
        return self.random.random() < share

    def any(self, *types: str) -> dict[str, str]:
        """A reference to some resource of these types."""
        name = self.random.choice(types)
        return to(f"{name}/{self.random.choice(self.ids[name])}")

    def patient(self) -> dict[str, str]:
        """A reference to a Patient; the first two more often."""
        return to(f"Patient/{self.random.choice((*PATIENTS, *PATIENTS[:2]))}")

    def meta(self) -> dict[str, Any]:
        """Some labels, most often none."""
        codes = self.random.sample((*CLEARABLE, "R", "BH"), self.random.choice((0, 0, 0, 0, 1, 1, 2)))
        if not codes:
            return {}
        systems = {"V": CONFIDENTIALITY, "R": CONFIDENTIALITY}
        return {"meta": {"security": [{"system": systems.get(code, ACT), "code": code} for code in codes]}}

    def resource(self, type_name: str, resource_id: str) -> Resource:
        """A resource of the type; Patients and those who work with them carry no label."""
        made: dict[str, Any] = {"resourceType": type_name, "id": resource_id}
        if type_name not in ("Patient", "Practitioner", "PractitionerRole", "RelatedPerson"):
            made |= self.meta()
        made |= _MAKERS[type_name](self)
        if type_name == "Task":  # of one id always the same: which state may follow which is tested elsewhere
            made["status"] = ("ready", "in-progress", "draft", "ready")[sum(map(ord, resource_id)) % 4]
        if type_name == "RelatedPerson" and self.chance(0.8):
            made["patient"] = to(f"Patient/{PATIENTS[RELATED.index(resource_id) if resource_id in RELATED else 0]}")
        return {name: value for name, value in made.items() if value is not None and value != []}

    def period(self) -> Any:
        return self.random.choice(_LATER)

    def some(self, *types: str, share: float = 0.5) -> dict[str, str] | None:
        return self.any(*types) if self.chance(share) else None

    def time(self) -> str | None:
        return self.random.choice((*TIMES, None))

    def steps(self) -> list[list[tuple[str, str, Resource | None]]]:
        """What is written, one transaction each: everything once, then changes and deletions of some of it."""
        names = [(name, each) for name in self.ids for each in self.ids[name]]
        made: list[list[tuple[str, str, Resource | None]]] = [[(*name, self.resource(*name)) for name in names]]
        for _ in range(3):
            step: list[tuple[str, str, Resource | None]] = []
            for name in names:
                if self.chance(0.2):
                    gone = self.chance(0.25) and name[0] not in ("Practitioner", "RelatedPerson", "Patient")
                    step.append((*name, None if gone else self.resource(*name)))
            made.append(step)
        return made

    def diary(self) -> list[Resource]:
        """What clients keep to themselves."""
        label = {"meta": {"security": [{"system": SENSITIVITY, "code": "client-only"}]}}
        return [
            self.resource("Observation", f"diary-{each}")
            | label
            | {"subject": to(f"Patient/{each}"), "performer": [to(f"Patient/{each}")]}
            for each in PATIENTS[:2]
        ]


def _observation(g: Generator) -> dict[str, Any]:
    return {
        "status": g.random.choice(("final", "preliminary")),
        "code": {"coding": [{"system": "urn:c", "code": g.random.choice(("mood", "sleep", "pain"))}]},
        "subject": g.patient() if g.chance(0.85) else g.some("Group"),
        "effectiveDateTime": g.time(),
        "performer": [
            g.any("Patient", "Practitioner", "RelatedPerson", "PractitionerRole")
            for _ in range(g.random.choice((0, 1, 1, 2)))
        ],
        "hasMember": [g.any("Observation")] if g.chance(0.4) else [],
        "derivedFrom": [g.any("Observation", "QuestionnaireResponse")] if g.chance(0.3) else [],
        "encounter": g.some("Encounter", share=0.3),
    }


def _task(g: Generator) -> dict[str, Any]:
    return {
        "intent": "order",
        "for": g.patient() if g.chance(0.7) else None,
        "owner": g.some("Patient", "Practitioner", "RelatedPerson", share=0.6),
        "requester": g.some("Practitioner", share=0.5),
        "partOf": [g.any("Task")] if g.chance(0.3) else [],
        "focus": g.some("Questionnaire", "CarePlan", "Goal", share=0.4),
        "authoredOn": g.time(),
    }


def _group(g: Generator) -> dict[str, Any]:
    members = [{"entity": to(f"Patient/{each}")} for each in g.random.sample(PATIENTS, g.random.randint(1, 3))]
    return {"type": "person", "actual": True, "member": members, "quantity": len(members) if g.chance(0.5) else None}


def _consent(g: Generator) -> dict[str, Any]:
    at = g.random.randrange(2)
    patient, actor = PATIENTS[at], to(f"RelatedPerson/{RELATED[at] if g.chance(0.8) else g.random.choice(RELATED)}")
    named = [{"role": {"text": "reader"}, "reference": actor}]
    some = [{"system": "http://hl7.org/fhir/resource-types", "code": each} for each in ("Observation", "Patient")]
    kind = g.random.choice(("permit", "permit", "permit", "deny", "but"))
    root: dict[str, Any] = {"type": "deny" if kind == "deny" else "permit"}
    root |= {"actor": named} if kind != "deny" or g.chance(0.7) else {}
    root |= {"class": some} if g.chance(0.3) else {}
    root |= {"period": period} if (period := g.period()) else {}
    root |= {"provision": [{"type": "deny", "class": some[:1]}]} if kind == "but" else {}
    made = consent(f"Patient/{patient}", root, status=g.random.choice(("active", "active", "active", "inactive")))
    return {name: value for name, value in made.items() if name != "resourceType"}


def _related(g: Generator) -> dict[str, Any]:
    return {
        "patient": to(f"Patient/{g.random.choice(PATIENTS[:2])}"),
        "active": g.random.choice((True, None, None, False)),
        "period": g.period(),
    }


def _team(g: Generator) -> dict[str, Any]:
    members = [
        {"member": g.any("Practitioner", "PractitionerRole", "RelatedPerson", "Patient")}
        | ({"period": period} if (period := g.period()) else {})
        for _ in range(g.random.randint(1, 2))
    ]
    return {
        "status": g.random.choice(("active", "active", "active", "inactive")),
        "subject": g.patient(),
        "participant": members,
        "period": g.period(),
    }


_MAKERS: Final[dict[str, Callable[[Generator], dict[str, Any]]]] = {
    "Patient": lambda g: {
        "name": [{"family": g.random.choice(("Adams", "Baker", "Cole"))}],
        "birthDate": g.random.choice(("1980", "1990-05-01", None)),
        "gender": g.random.choice(("male", "female", "other", None)),
        "generalPractitioner": [g.any("Practitioner")],
    },
    "Practitioner": lambda g: {"name": [{"family": g.random.choice(("Dunn", "Eliot"))}], "active": True},
    "PractitionerRole": lambda g: {
        "practitioner": g.any("Practitioner"),
        "active": g.random.choice((True, None, False)),
        "period": g.period(),
        "organization": g.any("Organization"),
    },
    "RelatedPerson": _related,
    "Questionnaire": lambda g: {
        "status": g.random.choice(("active", "draft")),
        "title": g.random.choice(("Mood", "Sleep")),
    },
    "Organization": lambda g: {"name": g.random.choice(("Clinic", "House"))},
    "Encounter": lambda g: {
        "status": g.random.choice(("finished", "in-progress", "cancelled")),
        "class": {"code": "AMB"},
        "subject": g.patient(),
        "participant": [{"individual": g.any("Practitioner", "PractitionerRole", "RelatedPerson")}],
    },
    "Observation": _observation,
    "Task": _task,
    "QuestionnaireResponse": lambda g: {
        "status": g.random.choice(("in-progress", "completed")),
        "subject": g.patient() if g.chance(0.8) else None,
        "author": g.some("Patient", "Practitioner", "RelatedPerson"),
        "source": g.some("Patient", "Practitioner"),
        "authored": g.time(),
    },
    "Goal": lambda g: {
        "lifecycleStatus": g.random.choice(("active", "completed")),
        "description": {"text": "walk"},
        "subject": g.patient(),
        "startDate": g.random.choice(("2026-01-01", "2026-02-01", None)),
    },
    "CarePlan": lambda g: {
        "status": "active",
        "intent": "plan",
        "subject": g.patient(),
        "goal": [g.any("Goal")] if g.chance(0.5) else [],
        "activity": [{"detail": {"status": "scheduled", "performer": [g.any("Patient", "Practitioner")]}}]
        if g.chance(0.5)
        else [],
    },
    "Communication": lambda g: {
        "status": "completed",
        "subject": g.patient() if g.chance(0.5) else None,
        "sender": g.some("Patient", "Practitioner", "RelatedPerson"),
        "recipient": [g.any("Patient", "Practitioner", "RelatedPerson")] if g.chance(0.7) else [],
        "sent": g.random.choice((*TIMES[1:3], None)),
    },
    "DocumentReference": lambda g: {
        "status": "current",
        "subject": g.patient() if g.chance(0.8) else g.any("Practitioner"),
        "date": g.random.choice((*TIMES[1:3], None)),
        "author": [g.any("Patient", "Practitioner", "RelatedPerson")],
        "content": [{"attachment": {"title": "note"}}],
    },
    "Provenance": lambda g: {
        "recorded": g.random.choice(TIMES[1:3]),
        "agent": [{"who": g.any("Practitioner", "Patient")}],
        "target": [g.any("Observation", "Task", "Patient") for _ in range(g.random.randint(1, 2))],
    },
    "Group": _group,
    "CareTeam": _team,
    "Consent": _consent,
    "Device": lambda g: {"patient": g.patient()},
}


def bundle(step: list[tuple[str, str, Resource | None]]) -> Resource:
    """A transaction that writes the step."""
    entries = []
    for name, resource_id, resource in step:
        request = {"method": "DELETE" if resource is None else "PUT", "url": f"{name}/{resource_id}"}
        entries.append({"request": request} | ({} if resource is None else {"resource": resource}))
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


async def token(house: Any, access: Access) -> str:
    """A token of the house that stands for it."""
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        return await mint(connection, house.tenant_id, access, dates.clock())


def access(scope: str, **more: Any) -> Access:
    """What stands in a token that lasts an hour."""
    return Access("app", scope, dates.clock() + timedelta(hours=1), **more)


async def furnish(house: Any, seed: int) -> None:
    """Write the clinic of a seed into the house."""
    made = Generator(seed)
    async with house.client(await token(house, access("system/*.cruds", clearance=ALL_CLEAR))) as http:
        for step in made.steps():
            answer = await http.post("", json=bundle(step), headers={"Prefer": "return=minimal"})
            assert answer.status_code == 200, answer.text
    for resource in made.diary():
        patient = resource["subject"]["reference"]
        own = access("patient/*.cruds", fhir_user=patient, patient=patient.partition("/")[2])
        async with house.client(await token(house, own)) as http:
            answer = await http.put(f"Observation/{resource['id']}", json=resource)
            assert answer.status_code == 201, answer.text


# --- tokens --------------------------------------------------------------------------------------------------------------

_LETTERS: Final = ("rs", "cruds", "r", "s", "rs", "cud", "us", "ruds", "crs")
_CONSTRAINTS: Final = {
    "Observation": (
        "code=urn:c|mood",
        "code:not=urn:c|sleep",
        "status=final",
        "performer:missing=true",
        "date=ge2026-02-01",
        "patient=Patient/pa,Patient/pb",
        "status=final&code=mood,pain",
        "_security:not=R",
    ),
    "Task": ("status=ready", "owner=Patient/pa", "owner:missing=false", "authored-on=lt2026-03"),
    "Patient": ("family=a", "gender=female,male", "birthdate=1990-05-01", "gender:not=male"),
    "Communication": ("sender:missing=true", "sent=2026-02-10"),
    "QuestionnaireResponse": ("status=completed", "author=Patient/pa"),
}


def policy(seed: int) -> Access:
    """A random token: of a machine or a person, with random scopes, context, clearance and reach."""
    chance = random.Random(f"policy {seed}")  # noqa: S311 - made again by its seed
    kind = ("Patient", "Practitioner", "RelatedPerson", "", "Practitioner", "Patient")[seed % 6]
    people = {"Patient": PATIENTS, "Practitioner": PRACTITIONERS, "RelatedPerson": RELATED}
    user = f"{kind}/{chance.choice(people[kind])}" if kind else None
    levels = ("system",) if not kind else chance.choice((("user",), ("patient",), ("user", "patient")))
    if kind == "" and chance.random() < 0.2:
        levels = ("patient",)
    patient = None
    if "patient" in levels:
        patient = user.partition("/")[2] if user and kind == "Patient" else chance.choice(PATIENTS[:3])
    clearance = tuple(chance.sample(CLEARABLE, chance.choice((0, 0, 1, 2, 5))))
    reach = chance.choice(("care-team", "care-team", "encounter", "tenant")) if kind == "Practitioner" else ""
    wide = [f"{chance.choice(levels)}/*.{chance.choice(('cruds', 'rs', 'ruds'))}"] if chance.random() < 0.5 else []
    scope = " ".join(
        [*wide, *(_scope(chance, levels) for _ in range(chance.choice((1, 2, 4, 6)))), "openid", "fhirUser"]
    )
    return access(scope, fhir_user=user, patient=patient, clearance=clearance, reach=reach)


def _scope(chance: random.Random, levels: tuple[str, ...]) -> str:
    level, roll = chance.choice(levels), chance.random()
    if roll < 0.3:
        return f"{level}/*.{chance.choice((*_LETTERS, 'read', '*', 'write'))}"
    if roll < 0.55:
        name = chance.choice(sorted(_CONSTRAINTS))
        return f"{level}/{name}.{chance.choice(_LETTERS)}?{chance.choice(_CONSTRAINTS[name])}"
    return f"{level}/{chance.choice(TYPES)}.{chance.choice(_LETTERS)}"
