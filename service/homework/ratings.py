"""Ratings that apps write as Observations: on their scale, and with it. Docs: docs/instruments.md, "Ratings"."""

from typing import Final

from fhir_mappings import rating
from schemas.outcome import Issue, error
from service.call import Call
from service.errors import Unprocessable
from service.homework.planned import Planned
from service.store import Change, Store

_UNSURE: Final = Issue(
    "warning",
    "business-rule",
    "Below 7 of 10, something smaller gets done more often: split it, or replace it by an easier step",
    ("Observation.value",),
    "confidence-low",
)


async def follow(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """Add the scale to a rating that says none. Raises Unprocessable where a value is not on it."""
    observation = change.resource
    if observation is None or planned.call_of(change) is None:
        return
    issues = [
        error("value", each.sentence, each.expression, details_code="rating-off-scale")
        for each in rating.faults(observation)
    ]
    if issues:
        raise Unprocessable(issues=issues, about=(change.type, change.id))
    scaled = rating.with_scale(observation)
    if scaled is not observation:
        planned.put(change.type, change.id, scaled)
    if rating.is_unsure(observation):
        planned.note(change, _UNSURE)
