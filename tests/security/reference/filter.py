"""Who may see and write what, said once more in plain loops over JSON, without anything of the code that asks the database.

docs/security.md, and R4's compartments written out by hand. https://hl7.org/fhir/R4/compartmentdefinition-patient.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from service.oauth.token import Access
from tests.security.reference import matching
from tests.security.reference.world import Resource, Version, World

SHARED: Final = ("Questionnaire", "Organization", "Practitioner", "PractitionerRole")
SUBJECT: Final = {
    "Observation": "subject", "QuestionnaireResponse": "subject", "Goal": "subject", "CarePlan": "subject",
    "Communication": "subject", "DocumentReference": "subject", "CareTeam": "subject", "Encounter": "subject",
    "Consent": "patient", "RelatedPerson": "patient", "Task": "for", "Provenance": "", "Group": "", "Patient": "",
}  # fmt: skip
"""The types that can be in a Patient's record, and the element that says whose record it is first of all."""
TAKING_PART: Final = {
    "Observation": ("performer",), "QuestionnaireResponse": ("author",), "CarePlan": ("activity.detail.performer",),
    "Communication": ("sender", "recipient"), "DocumentReference": ("author",), "CareTeam": ("participant.member",),
    "Provenance": ("target",), "Group": ("member.entity",), "Task": ("owner",),
}  # fmt: skip
"""The other elements by which a Patient has it in the record."""
PRACTITIONERS: Final = {
    "Observation": ("performer",), "QuestionnaireResponse": ("author", "source"),
    "CarePlan": ("activity.detail.performer",), "CareTeam": ("participant.member",),
    "Communication": ("sender", "recipient"), "DocumentReference": ("subject", "author", "authenticator"),
    "Encounter": ("participant.individual",), "Provenance": ("agent.who",), "Group": ("member.entity",),
    "Task": ("owner", "requester"),
}  # fmt: skip
"""The elements by which a practitioner has what is in no Patient's record."""
ACT: Final = (
    "http://terminology.hl7.org/CodeSystem/v3-ActCode", "http://hl7.org/fhir/v3/ActCode", "urn:oid:2.16.840.1.113883.5.4",
)  # fmt: skip
CONFIDENTIALITY: Final = (
    "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "http://hl7.org/fhir/v3/Confidentiality",
    "urn:oid:2.16.840.1.113883.5.25",
)  # fmt: skip
OF_ACT: Final = (
    "PSYTHPN", "HIPAAPsyNotes", "ETH", "SUD", "ETHUD", "OPIOIDUD", "42CFRPart2", "HIV", "SDV", "SEX", "MST",
)  # fmt: skip
SENSITIVITY: Final = ("https://hearth.health/fhir/CodeSystem/sensitivity",)
PROGRESS: Final = ("status", "statusReason", "businessStatus", "output", "note", "executionPeriod", "meta")
_SCOPE: Final = re.compile(r"(patient|user|system)/(\*|\w+)\.(read|write|\*|c?r?u?d?s?)(?:\?(.+))?")
_READ: Final = "rs"


@dataclass(frozen=True)
class Rule:
    """One scope: its letters, and the (parameter, value) that its rows are found by."""

    level: str
    type: str
    letters: str
    constraint: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Link:
    """That `source` lets `actor` go to `subject`: until when is a part of what it says."""

    source: str
    actor: str
    subject: str
    says: str


def scopes(text: str) -> list[Rule]:
    """The clinical scopes of a token."""
    found = []
    for word in text.split():
        match = _SCOPE.fullmatch(word)
        if match:
            letters = {"read": "rs", "write": "cud", "*": "cruds"}.get(match[3], match[3])
            found.append(Rule(match[1], match[2], letters, tuple(parse_qsl(match[4] or ""))))
    return found


def labels(resource: Resource) -> list[str]:
    """The labels that hide it."""
    found = []
    for coding in resource.get("meta", {}).get("security", []):
        code, system = coding.get("code"), coding.get("system")
        if code == "V" and system in (None, *CONFIDENTIALITY):
            found.append(code)
        if code == "client-only" and system in (None, *SENSITIVITY):
            found.append(code)
        if code in OF_ACT and system in (None, *ACT):
            found.append(code)
    return found


def in_force(period: dict[str, str] | None) -> bool:
    """Whether a period, by days, has begun and is not over."""
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    return period is None or (period.get("start", "") <= today and period.get("end", "9999") >= today)


