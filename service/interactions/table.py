"""Which function answers which interaction; a request and an entry of a Bundle look it up here."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from service.call import Call, Reply
from service.interactions import batch, create, delete, history, meta, operations, patch, read, search, update, validate
from service.operations import (
    adherence,
    adherence_change,
    apply,
    chart,
    extract,
    goal_attainment,
    handout,
    increment,
    lastn,
    patterns,
    populate,
    session_summary,
    share,
    stats,
    trend,
)
from service.store import Store

Interaction = Callable[[Call, Store], Awaitable[Reply]]


async def _bundle(call: Call, store: Store) -> Reply:
    return await batch.bundle(call, store, INTERACTIONS)


READING: Final = operations.READING | frozenset(
    (
        "read",
        "vread",
        "history-instance",
        "history-type",
        "history-system",
        "search-type",
        "search-system",
        "search-compartment",
        "everything",
        "meta",
    )
)
"""The interactions that only read."""

INTERACTIONS: Final[Mapping[str, Interaction]] = MappingProxyType(
    {
        "read": read.read,
        "vread": read.vread,
        "create": create.create,
        "update": update.update,
        "patch": patch.patch,
        "delete": delete.delete,
        "history-instance": history.history,
        "history-type": history.history_type,
        "history-system": history.history_system,
        "search-type": search.search_type,
        "search-system": search.search_system,
        "search-compartment": search.search_compartment,
        "everything": search.everything,
        "validate": validate.validate,
        "meta": meta.meta,
        "transaction": _bundle,
        "adherence": adherence.adherence,
        "adherence-change": adherence_change.adherence_change,
        "apply": apply.apply,
        "chart": chart.chart,
        "extract": extract.extract,
        "goal-attainment": goal_attainment.goal_attainment,
        "handout": handout.handout,
        "increment": increment.increment,
        "lastn": lastn.lastn,
        "patterns": patterns.patterns,
        "session-summary": session_summary.session_summary,
        "populate": populate.populate,
        "share": share.share,
        "stats": stats.stats,
        "trend": trend.trend,
        "unshare": share.unshare,
    }
)
