"""Totals of instruments from answers. https://hl7.org/fhir/uv/sdc/expressions.html#scoring"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from schemas.instrument import Band, Code, Given, Points, Scale


@dataclass(frozen=True, slots=True)
class Score:
    """A total, the band it falls into (a scale without bands has none), and how many items were counted as the others' mean."""

    value: Points
    band: Band | None
    estimated: int = 0

    @property
    def interpretation(self) -> str | None:
        """The band in words, with its range: 'moderate (10-14)'."""
        return None if self.band is None else f"{self.band.text} ({self.band.low}-{self.band.high})"


def score(scale: Scale, answers: Mapping[Code, Sequence[Given]], sex: str | None = None) -> Score | None:
    """The total of `scale`, from the answers by item.

    None where an item has several answers, one that is not known, or none and may not be missing. `sex` is female or male,
    None where it is not known: then what is asked of one sex only is asked, and bands are those for everybody.
    """
    counted: dict[Code, Points] = {}
    missing: set[Code] = set()
    for item, points in scale.points.items():
        given = answers.get(item, ())
        if len(given) > 1 or (given and given[0] not in points):
            return None
        value = points[given[0]] if given else None
        if value is None:
            missing.add(item)
        else:
            counted[item] = value
    missing -= _excused(scale, answers, sex)
    if not counted or len(missing) > scale.may_miss:
        return None
    total = _total(scale, counted, len(missing))
    return Score(total, _band(scale, total, sex), len(missing))


def _excused(scale: Scale, answers: Mapping[Code, Sequence[Given]], sex: str | None) -> set[Code]:
    """The items that need no answer: they are not asked of this sex, or an earlier answer makes them needless."""
    excused = {item for item, of in scale.only.items() if sex is not None and sex != of}
    for skip in scale.skips:
        if all(any(given in wanted for given in answers.get(item, ())) for item, wanted in skip.when.items()):
            excused |= skip.zero
    return excused


def _total(scale: Scale, counted: Mapping[Code, Points], missing: int) -> Points:
    total = sum(counted.values())
    if not missing and not scale.decimals:
        return total
    exact = Decimal(total) * (len(counted) + missing) / len(counted)
    # Half a point counts up, as people round.
    rounded = exact.quantize(Decimal(1).scaleb(-scale.decimals), ROUND_HALF_UP)
    return rounded if scale.decimals else int(rounded)


def _band(scale: Scale, total: Points, sex: str | None) -> Band | None:
    bands = scale.bands_by_sex.get(sex or "", scale.bands)
    return next((band for band in reversed(bands) if band.low <= total), None)
