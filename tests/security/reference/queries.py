"""Random searches, and the includes and orders that are compared."""

import random
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from tests.security.reference.matching import PARAMETERS
from tests.security.reference.world import World

SORTS: Final = (
    ("Observation", "_id", "key"),
    ("Observation", "_lastUpdated", "updated"),
    ("Observation", "date", "date"),
    ("Observation", "patient", "patient"),
    ("Patient", "family", "text"),
    ("Patient", "birthdate", "date"),
    ("Task", "authored-on", "date"),
    ("Task", "_lastUpdated", "updated"),
    ("Communication", "sent", "date"),
    ("QuestionnaireResponse", "authored", "date"),
    ("Goal", "start-date", "date"),
    ("Organization", "name", "text"),
    ("Provenance", "recorded", "date"),
    ("Task", "patient", "patient"),
)
"""(type, parameter, what its values are)."""
_VALUES: Final = {
    "gender": ("male", "female"),
    "family": ("a", "Baker", "c", "du"),
    "birthdate": ("1980", "ge1985"),
    "status": ("final", "active", "ready", "completed", "in-progress", "finished"),
    "code": ("mood", "urn:c|sleep", "pain,mood"),
    "lifecycle-status": ("active",),
    "date": ("ge2026-02-01", "lt2026-02-10", "2026-02-10"),
    "sent": ("2026-02", "gt2026-02-10"),
    "authored": ("ge2026-02-01", "2026-02-10"),
    "authored-on": ("le2026-02-10", "2026-02"),
    "recorded": ("2026-02-10",),
    "start-date": ("2026-01", "ge2026-02"),
    "type": ("person",),
    "title": ("mo",),
    "name": ("cl", "house"),
    "active": ("true", "false"),
    "_security": ("HIV", "V", "R", "client-only"),
    "identifier": ("x",),
}
_CHAINS: Final = {
    "Observation": (
        "patient.family=a",
        "subject:Patient.gender=female",
        "performer:Patient.family=b",
        "has-member.status=final",
        "has-member.code=mood",
        "encounter.status=finished",
        "performer:Practitioner.family=d",
        "derived-from:Observation.code=mood",
        "has-member.performer:Patient.gender=male",
        "subject:Group.member=Patient/pb",
        "_has:Observation:has-member:status=final",
        "_has:Provenance:target:recorded=2026-02-10",
        "_has:Observation:has-member:_has:Provenance:target:agent=Practitioner/dr",
        "_has:Observation:has-member:patient.family=c",
    ),
    "Patient": (
        "_has:Observation:patient:code=mood",
        "_has:Observation:performer:status=final",
        "_has:Task:owner:status=ready",
        "_has:Group:member:type=person",
        "_has:CareTeam:patient:participant=Practitioner/dr",
        "_has:Consent:patient:status=active",
        "_has:Observation:patient:_security=HIV",
        "_has:Task:patient:part-of.status=ready",
        "general-practitioner.family=d",
    ),
    "Task": (
        "owner:Patient.family=a",
        "part-of.status=ready",
        "part-of.owner=Patient/pa",
        "patient.gender=female",
        "focus:CarePlan.status=active",
        "_has:Task:part-of:status=completed",
        "requester:Practitioner.family=e",
    ),
    "Group": (
        "member=Patient/pa",
        "member=Patient/pb",
        "member:missing=false",
        "member:Patient.family=a",
        "member.gender=male",
    ),
    "CarePlan": ("goal.lifecycle-status=active", "patient.family=b"),
    "Practitioner": ("_has:PractitionerRole:practitioner:active=true",),
    "Goal": ("_has:CarePlan:goal:status=active",),
    "Provenance": ("target:Observation.status=final", "target:Task.status=ready"),
    "Encounter": ("_has:Observation:encounter:status=final", "participant:Practitioner.family=d"),
    "Organization": (),
    "Questionnaire": ("_has:Task:focus:status=ready",),
}


@dataclass(frozen=True)
class Query:
    """A search of one type by (parameter, value)."""

    type: str
    criteria: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """As in an address."""
        return "&".join(f"{quote(name, safe=':')}={quote(value, safe=',/:')}" for name, value in self.criteria)


