"""JSON Merge Patch. https://www.rfc-editor.org/rfc/rfc7396"""

from typing import Any

from schemas.json import MAX_DEPTH
from schemas.patch.fault import PatchMalformed, check_identity
from schemas.patch.tree import clone


def merge_patch(resource: dict[str, Any], patch: Any) -> dict[str, Any]:
    """A new resource: members of `patch` win, null removes, arrays are replaced whole. Raises PatchFault."""
    if not isinstance(patch, dict):
        raise PatchMalformed("A merge patch is a JSON object with the members to change; null removes one")
    return check_identity(resource, _merge(clone(resource), patch, MAX_DEPTH))


def _merge(target: Any, patch: Any, room: int) -> Any:
    if not isinstance(patch, dict):
        return clone(patch, room)
    if not isinstance(target, dict):
        target = {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = _merge(target.get(name), value, room - 1)
    return target
