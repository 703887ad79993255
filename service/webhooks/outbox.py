"""Events on their way out: planned by the rules of a write, kept in its transaction. Docs: docs/webhooks.md"""

from fhir_mappings import homework_event
from fhir_mappings.homework_event import Event
from service.call import Call
from service.homework.planned import Planned
from service.store import Change, Store
from service.webhooks import heard


async def follow(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """Plan to tell of what the change means to those who listen; no statement where nobody does, as known a moment ago."""
    listened = await heard.events(store)
    if not listened:
        return
    before = None if change.before is None else store.current(change.before)
    for event in homework_event.events(change.type, before, change.resource):
        if event in listened:
            planned.events.append(Event(event, change.type, change.id, change.version))