@dataclass(frozen=True)
class Step:
    """One _include or _revinclude: along which parameter of which type."""

    type: str
    code: str
    target: str = ""
    reverse: bool = False
    again: bool = False

    @property
    def text(self) -> str:
        """As in an address."""
        words = f"_{'rev' if self.reverse else ''}include{':iterate' if self.again else ''}"
        return f"{words}={self.type}:{self.code}{':' + self.target if self.target else ''}"


@dataclass(frozen=True)
class Include:
    """A search with what comes along."""

    type: str
    steps: tuple[Step, ...]

    @property
    def text(self) -> str:
        """As in an address."""
        return "&".join(step.text for step in self.steps)


INCLUDES: Final = (
    Include("Observation", (Step("Observation", "patient"),)),
    Include("Observation", (Step("Observation", "performer"),)),
    Include("Observation", (Step("Observation", "performer", "Patient"),)),
    Include("Observation", (Step("Observation", "has-member", again=True),)),
    Include("Observation", (Step("Observation", "has-member", reverse=True),)),
    Include("Observation", (Step("Provenance", "target", reverse=True),)),
    Include("Observation", (Step("Observation", "encounter"), Step("Encounter", "participant", again=True))),
    Include("Patient", (Step("Observation", "patient", reverse=True),)),
    Include("Patient", (Step("Group", "member", reverse=True),)),
    Include("Patient", (Step("Task", "owner", reverse=True), Step("Task", "part-of", reverse=True, again=True))),
    Include("Task", (Step("Task", "part-of", again=True),)),
    Include("Task", (Step("Task", "owner"), Step("Task", "focus"))),
    Include("Group", (Step("Group", "member"),)),
    Include("CarePlan", (Step("CarePlan", "goal"), Step("CarePlan", "patient"))),
    Include("CareTeam", (Step("CareTeam", "participant"),)),
    Include(
        "PractitionerRole", (Step("PractitionerRole", "practitioner"), Step("CareTeam", "participant", reverse=True))
    ),
)


def queries(chance: random.Random, world: World, amount: int) -> list[Query]:
    """As many searches, of one or two criteria each."""
    types = ("Observation", "Observation", "Patient", "Task", "Group", *PARAMETERS)
    return [query_of(chance, world, chance.choice(types)) for _ in range(amount)]


def query_of(chance: random.Random, world: World, type_name: str) -> Query:
    """A search of this type."""
    made = [_criterion(chance, world, type_name)]
    if chance.random() < 0.3:
        made.append(_criterion(chance, world, type_name))
    return Query(type_name, tuple(dict(made).items()))


def _criterion(chance: random.Random, world: World, type_name: str) -> tuple[str, str]:
    chains = _CHAINS.get(type_name, ())
    if chains and chance.random() < 0.5:
        name, _, value = chance.choice(chains).partition("=")
        return name, value
    code = chance.choice((*PARAMETERS.get(type_name, ()), "_id", "_security"))
    kind = PARAMETERS.get(type_name, {}).get(code, ("token",))[0]
    if code == "_id":
        held = [each.id for each in world.current if each.type == type_name]
        return code, ",".join(chance.sample(held, min(2, len(held))) or ["none"])
    if chance.random() < 0.2:
        return f"{code}:missing", chance.choice(("true", "false"))
    if kind == "reference":
        return code, _target(chance, world, type_name, code)
    value = chance.choice(_VALUES[code])
    return (f"{code}:not", value) if kind == "token" and chance.random() < 0.3 else (code, value)


def _target(chance: random.Random, world: World, type_name: str, code: str) -> str:
    """A resource that something refers to by a parameter of this name."""
    code = "practitioner" if (type_name, code) == ("Encounter", "participant") else code
    wanted = {
        "patient": "Patient",
        "encounter": "Encounter",
        "has-member": "Observation",
        "part-of": "Task",
        "goal": "Goal",
        "practitioner": "Practitioner",
        "general-practitioner": "Practitioner",
        "requester": "Practitioner",
        "derived-from": "Observation",
    }.get(code, "Patient")
    held = [f"{each.type}/{each.id}" for each in world.current if each.type == wanted]
    return chance.choice(held) if held else f"{wanted}/none"
