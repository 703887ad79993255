"""What a client sees of a Group: the Group, and of its members only themselves. https://hl7.org/fhir/R4/group.html"""

from collections.abc import Callable, Collection
from typing import Any, Final
from uuid import UUID

from schemas import json
from schemas.subset import tagged

Keyed = Callable[[str], tuple[str, UUID] | None]
"""(type, storage key) of a reference as written to a resource here, None for any other."""
_TELLING: Final = ("member", "_member", "text", "_text", "contained", "quantity")
"""What tells of the other members: their list, and what may repeat it."""


def redacted(content: bytes, own: Collection[UUID], keyed: Keyed) -> bytes:
    """A Group as stored, without members that are not Patients of `own`; tagged as a part where some were left out."""
    group: dict[str, Any] = json.decode(content)
    sent = group.get("member", [])
    kept = [each for each in sent if _is_own(each, own, keyed)]
    if len(kept) == len(sent):
        return content
    part = {name: value for name, value in group.items() if name not in _TELLING}
    return json.encode(tagged({**part, "member": kept} if kept else part))


def _is_own(member: dict[str, Any], own: Collection[UUID], keyed: Keyed) -> bool:
    found = keyed(member.get("entity", {}).get("reference", ""))
    return found is not None and found[0] == "Patient" and found[1] in own
