"""When it is time to look at a plan as a whole: a Task for its author, every so many weeks. Docs: docs/insight.md

https://hl7.org/fhir/R4/careplan.html
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from fhir_mappings.lifecycle import ACTIVITY_TYPE
from fhir_mappings.observation import DEFAULT_LABELS
from fhir_mappings.shaping import STAFF_ONLY
from schemas import dates
from schemas.library import BASE

IDENTIFIER: Final = f"{BASE}/NamingSystem/plan-review"
"""Task.identifier of a review: `{plan id}/{number}`."""
CATEGORY: Final = f"{BASE}/CodeSystem/careplan-category|therapy-homework"
_WEEK: Final = timedelta(days=7)
_OWNERS: Final = ("Practitioner/", "PractitionerRole/", "CareTeam/", "Organization/")


def due(plan: Mapping[str, Any], weeks: int, today: date) -> int | None:
    """The number of the review that is due, from 1 on; None before the first, after the end, and where there is none."""
    period = plan.get("period", {})
    start = period.get("start") or plan.get("created")
    if plan.get("status") != "active" or not weeks or not start:
        return None
    if "end" in period and dates.interval(period["end"]).hi.date() <= today:
        return None
    number = (today - dates.interval(start).lo.date()) // (weeks * _WEEK)
    return number if number >= 1 else None


def review(plan: Mapping[str, Any], number: int, *, requester: str, now: str) -> dict[str, Any]:
    """The review as a Task that waits for the plan's author, who is led to the plan by its focus. Clients do not see it."""
    text = "It is time to look at this plan as a whole, with the client: what helps, what to change, what to end"
    body: dict[str, Any] = {
        "resourceType": "Task",
        "meta": {"security": [*plan.get("meta", {}).get("security", DEFAULT_LABELS), STAFF_ONLY]},
        "identifier": [{"system": IDENTIFIER, "value": f"{plan['id']}/{number}"}],
        "basedOn": [{"reference": f"CarePlan/{plan['id']}"}],
        "status": "requested",
        "intent": "plan",
        "priority": "routine",
        "code": {"coding": [{"system": ACTIVITY_TYPE, "code": "plan-review", "display": "Review a plan"}]},
        "description": text,
        "focus": {"reference": f"CarePlan/{plan['id']}"},
        "for": plan["subject"],
        "authoredOn": now,
        "lastModified": now,
        "requester": {"reference": requester},
    }
    author = plan.get("author", {}).get("reference", "")
    return body | ({"owner": {"reference": author}} if author.startswith(_OWNERS) else {})