class Filter:
    """What one token is allowed in one world."""

    def __init__(self, world: World, access: Access) -> None:
        self.world, self.access = world, access
        self.rules = [each for each in scopes(access.scope) if self._has_a_circle(each)]
        self.kind, _, self.user_id = (access.fhir_user or "").partition("/")
        self.own = f"Patient/{self.user_id if self.kind == 'Patient' else access.patient}"

    def _has_a_circle(self, rule: Rule) -> bool:
        person, patient = self.access.fhir_user, self.access.patient
        if rule.level == "system":
            return person is None
        if rule.level == "user":
            return person is not None
        if person is not None and person.startswith("Patient/"):
            return person == f"Patient/{patient}"
        return patient is not None

    # --- what may be seen -------------------------------------------------------------------------------------------

    def has_scope(self, letter: str, type_name: str) -> bool:
        """Whether any scope has the letter for the type."""
        return any(letter in rule.letters and rule.type in (type_name, "*") for rule in self.rules)

    def sees(self, letter: str, version: Version | None) -> bool:
        """Whether the letter may be done on a resource whose current version this is."""
        if version is None:
            return False
        resource, labelled = version.resource, version.resource
        if resource is None:
            earlier = [each.resource for each in self.world.kept[version.type, version.id] if each.resource is not None]
            labelled = earlier[-1]
        assert labelled is not None
        if self._is_hidden(version.type, labelled):
            return False
        return any(self._covers(rule, letter, version.type, resource, None) for rule in self.rules)

    def visible(self, letters: str, type_name: str | None = None) -> list[Resource]:
        """What is there and may be seen by one of the letters, as this token sees it."""
        found = []
        for version in self.world.current:
            if type_name not in (None, version.type) or version.resource is None:
                continue
            if any(self.sees(letter, version) for letter in letters):
                found.append(self.shown(version.resource))
        return found

    def versions(self, letter: str, type_name: str | None = None) -> list[Version]:
        """All versions of what may be seen now, newest first."""
        found = []
        for (name, _), versions in self.world.kept.items():
            if type_name in (None, name) and self.sees(letter, versions[-1]):
                found += versions
        return sorted(found, key=lambda version: version.order, reverse=True)

    def _is_hidden(self, type_name: str, resource: Resource) -> bool:
        found = labels(resource)
        if type_name == "Task" and resource.get("status") in ("draft", "entered-in-error") and not self._is_staff():
            return True
        if self.kind == "Patient" and type_name not in SHARED:
            if "PSYTHPN" in found:  # whoever cleared them for it
                return True
            if self._is_own(type_name, resource):
                return False
        return any(label == "client-only" or label not in self.access.clearance for label in found)

    def _is_staff(self) -> bool:
        return self.kind == "Practitioner" or (not self.kind and any(rule.level == "system" for rule in self.rules))

    def _is_own(self, type_name: str, resource: Resource) -> bool:
        """Whether it is first of all in the own record, and no other Patient's."""
        whose = subjects(resource, self.world.base) if type_name in SUBJECT else []
        return not whose or whose == [self.own]

    # --- circles ----------------------------------------------------------------------------------------------------

    def _covers(self, rule: Rule, letter: str, type_name: str, resource: Resource | None, before: World | None) -> bool:
        """Whether the rule allows it; None is a deletion, `before` the world without what was written just now."""
        if letter.lower() not in rule.letters or rule.type not in (type_name, "*"):
            return False
        if not self._in_circles(rule, letter, type_name, resource, before):
            return False
        if rule.constraint:
            return resource is not None and matching.matches_all(resource, rule.constraint, self.world.base)
        return True

    def _in_circles(
        self, rule: Rule, letter: str, type_name: str, resource: Resource | None, before: World | None
    ) -> bool:
        if rule.level == "system":
            return True
        practitioner = self.kind == "Practitioner"
        if type_name in SHARED:
            if letter in _READ:
                return True
            return practitioner and rule.level == "user" and not self._takes_a_role(type_name, resource, before)
        if type_name not in SUBJECT:
            return False
        if letter not in _READ:
            if type_name == "Group" and not practitioner:
                return False
            if self.kind == "RelatedPerson" and type_name in ("CareTeam", "Consent", "Encounter", "RelatedPerson"):
                return False
        if practitioner and self.access.reach == "tenant" and rule.level == "user":
            return True
        if resource is None:
            return False
        if rule.level == "patient":
            return self._in_context(letter, type_name, resource, before)
        if self.kind == "Patient":
            return self._is_within(letter, resource, {self.own}, progress=True)
        theirs = self._theirs(type_name, before)
        return self._is_within(letter, resource, theirs, progress=not practitioner) or self._is_the_persons(
            letter, type_name, resource
        )

    def _in_context(self, letter: str, type_name: str, resource: Resource, before: World | None) -> bool:
        everybodys = self.kind == "Practitioner" and self.access.reach == "tenant"
        if (
            self.kind in ("Practitioner", "RelatedPerson")
            and not everybodys
            and self.own not in self._theirs(type_name, before)
        ):
            return False
        return self._is_within(letter, resource, {self.own}, progress=self.kind != "Practitioner")

    def _is_within(self, letter: str, resource: Resource, patients: set[str], *, progress: bool) -> bool:
        """In the record of one of these Patients; to write it, it has to be their record first of all."""
        first, part = subjects(resource, self.world.base), taking_part(resource, self.world.base)
        if resource["resourceType"] == "Task":
            part = part + self._of_the_whole(resource)
        if any(each in patients for each in first):
            return True
        if letter in _READ or (progress and letter == "u" and resource["resourceType"] == "Task"):
            return any(each in patients for each in part)
        return not first and any(each in patients for each in part)

    def _of_the_whole(self, task: Resource) -> list[str]:
        """Whose the Task is that this one is a part of."""
        found = []
        for name in references(task, "partOf", self.world.base):
            head = self.world.now(("Task", name.removeprefix("Task/")))
            if head is not None and head.resource is not None:
                found += subjects(head.resource, self.world.base) + taking_part(head.resource, self.world.base)
        return found

    def _is_the_persons(self, letter: str, type_name: str, resource: Resource) -> bool:
        me, base = str(self.access.fhir_user), self.world.base
        if self.kind == "RelatedPerson":
            if type_name == "RelatedPerson":
                return letter in _READ and resource["id"] == self.user_id
            return type_name == "Task" and letter in "rsu" and me in references(resource, "owner", base)
        patients = subjects(resource, base) + [
            each for each in taking_part(resource, base) if each.startswith("Patient/")
        ]
        mine = [each for path in PRACTITIONERS.get(type_name, ()) for each in references(resource, path, base)]
        return not patients and me in mine

    def _takes_a_role(self, type_name: str, resource: Resource | None, before: World | None) -> bool:
        if before is None or resource is None or type_name != "PractitionerRole":
            return False
        # One that begins later, or is over, is a role taken all the same; the same role as before is none.
        held = before.now((type_name, resource["id"]))
        was = None if held is None or held.resource is None else held.resource
        same = was is not None and _role(was, self.world.base) == _role(resource, self.world.base)
        _, practitioners, _ = _role(resource, self.world.base)
        return resource.get("active") is not False and self.access.fhir_user in practitioners and not same

    def _theirs(self, type_name: str, before: World | None) -> set[str]:
        """The Patients whom the person may go to: by what is said now, and was said before this write."""
        found = set(links(self.world))
        if before is not None:
            found &= set(links(before))
        if self.kind == "RelatedPerson":
            return self._consented(type_name, found)
        patients = self._in_care(found)
        if before is not None:
            for version in self.world.current:  # who registers a new Patient may begin the record
                if version.type == "Patient" and ("Patient", version.id) not in before.kept:
                    patients.add(f"Patient/{version.id}")
        return patients

    def _in_care(self, found: set[Link]) -> set[str]:
        me = str(self.access.fhir_user)
        actors = {me}
        for link in found:
            if link.source.startswith("PractitionerRole/") and link.actor == me:
                actors.add(link.subject)
        sources = ("CareTeam/", "Encounter/") if self.access.reach == "encounter" else ("CareTeam/",)
        return {link.subject for link in found if link.source.startswith(sources) and link.actor in actors}

    def _consented(self, type_name: str, found: set[Link]) -> set[str]:
        me, patients = str(self.access.fhir_user), set()
        for link in found:
            if link.source == me and link.actor == me:
                patients.add(link.subject)
        permitted, denied = set(), set()
        for version in self.world.current:
            if version.type != "Consent" or version.resource is None:
                continue
            patient = "".join(references(version.resource, "patient", self.world.base))
            said = said_by(version.resource, me, type_name)
            permitted |= {patient} if "permit" in said else set()
            denied |= {patient} if "deny" in said else set()
        return (patients & permitted) - denied

    # --- Groups -----------------------------------------------------------------------------------------------------

    @property
    def is_client(self) -> bool:
        """Whether it is a client, or somebody of theirs."""
        return self.kind != "Practitioner" and bool(self.rules) and all(rule.level != "system" for rule in self.rules)

    def shown(self, resource: Resource) -> Resource:
        """The resource as this token sees it: of a Group a client sees no other member."""
        if resource["resourceType"] != "Group" or not self.is_client or "member" not in resource:
            return resource
        own = self._members()
        kept = [each for each in resource["member"] if references({"m": each}, "m.entity", self.world.base)[0] in own]
        if len(kept) == len(resource["member"]):
            return resource
        part = {
            name: value for name, value in resource.items() if name not in ("member", "text", "contained", "quantity")
        }
        return {**part, "member": kept} if kept else part

    def _members(self) -> set[str]:
        found: set[str] = set()
        for rule in self.rules:
            theirs = self._theirs("Group", None) if self.kind == "RelatedPerson" else {self.own}
            found |= theirs & {self.own} if rule.level == "patient" else theirs
        return found

    # --- what may be written ----------------------------------------------------------------------------------------

    def may_become(self, letter: str, resource: Resource) -> bool:
        """Whether, written with this letter (U: made by update), the resource is one that the token covers."""
        type_name = resource["resourceType"]
        after = Filter(self.world.with_version(type_name, resource["id"], resource), self.access)
        hidden = after._is_hidden(type_name, resource)
        return not hidden and any(after._covers(rule, letter, type_name, resource, self.world) for rule in after.rules)


