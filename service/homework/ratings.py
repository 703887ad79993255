"""Ratings that apps write as Observations: on their scale, and with it. Docs: docs/instruments.md, "Ratings"."""

from fhir_mappings import rating
from schemas.outcome import error
from service.call import Call
from service.errors import Unprocessable
from service.homework.planned import Planned
from service.store import Change, Store


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
