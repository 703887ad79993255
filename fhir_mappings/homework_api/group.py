"""A Group as a therapy group, and what it did together. https://hl7.org/fhir/R4/group.html"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fhir_mappings.group_work import Together as Counted
from fhir_mappings.homework_api.element import ids_of
from schemas.homework.insight import Group, Together, Total


def group(found: Mapping[str, Any]) -> Group:
    """The group that a Group is; of its members those that may be seen."""
    current = [each.get("entity", {}) for each in found.get("member", ()) if not each.get("inactive")]
    return Group(
        id=found["id"],
        name=found.get("name"),
        active=found.get("active"),
        members=ids_of(current, "Patient") or None,
        version=int(found["meta"]["versionId"]),
        fhir={"group": f"Group/{found['id']}"},
    )


def together(
    group_id: str | None, head_id: str, counted: Counted | None, totals: Mapping[str, int] = MappingProxyType({})
) -> Together:
    """The counts, or that there are none to be told; `totals` by the kind of what was counted."""
    if counted is None:
        return Together(group=group_id, assignment=head_id, counted=False)
    told = tuple(Total(kind=kind, total=total) for kind, total in totals.items()) or None
    return Together(group=group_id, assignment=head_id, counted=True, totals=told, **counted._asdict())