def references(resource: Resource, path: str, base: str) -> list[str]:
    """The `Type/id` of all references at a dotted path; others are left out."""
    found = []
    for each in values(resource, path):
        written = each.get("reference", "") if isinstance(each, dict) else ""
        name = written.removeprefix(f"{base}/")
        if re.fullmatch(r"[A-Z]\w+/[A-Za-z0-9.-]+", name):
            found.append(name)
    return found


def values(item: Any, path: str) -> list[Any]:
    """All values at a dotted path."""
    found = [item]
    for name in path.split("."):
        found = [each[name] for each in found if isinstance(each, dict) and name in each]
        found = [one for each in found for one in (each if isinstance(each, list) else [each])]
    return found


def subjects(resource: Resource, base: str) -> list[str]:
    """The Patient whose record it is first of all, if it is one's."""
    if resource["resourceType"] == "Patient":
        return [f"Patient/{resource['id']}"]
    path = SUBJECT.get(resource["resourceType"], "")
    return [each for each in references(resource, path, base) if each.startswith("Patient/")] if path else []


def taking_part(resource: Resource, base: str) -> list[str]:
    """Whoever else has it in the record."""
    return [each for path in TAKING_PART.get(resource["resourceType"], ()) for each in references(resource, path, base)]


def links(world: World) -> Iterator[Link]:
    """Everything that lets somebody in, as far as it is in force today."""
    for resource in world.resources:
        kind, base = resource["resourceType"], world.base
        source = f"{kind}/{resource['id']}"
        if kind == "CareTeam" and resource.get("status") == "active" and in_force(resource.get("period")):
            for participant in resource.get("participant", []):
                if in_force(participant.get("period")):
                    says = f"{resource.get('period')} {participant.get('period')}"
                    for actor in references(participant, "member", base):
                        yield from (Link(source, actor, each, says) for each in subjects(resource, base))
        if kind == "Encounter" and resource.get("status") not in ("cancelled", "entered-in-error"):
            for actor in references(resource, "participant.individual", base):
                yield from (Link(source, actor, each, "") for each in subjects(resource, base))
        if kind == "PractitionerRole":
            yield from role_links(resource, base)
        if kind == "RelatedPerson" and resource.get("active") is not False and in_force(resource.get("period")):
            yield from (Link(source, source, each, str(resource.get("period"))) for each in subjects(resource, base))


