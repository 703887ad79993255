"""What homework has to say before a client sees it, as the tenant wants it. Docs: docs/homework.md, "What is realistic"."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings import lifecycle
from fhir_mappings.occurrence import is_part
from schemas.library import BASE
from schemas.outcome import Issue
from service.call import Call
from service.errors import Unprocessable
from service.homework.planned import Planned
from service.store import Change, Store

_TASK_IO: Final = f"{BASE}/CodeSystem/homework-task-io"
_SHOWN: Final = frozenset(("ready", "requested"))
_WHAT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "rationale": "why it may help (Task.input rationale)",
        "instruction": "what to do, step by step (Task.input instruction)",
    }
)


async def follow(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """Refuse to show a client homework that lacks what the tenant's policy asks for (`publish_needs`).

    What clients choose for themselves, and parts of what was shown already, need nothing. Raises Unprocessable.
    """
    task = change.resource
    if task is None or planned.call_of(change) is None or call.grant.shape.is_client or task["status"] not in _SHOWN:
        return
    before = None if change.before is None else store.current(change.before)
    if (before or {}).get("status", "draft") != "draft" or task.get("intent") == "proposal" or is_part(task):
        return
    missing = _WHAT.keys() - _said(task)
    if not missing or not lifecycle.is_assignment(task):
        return
    lacking = sorted(missing & (await planned.policy()).publish_needs)
    if lacking:
        issues = [
            Issue("error", "required", f"Homework here says {_WHAT[each]}", (_where(each),), "publish-incomplete")
            for each in lacking
        ]
        raise Unprocessable(issues=issues, about=(change.type, change.id))


def _where(name: str) -> str:
    return f"Task.input.where(type.coding.code='{name}')"


def _said(task: Mapping[str, Any]) -> set[str]:
    codings = (coding for each in task.get("input", ()) for coding in each.get("type", {}).get("coding", ()))
    return {each.get("code", "") for each in codings if each.get("system") == _TASK_IO}
