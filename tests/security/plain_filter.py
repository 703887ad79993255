"""Who may see what, written as plainly as it can be said, and slowly: the other opinion that the SQL is held against.

It knows the documents (docs/security.md, "Who sees what") and nothing of service.grant, circle, labels, links or search.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from service.oauth.token import Access
from tests.security.plain_world import World

JsonObject = dict[str, Any]
_SCOPE: Final = re.compile(r"(patient|user|system)/([A-Za-z]+|\*)\.([cruds]+)(?:\?(.*))?")
NEEDS_CLEARANCE: Final = {"V", "PSYTHPN", "HIV", "SUD"}
_SHARED: Final = {"Organization", "Practitioner", "PractitionerRole", "Questionnaire"}
# Where a reference to a Patient puts a resource into the record (R4's compartment definition, and for Task a rule of ours).
_RECORD: Final = {
    "Observation": ("subject", "performer"),
    "Task": ("for", "owner"),
    "Communication": ("subject", "sender"),
    "Provenance": ("target",),
    "Goal": ("subject",),
    "CarePlan": ("subject",),
    "QuestionnaireResponse": ("subject", "author"),
    "CareTeam": ("subject",),
    "Encounter": ("subject",),
    "Consent": ("patient",),
    "RelatedPerson": ("patient",),
}
_WORK: Final = {"Observation": ("performer",), "Task": ("owner", "requester"), "Communication": ("sender",)}


def references(resource: JsonObject, element: str) -> Iterator[str]:
    """What an element refers to, be it one or many."""
    value = resource.get(element, [])
    for each in value if isinstance(value, list) else [value]:
        yield each["reference"]


class Filter:
    """One caller's view of a world."""

    def __init__(self, world: World, access: Access) -> None:
        self.world, self.access, self.now = world, access, datetime.now(UTC).isoformat()

    def permits(self, letter: str, type_name: str) -> bool:
        """Whether there is any scope for it; without one the answer is 403."""
        return any(kind in (type_name, "*") and letter in letters for _, kind, letters, _ in self._scopes())

    def sees(self, letter: str, resource: JsonObject) -> bool:
        """Whether the resource is there for this caller."""
        kind = resource["resourceType"]
        for level, named, letters, constraint in self._scopes():
            is_meant = named in (kind, "*") and letter in letters and self._satisfies(resource, constraint)
            if is_meant and self._in_circle(level, resource) and not self._hidden(resource):
                return True
        return False

    def sees_parts(self) -> bool:
        """Whether of a Group only the own membership is shown: to clients, and to who acts for them."""
        return (self.access.fhir_user or "").startswith(("Patient/", "RelatedPerson/"))

    def is_theirs(self, patient: str) -> bool:
        """Whether it is a record that such a person goes to."""
        user = self.access.fhir_user or ""
        return user == patient if user.startswith("Patient/") else self._consented(user, patient, "Group")

    def in_record(self, resource: JsonObject, patient: str, with_parts: bool = True) -> bool:
        """Whether the resource is in the record of the patient."""
        kind = resource["resourceType"]
        if kind == "Patient":
            return f"Patient/{resource['id']}" == patient
        if kind == "Group":
            return any(member["entity"]["reference"] == patient for member in resource.get("member", []))
        if any(patient in references(resource, element) for element in _RECORD.get(kind, ())):
            return True
        if kind != "Task" or not with_parts:
            return False
        heads = [self.world.current.get(name) for name in references(resource, "partOf")]
        return any(head is not None and self.in_record(head, patient, False) for head in heads)

    def _scopes(self) -> Iterator[tuple[str, str, str, str]]:
        for word in self.access.scope.split():
            match = _SCOPE.fullmatch(word)
            if match:
                yield match[1], match[2], match[3], match[4] or ""

    def _in_circle(self, level: str, resource: JsonObject) -> bool:
        if level == "system":
            return True
        user, context = self.access.fhir_user or "", self.access.patient
        if resource["resourceType"] in _SHARED:
            return level == "user" or context is not None
        patients = [f"Patient/p{number}" for number in range(4)]
        if level == "patient":
            if context is None or not self.in_record(resource, f"Patient/{context}"):
                return False
            return user.startswith("Patient/") or self._admitted(f"Patient/{context}", resource)
        if user.startswith("Patient/"):
            return self.in_record(resource, user)
        if any(self.in_record(resource, each) and self._admitted(each, resource) for each in patients):
            return True
        if user.startswith("RelatedPerson/"):
            is_self = f"{resource['resourceType']}/{resource['id']}" == user
            return is_self or (resource["resourceType"] == "Task" and user in references(resource, "owner"))
        if self.access.reach == "tenant":
            return True
        if resource["resourceType"] == "Task":
            is_somebodys = any(self.in_record(resource, each, False) for each in patients)
        else:
            is_somebodys = any(self.in_record(resource, each) for each in patients)
        works = _WORK.get(resource["resourceType"], ())
        is_own = any(user in references(resource, element) for element in works)
        if resource["resourceType"] == "Provenance":
            is_own = any(agent["who"]["reference"] == user for agent in resource["agent"])
        return is_own and not is_somebodys

    def _admitted(self, patient: str, resource: JsonObject) -> bool:
        """Whether the person may go to the record of the patient."""
        user = self.access.fhir_user or ""
        if user.startswith("Practitioner/"):
            return self.access.reach == "tenant" or self._in_care(user, patient)
        return self._consented(user, patient, resource["resourceType"])

    def _in_care(self, user: str, patient: str) -> bool:
        acts_as = [user] + [
            name
            for name, role in self.world.current.items()
            if name.startswith("PractitionerRole/") and role["practitioner"]["reference"] == user and role["active"]
        ]
        for each in self.world.current.values():
            if each["resourceType"] == "CareTeam" and each["status"] == "active" and self._is_now(each):
                for participant in each["participant"]:
                    is_member = participant["member"]["reference"] in acts_as and self._is_now(participant)
                    if is_member and each["subject"]["reference"] == patient:
                        return True
            if each["resourceType"] == "Encounter" and self.access.reach == "encounter":
                took_part = any(one["individual"]["reference"] in acts_as for one in each["participant"])
                if took_part and each["status"] != "cancelled" and each["subject"]["reference"] == patient:
                    return True
        return False

    def _consented(self, user: str, patient: str, kind: str) -> bool:
        person = self.world.current.get(user)
        if person is None or person["patient"]["reference"] != patient or person.get("active") is False:
            return False
        said = set()
        for each in self.world.current.values():
            if (
                each["resourceType"] != "Consent"
                or each["patient"]["reference"] != patient
                or each["status"] != "active"
            ):
                continue
            rule = each["provision"]
            about = [one["code"] for one in rule.get("class", [])]
            names = [actor["reference"]["reference"] for actor in rule["actor"]]
            if self._is_now(rule) and user in names and (not about or kind in about):
                said.add(rule["type"])
        return said == {"permit"}

    def _is_now(self, holder: JsonObject) -> bool:
        period = holder.get("period", {})
        return period.get("start", "") <= self.now < period.get("end", "9")

    def _hidden(self, resource: JsonObject) -> bool:
        labels = {each["code"] for each in resource.get("meta", {}).get("security", [])}
        user = self.access.fhir_user or ""
        if user.startswith("Patient/") and self.in_record(resource, user):
            return "PSYTHPN" in labels
        return "client-only" in labels or bool(labels & NEEDS_CLEARANCE - set(self.access.clearance))

    def _satisfies(self, resource: JsonObject, constraint: str) -> bool:
        for pair in filter(None, constraint.split("&")):
            name, _, value = pair.partition("=")
            if name == "status" and resource.get("status") != value:
                return False
            if name in ("code", "category"):
                held = resource.get(name, [])
                codings = [coding for one in (held if isinstance(held, list) else [held]) for coding in one["coding"]]
                if not any(coding["code"] == value for coding in codings):
                    return False
            if name == "patient" and value not in references(resource, "subject"):
                return False
        return True
