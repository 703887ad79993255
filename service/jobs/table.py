"""Every job there is, by its name; each is safe to run twice, since a worker may die between its work and its record."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final

from service.engine import Engine
from service.reminders import plan, send
from service.webhooks import deliver, deliveries

Run = Callable[[Engine, Mapping[str, Any], datetime], Awaitable[None]]
"""Does one job: (engine, payload, now). What it raises is tried again later, and given up in the end."""
JOBS: Final[Mapping[str, Run]] = {
    plan.SEND: send.send,
    deliveries.DELIVER: deliver.deliver,
}
