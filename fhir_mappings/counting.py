"""Frequency counts: how often something happened, counted one event at a time, each once. Docs: docs/insight.md, "Counting".

https://hl7.org/fhir/R4/observation.html
The Observation keeps the events it has counted: an event that is sent again, by a phone that was offline or in doubt, adds
nothing, however much later it comes.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.library import BASE

JsonObject = dict[str, Any]
EVENT: Final = f"{BASE}/StructureDefinition/counted-event"
"""Extension of Observation, one for each event: `id` (string), `at` (dateTime), `by` (integer)."""
MOST_EVENTS: Final = 500
"""Events of one Observation; a count is of a day or a week, and a new time is a new Observation."""
COUNTABLE: Final = frozenset(("registered", "preliminary", "final", "amended", "corrected"))


class Uncountable(ValueError):
    """The Observation is none that events can be added to; the sentence says why."""

    def __init__(self, expression: str, sentence: str) -> None:
        super().__init__(sentence)
        self.expression = expression
        self.sentence = sentence


def counted(observation: Mapping[str, Any], event: str, by: int, at: str) -> JsonObject | None:
    """The Observation with one more event, None where that event is counted already. Raises Uncountable."""
    if event in {known for known, _ in events(observation)}:
        return None
    _require_countable(observation)
    row = {
        "url": EVENT,
        "extension": [
            {"url": "id", "valueString": event},
            {"url": "at", "valueDateTime": at},
            {"url": "by", "valueInteger": by},
        ],
    }
    body = {name: value for name, value in observation.items() if name != "dataAbsentReason"}
    body["extension"] = [*observation.get("extension", ()), row]
    body["valueInteger"] = observation.get("valueInteger", 0) + by
    if body["status"] == "registered":
        body["status"] = "preliminary"
    return body


def events(observation: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """(id, how many) of the events that are counted in an Observation."""
    for extension in observation.get("extension", ()):
        if extension.get("url") == EVENT:
            parts = {part.get("url"): part for part in extension.get("extension", ())}
            yield parts.get("id", {}).get("valueString", ""), parts.get("by", {}).get("valueInteger", 0)


def _require_countable(observation: Mapping[str, Any]) -> None:
    others = [name for name in observation if name.startswith("value") and name != "valueInteger"]
    if others:
        raise Uncountable(f"Observation.{others[0]}", "Only a valueInteger can be counted up")
    if observation.get("status") not in COUNTABLE:
        raise Uncountable("Observation.status", f"An Observation that is {observation.get('status')} is not counted up")
    if len(list(events(observation))) >= MOST_EVENTS:
        raise Uncountable(
            "Observation.extension",
            f"This has {MOST_EVENTS} events already; count on in a new Observation, of a new time",
        )
