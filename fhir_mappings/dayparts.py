"""The parts of a day that a Timing names, as windows on a clock. https://hl7.org/fhir/R4/valueset-event-timing.html

FHIR gives them no hours; these are Hearth's (docs/homework.md, "Timing"), with meals about 8, 13 and 19 o'clock.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of the day and its name, since midnight; `closes` is None where the next one, or the day's end, closes it."""

    name: str
    opens: timedelta
    closes: timedelta | None = None


WINDOWS: Final = {
    name: (timedelta(hours=opens), timedelta(hours=closes))
    for name, opens, closes in (
        ("WAKE", 6, 9), ("PHS", 6, 9),
        ("MORN", 6, 12), ("MORN.early", 6, 9), ("MORN.late", 9, 12),
        ("NOON", 12, 14),
        ("AFT", 12, 18), ("AFT.early", 12, 15), ("AFT.late", 15, 18),
        ("EVE", 18, 22), ("EVE.early", 18, 20), ("EVE.late", 20, 22),
        ("HS", 21, 24), ("NIGHT", 22, 30),
        ("ACM", 6, 8), ("CM", 7, 9), ("PCM", 8, 10),
        ("ACD", 11, 13), ("CD", 12, 14), ("PCD", 13, 15),
        ("ACV", 17, 19), ("CV", 18, 20), ("PCV", 19, 21),
    )
}  # fmt: skip
"""From which hour to which; a night ends on the next morning."""
_BEFORE: Final = ("AC", "HS")


def shifted(code: str, offset: int) -> Moment:
    """The window of a code, `offset` minutes earlier where the code says before something, else so much later."""
    opens, closes = WINDOWS[code]
    by = timedelta(minutes=-offset if code.startswith(_BEFORE) else offset)
    return Moment(code, opens + by, closes + by)
