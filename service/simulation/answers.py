"""What the course of a client says of the answers to one form. Docs: docs/library.md"""

from functools import lru_cache
from typing import Any, Final

from schemas import library
from service.simulation import course, words
from service.simulation.population import Client

JsonObject = dict[str, Any]
MEASURES: Final = {"phq-9": (27, 9), "gad-7": (21, 7)}
"""By measure: its highest total and how many items make it."""
_RATINGS: Final = ("mood", "pleasure", "mastery", "rested")
_DID: Final = ("activity", "situation", "glad-of", "which")
_PRACTISED: Final = "practice"
_HABITS: Final = 8


def given(client: Client, day: int, name: str, slot: str, minutes: int) -> JsonObject:
    """By linkId or code of an item: what the client says to the form of the activity `name`."""
    if name in MEASURES:
        return _measured(client, day, name)
    if name == "sleep-diary":
        return {"rested": course.rating(client, day, "rested"), **course.night(client, day)}
    before, peak, after = course.distress(client, day)
    believed, less = course.belief(client, day)
    chance = client.chance(day, f"words {name} {slot}")
    did = chance.choice(words.DID[client.language])
    return {
        **{what: course.rating(client, day, what) for what in _RATINGS},
        **dict.fromkeys(_DID, did),
        _PRACTISED: words.PRACTISED[client.language],
        "suds-pre": before,
        "suds-peak": peak,
        "suds-post": after,
        "suds-expected": min(100, peak + 5 * chance.randrange(4)),
        "belief-pre": believed,
        "belief-post": less,
        "thinking-pattern": course.habit(client, day, _HABITS),
        "minutes": minutes,
        "kind-acts": 1 + chance.randrange(4),
    }


def _measured(client: Client, day: int, name: str) -> JsonObject:
    most, items = MEASURES[name]
    total = course.score(client, day // 7, most)
    risk = 1 if client.risk and client.chance(day, "risk").random() < 0.3 else 0
    spread = course.spread(client, day // 7, total, items, 3, risk if name == "phq-9" else 3)
    return dict(zip(_asked(name), spread, strict=False))


@lru_cache
def _asked(name: str) -> tuple[str, ...]:
    form = next(each for each in library.seed() if each.get("url") == f"{library.BASE}/Questionnaire/{name}")
    return tuple(each["linkId"] for each in form["item"] if each["type"] == "choice")
