"""Random people, care and records, made again by the same seed: what the plain filter and the server are compared on."""

import random
from dataclasses import dataclass, field
from typing import Any, Final

from tests.security.circles import FUTURE, PAST, consent, deny, labelled, of_type, permit, team, to

JsonObject = dict[str, Any]
PATIENTS: Final = tuple(f"Patient/p{number}" for number in range(4))
PRACTITIONERS: Final = tuple(f"Practitioner/d{number}" for number in range(3))
ROLES: Final = ("PractitionerRole/r1", "PractitionerRole/r2")
RELATED: Final = ("RelatedPerson/k0", "RelatedPerson/k1")
LABELS: Final = ((), (), (), (), ("R",), ("BH",), ("V",), ("PSYTHPN",), ("HIV",), ("SUD", "R"))
CODES: Final = ("a", "b")
CATEGORIES: Final = ("survey", "vital-signs")
TASK_STATES: Final = ("ready", "in-progress", "completed")


@dataclass
class World:
    """`current` are the resources that are there, by type and id; `versions` all that were, None for a deletion."""

    rng: random.Random
    current: dict[str, JsonObject] = field(default_factory=dict)
    versions: dict[str, list[JsonObject | None]] = field(default_factory=dict)
    steps: list[tuple[str, JsonObject | None]] = field(default_factory=list)

    def put(self, resource: JsonObject) -> str:
        """Write one version."""
        name = f"{resource['resourceType']}/{resource['id']}"
        self.current[name] = resource
        self.versions.setdefault(name, []).append(resource)
        self.steps.append((name, resource))
        return name

    def delete(self, name: str) -> None:
        """Delete it."""
        del self.current[name]
        self.versions[name].append(None)
        self.steps.append((name, None))

    def patient(self) -> str:
        return self.rng.choice(PATIENTS)

    def maybe(self, chance: float) -> bool:
        return self.rng.random() < chance


def made(seed: int) -> World:
    """The world of a seed."""
    world = World(random.Random(seed))  # noqa: S311 - made again by its seed
    for number, name in enumerate(PATIENTS):
        world.put({"resourceType": "Patient", "id": name.partition("/")[2], "name": [{"family": f"Family{number}"}]})
    for name in PRACTITIONERS:
        world.put({"resourceType": "Practitioner", "id": name.partition("/")[2]})
    _admit(world)
    world.put({"resourceType": "Organization", "id": "org", "name": "Clinic"} | labelled("R"))
    for number in range(34):
        world.put(_record(world, f"x{number}"))
    _change(world)
    return world


def _admit(world: World) -> None:
    rng = world.rng
    for role, practitioner, active in (("r1", PRACTITIONERS[1], True), ("r2", PRACTITIONERS[2], world.maybe(0.5))):
        world.put({"resourceType": "PractitionerRole", "id": role, "practitioner": to(practitioner), "active": active})
    for number, name in enumerate(RELATED):
        body = {"resourceType": "RelatedPerson", "id": name.partition("/")[2], "patient": to(PATIENTS[number])}
        world.put(body | ({"active": False} if world.maybe(0.2) else {}))
    for number in range(5):
        members = rng.sample(PRACTITIONERS + ROLES, rng.choice((1, 1, 2)))
        made = team(
            world.patient(), *members, name=f"t{number}", status=rng.choice(("active", "active", "active", "inactive"))
        )
        for participant in made["participant"]:
            participant |= _period(world)
        world.put(made | _period(world))
    for number in range(3):
        world.put(
            {
                "resourceType": "Encounter", "id": f"e{number}", "subject": to(world.patient()), "class": {"code": "AMB"},
                "status": rng.choice(("finished", "in-progress", "cancelled")),
                "participant": [{"individual": to(rng.choice(PRACTITIONERS))}],
            }
        )  # fmt: skip
    for number in range(4):
        rule = rng.choice((permit, permit, permit, deny))(rng.choice(RELATED), **_period(world))
        rule |= of_type("Observation", "Task") if world.maybe(0.3) else {}
        status = {} if world.maybe(0.8) else {"status": "inactive"}
        world.put(consent(rng.choice(PATIENTS[:2]), rule, name=f"c{number}", **status))


