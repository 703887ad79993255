"""How a made-up client's homework goes, day by day: whether it is done and when, how it felt, and what the measure says."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from service.simulation.population import Client

DONE: Final = "done"
PARTLY: Final = "partly"
PAUSED: Final = "paused"
DECLINED: Final = "declined"
LEFT: Final = "left"
_WEEKEND: Final = (5, 6)
_WAITING_ROOM: Final = 0.75
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
    likely = client.steadiness - 0.002 * day - (0.08 if weekday in _WEEKEND else 0.0)
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


def measured(client: Client, day: int, became: Outcome) -> Outcome:
    """The same of a measure: it is done whole, and most of what was left is done in the waiting room in the end."""
    if became.what == PARTLY or (became.what == LEFT and client.chance(day, "waiting room").random() < _WAITING_ROOM):
        return replace(became, what=DONE)
    return became


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


def level(client: Client, week: int) -> int:
    """Where the goal stands, from -2 to 2: low at first, what was expected after three months of usual gain."""
    return min(2, max(-2, round(client.chance(week * 7, "goal").gauss(0.42 * client.gain * week - 1.8, 0.5))))


def reading(client: Client, day: int) -> tuple[int, Decimal]:
    """What a watch tells of a day: steps, and hours of sleep."""
    chance = client.chance(day, "watch")
    more = client.gain * day / 84
    slept = max(2.5, chance.gauss(6.1 + 1.5 * more, 0.7))
    return max(400, round(chance.gauss(5200 + 4000 * more, 1500))), Decimal(f"{slept:.1f}")


def night(client: Client, day: int) -> dict[str, object]:
    """A night of the sleep diary, by linkId: it gets shorter in bed and better as the score falls."""
    chance = client.chance(day, "night")
    awake = max(5, round(chance.gauss(48 - 3.2 * client.gain * day / 7, 14)))
    to_bed, woke = 22 * 60 + chance.randint(0, 75), 6 * 60 + chance.randint(0, 70)
    return {
        "to-bed": _clock(to_bed),
        "lights-out": _clock(to_bed + 15),
        "minutes-to-sleep": awake,
        "times-awake": chance.randint(0, 3),
        "minutes-awake": max(3, awake // 2),
        "woke": _clock(woke),
        "got-up": _clock(woke + chance.randint(5, 40)),
    }


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}:00"


def belief(client: Client, day: int) -> tuple[int, int]:
    """How much a thought is believed, 0 to 100 in fives, before and after it was looked at."""
    chance = client.chance(day, "belief")
    before = chance.gauss(60 + client.severity, 10)
    return _fives(before), _fives(before * chance.uniform(0.4, 0.8))


def habit(client: Client, day: int, patterns: int) -> int:
    """Which of so many habits of thinking a thought shows: everybody has two of their own that come back."""
    own = client.chance(0, "habit")
    usual = (own.randrange(patterns), own.randrange(patterns))
    chance = client.chance(day, "habit")
    return chance.choice(usual) if chance.random() < 0.7 else chance.randrange(patterns)


def day_of(client: Client, first: int, days: int, slot: str) -> int:
    """The day on which something is done or let go that has several days, from the first one on."""
    return first if days <= 1 else first + client.chance(first, f"day {slot}").randrange(days)


def rating(client: Client, day: int, what: str) -> int:
    """A rating of 0 to 10: mood, pleasure, mastery; it rises as the score falls."""
    chance = client.chance(day, f"rating {what}")
    return min(10, max(0, round(7.5 - client.severity / 4 + client.gain * day / 12 + chance.gauss(0, 1.3))))


def _fives(value: float) -> int:
    return min(100, max(0, 5 * round(value / 5)))
