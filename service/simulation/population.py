"""The clients of a made-up clinic: how ill, how steady, and in which programme. All follows from the seed.

The spread follows the literature that homework is built on: severity about 14 on the PHQ-9, two thirds of homework done,
and a correlation of about -0.3 between what was done and the change in scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Final

_GIVEN: Final = (
    "Alder", "Briar", "Clover", "Dahlia", "Elm", "Fern", "Ginger", "Hazel", "Iris", "Juniper", "Kestrel", "Laurel",
    "Maple", "Nettle", "Olive", "Poppy", "Quince", "Rowan", "Sage", "Tansy", "Willow", "Yarrow",
)  # fmt: skip
_FAMILY: Final = (
    "Brook", "Cliff", "Dale", "Field", "Glen", "Heath", "Island", "Lake", "Meadow", "North", "Orchard", "Pond", "Ridge",
    "Shore", "Thicket", "Valley", "Water", "Yard",
)  # fmt: skip
_LANGUAGES: Final = ("en",) * 6 + ("es", "es", "de", "nl")
_ZONES: Final = {
    "en": ("America/New_York", "Europe/London", "America/Los_Angeles"),
    "es": ("Europe/Madrid", "America/Bogota"),
    "de": ("Europe/Berlin",),
    "nl": ("Europe/Amsterdam",),
}

_WEARING: Final = 0.35
_FINISHING: Final = 5
"""One client in so many is done when the play ends."""


@dataclass(frozen=True, slots=True)
class Programme:
    """What is assigned: the daily or weekly activities by name, and the measure, with its typical score at the start."""

    activities: tuple[str, ...]
    measure: str
    start: float


PROGRAMMES: Final[Mapping[str, Programme]] = MappingProxyType(
    {
        "low mood": Programme(("behavioural-activation",), "phq-9", 14.5),
        "worry": Programme(("graded-exposure",), "gad-7", 12.5),
        "sleep": Programme(("sleep-diary", "slow-breathing"), "phq-9", 11.0),
        "self-worth": Programme(("gratitude-journal", "thought-record"), "phq-9", 12.0),
    }
)


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who does not exist. `steadiness` is the share of homework done at the start, `severity` the first score.

    `gain` is how much the score falls in a week, `risk` whether thoughts of self-harm come up.
    """

    number: int
    given: str
    family: str
    birth_year: int
    gender: str
    language: str
    zone: str
    programme: str
    therapist: int
    steadiness: float
    severity: float
    gain: float
    risk: bool

    @property
    def id(self) -> str:
        """The logical id."""
        return f"sim-{self.number:04d}"

    @property
    def wears(self) -> bool:
        """Whether they wear a watch that tells of steps and sleep."""
        return self.chance(0, "watch").random() < _WEARING

    @property
    def goes_on(self) -> bool:
        """Whether their homework goes on after the weeks that are played."""
        return self.number % _FINISHING != 0

    def chance(self, day: int, what: str) -> Random:
        """The chance of one thing on one day: the same whatever else is asked before."""
        return Random(f"{self.number}|{self.severity}|{day}|{what}")  # noqa: S311  # made up, and to be repeatable


def population(seed: int, count: int, therapists: int) -> tuple[Client, ...]:
    """`count` clients of `therapists` therapists."""
    return tuple(_client(Random(f"{seed}|{number}"), number, therapists) for number in range(1, count + 1))  # noqa: S311


def _client(chance: Random, number: int, therapists: int) -> Client:
    programme = chance.choice(tuple(PROGRAMMES))
    language = chance.choice(_LANGUAGES)
    steadiness = chance.betavariate(5, 2.5)
    severity = min(26.0, max(4.0, chance.gauss(PROGRAMMES[programme].start, 3.8)))
    # Who does more gets better by more, on average: a third of what differs between people.
    gain = 0.42 + 0.55 * (steadiness - 0.66) + chance.gauss(0, 0.24)
    return Client(
        number,
        chance.choice(_GIVEN),
        chance.choice(_FAMILY),
        chance.randint(1950, 2007),
        chance.choice(("female", "male", "other", "female", "male")),
        language,
        chance.choice(_ZONES[language]),
        programme,
        chance.randrange(therapists),
        steadiness,
        severity,
        gain,
        chance.random() < 0.08 + (0.12 if severity > 17 else 0),
    )