def _period(world: World) -> JsonObject:
    return world.rng.choice(({}, {}, {}, {"period": {"end": FUTURE}}, {"period": {"start": PAST, "end": "2021-01-01"}}))


def _record(world: World, name: str) -> JsonObject:
    kind = world.rng.choice(("Observation",) * 4 + ("Task",) * 4 + tuple(_KINDS))
    made: JsonObject = {"resourceType": kind, "id": name} | _KINDS[kind](world)
    labels = world.rng.choice(LABELS)
    return made | labelled(*labels) if labels else made


def _observation(world: World) -> JsonObject:
    rng = world.rng
    body: JsonObject = {
        "status": "final",
        "code": {"coding": [{"system": "http://x", "code": rng.choice(CODES)}]},
        "category": [{"coding": [{"system": "http://y", "code": rng.choice(CATEGORIES)}]}],
        "effectiveDateTime": f"2026-0{rng.randint(1, 9)}-10",
    }
    if world.maybe(0.85):
        body["subject"] = to(world.patient())
    if world.maybe(0.3):
        body["performer"] = [to(rng.choice(PATIENTS + PRACTITIONERS))]
    return body


def _task(world: World) -> JsonObject:
    rng = world.rng
    body: JsonObject = {"status": rng.choice(TASK_STATES), "intent": "order"}
    if world.maybe(0.75):
        body["for"] = to(world.patient())
    if world.maybe(0.5):
        body["owner"] = to(rng.choice(PATIENTS + PRACTITIONERS + RELATED))
    if world.maybe(0.3):
        body["requester"] = to(rng.choice(PRACTITIONERS))
    heads = [each for each in world.current if each.startswith("Task/")]
    if heads and world.maybe(0.3):
        body["partOf"] = [to(rng.choice(heads))]
    return body


def _communication(world: World) -> JsonObject:
    rng = world.rng
    body: JsonObject = {"status": "completed", "sender": to(rng.choice(PATIENTS + PRACTITIONERS))}
    return body | ({"subject": to(world.patient())} if world.maybe(0.6) else {})


def _group(world: World) -> JsonObject:
    members = world.rng.sample(PATIENTS, 2)
    return {"type": "person", "actual": True, "member": [{"entity": to(each)} for each in members]}


def _provenance(world: World) -> JsonObject:
    targets = [world.patient(), *world.rng.sample(sorted(world.current), 1)]
    return {
        "target": [to(each) for each in world.rng.sample(targets, world.rng.choice((1, 2)))],
        "recorded": "2026-01-01T00:00:00Z",
        "agent": [{"who": to(world.rng.choice(PRACTITIONERS))}],
    }


_KINDS: Final = {
    "Observation": _observation,
    "Task": _task,
    "Communication": _communication,
    "Group": _group,
    "Provenance": _provenance,
    "Goal": lambda world: {
        "lifecycleStatus": "active", "description": {"text": "walk"}, "subject": to(world.patient()),
    },
    "CarePlan": lambda world: {"status": "active", "intent": "plan", "subject": to(world.patient())},
    "Questionnaire": lambda world: {"status": "draft"},
    "QuestionnaireResponse": lambda world: {
        "status": "in-progress", "subject": to(world.patient()), "author": to(world.rng.choice(PATIENTS)),
    },
}  # fmt: skip


def _change(world: World) -> None:
    """Some resources get other versions: labels come and go, subjects change, memberships end; some are deleted."""
    rng = world.rng
    for name in [each for each in sorted(world.current) if each.partition("/")[2].startswith("x")]:
        if world.maybe(0.25):
            kind, _, own = name.partition("/")
            again = {"resourceType": kind, "id": own} | _KINDS[kind](world)
            again.pop("partOf", None)  # no Task is a part of itself
            world.put(again | (labelled(*labels) if (labels := rng.choice(LABELS)) else {}))
        if world.maybe(0.1):
            world.delete(name)
    for name in ("CareTeam/t0", "Encounter/e0", "Consent/c0"):
        if world.maybe(0.3):
            world.delete(name)
