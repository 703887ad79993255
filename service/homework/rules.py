"""All that a write brings about, in one order: refusals first, then answers, then what follows from both."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from fhir_mappings import homework_event
from service.call import Call
from service.homework import (
    adherence,
    answer,
    attainment,
    group,
    instruments,
    load,
    posts,
    prescribed,
    publishing,
    ratings,
    risk,
    series,
    sharing,
    task,
)
from service.homework.planned import Planned
from service.store import Change, Store
from service.webhooks import outbox

Rule = Callable[[Call, Store, Change, Planned], Awaitable[None]]
"""Looks at one change and plans what follows; sends no statement where nothing does."""
RULES: Final[tuple[tuple[str, Rule], ...]] = (
    ("Task", task.follow),
    ("Task", publishing.follow),
    ("Task", series.keep),
    ("Task", risk.follow_task),
    ("Questionnaire", instruments.follow),
    ("QuestionnaireResponse", answer.follow),
    ("Observation", ratings.follow),
    ("Group", group.follow_group),
    ("Communication", posts.follow),
    ("Task", group.follow),
    ("Task", series.follow),
    ("ServiceRequest", prescribed.follow),
    ("Task", adherence.follow),
    ("Task", load.follow),
    ("Observation", attainment.follow),
    *((name, sharing.follow) for name in sharing.SHAREABLE),
    *((name, outbox.follow) for name in homework_event.TYPES),
)
"""For each type what its changes bring about. A rule sees what the ones before it planned."""


async def followed(asked: Sequence[tuple[Call, Change]], store: Store) -> Planned:
    """The changes that were asked for, as rules completed them, then what follows, and what else is to be audited.

    Raises Unprocessable, Forbidden or PreconditionRequired for what a rule refuses.
    """
    planned = Planned(asked, store)
    call = asked[0][0]
    for type_name, rule in RULES:
        for change in planned.of(type_name):
            await rule(call, store, change, planned)
    return planned
