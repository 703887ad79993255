"""Totals of instruments from coded answers. https://hl7.org/fhir/uv/sdc/expressions.html#scoring"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.instruments import Band, Code, Scale


@dataclass(frozen=True, slots=True)
class Score:
    """A total and the band it falls into; a scale without bands has none."""

    value: int
    band: Band | None

    @property
    def interpretation(self) -> str | None:
        """The band in words, with its range: 'moderate (10-14)'."""
        return None if self.band is None else f"{self.band.text} ({self.band.low}-{self.band.high})"


def score(scale: Scale, answers: Mapping[Code, Sequence[Code]]) -> Score | None:
    """The total of `scale`, from the coded answers by item; None unless every item has exactly one known answer."""
    total = 0
    for item, points in scale.points.items():
        given = answers.get(item, ())
        if len(given) != 1 or given[0] not in points:
            return None
        total += points[given[0]]
    return Score(total, next((band for band in scale.bands if band.low <= total <= band.high), None))
