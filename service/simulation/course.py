"""How a made-up client's homework goes, day by day: whether it is done and when, how it felt, and what the measure says."""

from dataclasses import dataclass
from typing import Final

from service.simulation.population import Client

DONE: Final = "done"
PARTLY: Final = "partly"
PAUSED: Final = "paused"
DECLINED: Final = "declined"
LEFT: Final = "left"
_WEEKEND: Final = (5, 6)
_BARRIERS: Final = ("time", "forgot", "motivation", "symptoms", "too-hard", "privacy", "illness", "fear-of-failure")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an occurrence: one of the five words above, after so many minutes of the day, because of what."""

    what: str
    minute: int
    minutes: int
    barrier: str | None = None


def outcome(client: Client, day: int, weekday: int, activity: str) -> Outcome:
    """What a client does about one occurrence on a day of the course (0 is the first)."""
    chance = client.chance(day, activity)
    likely = client.steadiness - 0.004 * day - (0.08 if weekday in _WEEKEND else 0.0)
    minute = min(1430, max(300, round(chance.gauss(19.5 * 60, 100))))
    minutes = max(3, round(chance.gauss(18, 7)))
    throw = chance.random()
    if throw < likely * 0.93:
        return Outcome(DONE, minute, minutes)
    if throw < likely:
        return Outcome(PARTLY, minute, max(2, minutes // 2))
    if throw > 0.995:
        return Outcome(DECLINED, minute, 0, chance.choice(_BARRIERS))
    if throw > 0.985:
        return Outcome(PAUSED, minute, 0, chance.choice(("illness", "life-event")))
    return Outcome(LEFT, minute, 0)


def score(client: Client, week: int, most: int) -> int:
    """What the measure says in a week of the course; it falls quickly at first, then more slowly."""
    chance = client.chance(week * 7, "score")
    fallen = client.gain * week * (1.25 - 0.02 * week)
    return min(most, max(0, round(client.severity - fallen + chance.gauss(0, 1.4))))


def spread(client: Client, week: int, total: int, items: int, most: int, last: int) -> list[int]:
    """A total as answers of 0 to `most` to each item; the last one stays at `last` or less where it can."""
    chance = client.chance(week * 7, "items")
    given = [0] * items
    left = total
    while left:
        open_to = [at for at in range(items) if given[at] < (last if at == items - 1 else most)]
        if not open_to:
            open_to = [items - 1]
        given[chance.choice(open_to)] += 1
        left -= 1
    return given


def distress(client: Client, day: int) -> tuple[int, int, int]:
    """Distress before, at the peak and after an exposure, 0 to 100 in fives: it lessens with practice."""
    chance = client.chance(day, "distress")
    level = max(20.0, 55 + client.severity - 0.45 * day * max(0.3, client.gain))
    before = level + chance.gauss(0, 7)
    peak = before + chance.uniform(5, 22)
    after = before * chance.uniform(0.45, 0.75)
    return _fives(before), _fives(peak), _fives(after)


def rating(client: Client, day: int, what: str) -> int:
    """A rating of 0 to 10: mood, pleasure, mastery; it rises as the score falls."""
    chance = client.chance(day, f"rating {what}")
    return min(10, max(0, round(7.5 - client.severity / 4 + client.gain * day / 12 + chance.gauss(0, 1.3))))


def _fives(value: float) -> int:
    return min(100, max(0, 5 * round(value / 5)))