def role_links(role: Resource, base: str) -> Iterator[Link]:
    """Who has the role, while it is in force."""
    if role.get("active") is not False and in_force(role.get("period")):
        name = f"PractitionerRole/{role['id']}"
        for actor in references(role, "practitioner", base):
            yield Link(name, actor, name, str(role.get("period")))


def _role(role: Resource, base: str) -> tuple[bool, list[str], Any]:
    """Whether it is active, whose it is, and when."""
    return role.get("active") is not False, references(role, "practitioner", base), role.get("period")


def said_by(consent: Resource, actor: str, type_name: str) -> set[str]:
    """What an active Consent says to a related person about a type: permit, deny, both or nothing."""
    root = consent.get("provision")
    if consent.get("status") != "active" or root is None:
        return set()
    inner = [
        {**{name: root[name] for name in ("actor", "class") if name in root}, **each}
        for each in root.get("provision", [])
    ]
    said = {
        each["type"]
        for each in inner
        if _speaks(root | {"actor": [], "class": []}, actor, type_name, True)
        and _speaks(each, actor, type_name, each["type"] == "deny")
    }
    if root["type"] == "permit" and _speaks(root, actor, type_name, False):
        said.add("permit")
    if root["type"] == "deny" and ("actor" in root or not inner) and _speaks(root, actor, type_name, True):
        said.add("deny")
    return said


def _speaks(provision: Resource, actor: str, type_name: str, to_everybody: bool) -> bool:
    if not in_force(provision.get("period")):
        return False
    if provision.get("class") and type_name not in [each["code"] for each in provision["class"]]:
        return False
    named = [each["reference"]["reference"] for each in provision.get("actor", [])]
    return actor in named or (not named and to_everybody)
