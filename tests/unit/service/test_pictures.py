"""Pictures of progress: the same bytes each time, readable in every theme, described in words, and drawn of anything."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_mappings.course import Point as Scored
from schemas import words
from schemas.instruments import instruments
from service.pictures import axes, exposure, palette, picture, rating, records, score
from service.pictures.phrases import phrases
from service.pictures.picture import Look, alternative_of, drawn, is_empty
from service.pictures.series import (
    AdherenceBy,
    AdherenceCalendar,
    AttainmentSeries,
    Band,
    Bar,
    Day,
    ExposureSeries,
    ExposureStep,
    GoalLine,
    Line,
    Mark,
    Point,
    RatingSeries,
    ScoreSeries,
    Series,
)

ROOT: Final = Path(__file__).parents[3]
SVG: Final = "{http://www.w3.org/2000/svg}"
MONDAY: Final = date(2026, 1, 5)
HOSTILE: Final = '$x^2$ <script>alert("1")</script> & ]]> \x01 \U0001f600 é'


def weekly(*values: float | None) -> tuple[Point, ...]:
    return tuple(Point(MONDAY + timedelta(weeks=at), value) for at, value in enumerate(values))


BANDS: Final = (Band(0, 4, "minimal"), Band(5, 9, "mild"), Band(10, 14, "moderate"), Band(15, 27, "severe"))
SCORES: Final = ScoreSeries(
    "PHQ-9", 0, 27, weekly(18, 19, None, 12, 7), BANDS, (Mark(MONDAY + timedelta(weeks=3), "reliable improvement"),)
)
RATINGS: Final = RatingSeries("Ratings", 0, 10, (Line("Mood", weekly(4, 5, 6)), Line("Pleasure", weekly(2, None, 6))))
CALENDAR: Final = AdherenceCalendar(
    "Homework",
    MONDAY,
    MONDAY + timedelta(days=13),
    {MONDAY: Day.DONE, MONDAY + timedelta(days=1): Day.PARTLY, MONDAY + timedelta(days=2): Day.NOT_YET,
     MONDAY + timedelta(days=8): Day.PAUSED},
)  # fmt: skip
EXPOSURES: Final = ExposureSeries(
    "Exposure",
    tuple(
        ExposureStep(MONDAY + timedelta(weeks=at), f"Step {at}", before, peak, after)
        for at, (before, peak, after) in enumerate([(50, 80, 40), (45, None, None), (50, 70, 30), (40, 60, 30)])
    ),
)
GOALS: Final = AttainmentSeries(
    "Goals", (GoalLine("One new person a week", weekly(-2, -1, 1)), GoalLine("Walk", weekly(0)))
)
BARS: Final = AdherenceBy("By weekday", (Bar("Monday", 1.5, 3), Bar("Tuesday", 0, 2)))
EACH: Final[tuple[Series, ...]] = (SCORES, RATINGS, CALENDAR, EXPOSURES, GOALS, BARS)
EMPTY: Final[tuple[Series, ...]] = (
    ScoreSeries("t", 0, 27, (), BANDS), ScoreSeries("t", 0, 27, weekly(None)), RatingSeries("t", 0, 10, ()),
    AdherenceCalendar("t", MONDAY, MONDAY, {}), ExposureSeries("t", ()), AttainmentSeries("t", ()),
    AdherenceBy("t", (Bar("Monday", 0, 0),)),
)  # fmt: skip
every_series = pytest.mark.parametrize("series", EACH, ids=lambda series: type(series).__name__)


def read(made: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(made)  # noqa: S314 (our own)


def texts(root: ElementTree.Element) -> list[str]:
    return ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]


def luminance(colour: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_text_stands_out_from_what_it_stands_on(colours: Mapping[palette.Role, str]) -> None:
    for role in ("ink", "soft", *palette.LINES):
        assert contrast(colours[role], colours["paper"]) >= 4.5, role
    for band in palette.BANDS:
        assert contrast(colours["ink"], colours[band]) >= 4.5, band
        assert contrast(colours["first"], colours[band]) >= 3, band
    assert contrast(colours["soft"], colours["band-1"]) >= 4.5


@pytest.mark.parametrize("colours", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_days_and_bands_stay_apart_without_colour(colours: Mapping[palette.Role, str]) -> None:
    assert contrast(colours["first"], colours["pale"]) >= 2
    assert contrast(colours["pale"], colours["paper"]) >= 1.5
    shades = [luminance(colours[band]) for band in palette.BANDS]
    assert shades == sorted(shades) or shades == sorted(shades, reverse=True)
    assert len({round(shade, 3) for shade in shades}) == len(shades)


def test_a_role_can_be_told_by_its_colour() -> None:
    assert len(set(palette.LIGHT.values())) == len(palette.LIGHT) == len(palette.DARK)


@every_series
def test_a_picture_says_what_it_is(series: Series) -> None:
    root = read(drawn(series, "svg", Look("nl")))
    assert root.get("role") == "img"
    assert root.get("lang") == "nl"
    assert root.findtext(f"{SVG}title") == series.title
    assert root.findtext(f"{SVG}desc") == alternative_of(series, "nl")
    ids = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    assert {root.get("aria-labelledby"), root.get("aria-describedby")} <= set(ids)


@every_series
def test_the_same_picture_is_the_same_bytes(series: Series) -> None:
    for form in ("svg", "png"):
        look = Look("es", "light", 500, 1)
        assert drawn(series, form, look) == drawn(series, form, look)  # type: ignore[arg-type]


@every_series
def test_text_stays_text_within_the_sheet_in_the_readers_own_fonts(series: Series) -> None:
    for width in (320, 1200):
        made = drawn(series, "svg", Look("de", width=width))
        assert b"DejaVu Sans'," in made  # among others, in the style sheet
        assert made.count(b"font-family") == 1
        root = read(made)
        assert texts(root)
        height = float(root.get("height") or 0)
        for each in root.iter(f"{SVG}text"):
            x, y = (float(each.get(name) or 0) for name in ("x", "y"))
            assert 0 <= x <= width
            assert 0 < y < height


@every_series
def test_a_picture_follows_its_readers_theme_unless_told_which(series: Series) -> None:
    auto, light, dark = (drawn(series, "svg", Look(theme=theme)).decode() for theme in palette.THEMES.values())
    assert "@media screen and (prefers-color-scheme:dark)" in auto
    assert "@media" not in light + dark
    # Every colour has a class, so that none is left behind in the dark.
    for colour in re.findall(r'(?:fill|stroke)="(#[0-9a-f]{6})"', auto):
        assert colour in palette.LIGHT.values()
    assert not re.search(r"style=\"[^\"]*#[0-9a-f]{6}", auto)
    assert palette.DARK["paper"] in dark
    assert palette.LIGHT["paper"] not in dark


@every_series
def test_a_picture_loads_and_runs_nothing(series: Series) -> None:
    made = drawn(series, "svg", Look())
    assert b"<script" not in made
    assert not re.search(rb'(?:href|src)="(?!#)', made)
    assert b"url(http" not in made
    assert b"<!DOCTYPE" not in made


@every_series
@pytest.mark.parametrize(("width", "scale"), [(320, 1), (600, 2)])
def test_a_png_has_the_size_asked_for_and_says_what_it_shows(series: Series, width: int, scale: int) -> None:
    made = drawn(series, "png", Look("en", "dark", width, scale))
    assert int.from_bytes(made[16:20]) == width * scale
    assert alternative_of(series, "en").encode("latin-1", "ignore")[:30] in made
    assert b"Software" not in made


@pytest.mark.parametrize("series", EMPTY, ids=lambda series: type(series).__name__)
@pytest.mark.parametrize("language", words.LANGUAGES)
def test_where_there_is_nothing_yet_it_says_so(series: Series, language: str) -> None:
    assert is_empty(series)
    root = read(drawn(series, "svg", Look(language)))
    said = phrases(language)("empty")
    assert root.findtext(f"{SVG}desc") == said
    assert " ".join(texts(root)[1:]) == said


@pytest.mark.parametrize(
    "series",
    [
        ScoreSeries(HOSTILE, 0, 27, weekly(1, 2), (Band(0, 27, HOSTILE),), (Mark(MONDAY, HOSTILE),)),
        RatingSeries(HOSTILE, 0, 10, (Line(HOSTILE, weekly(1, 2)), Line(HOSTILE, weekly(3)))),
        ExposureSeries(HOSTILE, (ExposureStep(MONDAY, HOSTILE, 1, 2, 3),)),
        AttainmentSeries(HOSTILE, (GoalLine(HOSTILE, weekly(0)),)),
        AdherenceBy(HOSTILE, (Bar(HOSTILE, 1, 2),)),
    ],
    ids=lambda series: type(series).__name__,
)
@pytest.mark.filterwarnings("error")
def test_what_people_wrote_is_drawn_as_they_wrote_it(series: Series) -> None:
    made = drawn(series, "svg", Look())
    root = read(made)
    assert root.find(f".//{SVG}script") is None
    assert (root.findtext(f"{SVG}title") or "").startswith("$x^2$ <script>")
    assert any("$x^2$" in text for text in texts(root))
    assert drawn(series, "png", Look())


ALTERNATIVES: Final[list[dict[str, Any]]] = json.loads((ROOT / "tests/cases/pictures/alternatives.json").read_text())
SERIES: Final[Mapping[str, Series]] = {
    "score": SCORES, "one-score": ScoreSeries("GAD-7", 0, 21, weekly(9)), "ratings": RATINGS, "calendar": CALENDAR,
    "exposures": EXPOSURES, "goals": GOALS, "bars": BARS,
}  # fmt: skip


@pytest.mark.parametrize("case", ALTERNATIVES, ids=lambda case: f"{case['series']}-{case['language']}")
def test_the_alternative_says_what_the_picture_shows(case: dict[str, Any]) -> None:
    assert alternative_of(SERIES[case["series"]], case["language"]) == case["says"]


def test_every_series_and_language_has_a_case_of_its_alternative() -> None:
    covered = {(case["series"], case["language"]) for case in ALTERNATIVES}
    assert {name for name, _ in covered} == set(SERIES)
    assert {language for _, language in covered} == set(words.LANGUAGES)


def test_every_band_of_every_instrument_has_its_word_in_every_language() -> None:
    used = {band.text for each in instruments().values() for scale in each.scales for band in scale.bands}
    for language in words.LANGUAGES:
        assert {f"band.{text}" for text in used} <= set(words.part("pictures", language))


numbers = st.one_of(st.none(), st.integers(0, 27), st.floats(0, 27, width=16))
days = st.dates(date(2020, 1, 1), date(2030, 1, 1))
points = st.lists(st.builds(Point, days, numbers), max_size=30).map(
    lambda found: tuple(sorted(found, key=lambda point: point.on))
)
names = st.text(max_size=60)
anything = st.one_of(
    st.builds(ScoreSeries, names, st.just(0), st.just(27), points, st.just(BANDS), st.just(())),
    st.builds(
        lambda title, found: RatingSeries(title, 0, 27, tuple(found)),
        names,
        st.lists(st.builds(Line, names, points), max_size=5),
    ),
    st.builds(
        lambda title, start, length, found: AdherenceCalendar(
            title, start, start + timedelta(days=length),
            {start + timedelta(days=at): day for at, day in found.items() if at <= length},
        ),
        names, days, st.integers(0, 370), st.dictionaries(st.integers(0, 370), st.sampled_from(Day), max_size=60),
    ),
    st.builds(
        lambda title, found: ExposureSeries(title, tuple(found)),
        names, st.lists(st.builds(ExposureStep, days, names, numbers, numbers, numbers), max_size=30),
    ),
    st.builds(
        lambda title, found: AttainmentSeries(title, tuple(found)),
        names, st.lists(st.builds(GoalLine, names, points), max_size=4),
    ),
    st.builds(
        lambda title, found: AdherenceBy(title, tuple(found)),
        names, st.lists(st.builds(Bar, names, st.integers(0, 9), st.integers(0, 9)), max_size=12),
    ),
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(anything, st.sampled_from(words.LANGUAGES), st.integers(picture.WIDTHS.start, picture.WIDTHS.stop - 1))
def test_any_series_is_drawn(series: Series, language: str, width: int) -> None:
    root = read(drawn(series, "svg", Look(language, width=width)))
    assert root.get("width") == str(width)
    assert root.findtext(f"{SVG}desc")


@given(days, st.integers(0, 4000), st.floats(80, 1200))
def test_days_are_named_from_the_first_on_as_far_as_there_is_room(start: date, length: int, room: float) -> None:
    found = axes.days(start, start + timedelta(days=length), room)
    assert found[0] == start
    assert found[-1] <= start + timedelta(days=length)
    assert len(found) <= room / 74 + 1
    assert len({later - earlier for earlier, later in pairwise(found)}) <= 1


@given(st.lists(st.floats(0, 300), min_size=1, max_size=8))
def test_labels_keep_their_distance_and_their_order(wanted: list[float]) -> None:
    placed = axes.apart(wanted, 18, 0, 300)
    by_place = sorted(range(len(wanted)), key=lambda at: placed[at])
    assert [wanted[at] for at in by_place] == sorted(wanted)
    tops = sorted(placed)
    assert all(later - earlier >= 18 - 1e-9 for earlier, later in pairwise(tops))


@pytest.mark.parametrize(
    ("low", "high", "named"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (0, 4, [0, 1, 2, 3, 4]),
     (0, 100, [0, 20, 40, 60, 80, 100]), (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1])],
)  # fmt: skip
def test_round_values_are_named(low: float, high: float, named: list[float]) -> None:
    assert axes.values(low, high) == pytest.approx(named)


def test_the_trend_of_exposures_needs_three() -> None:
    assert exposure.trend([(0, 80), (1, 70)]) is None
    assert exposure.trend([(0, 80), (1, 70), (2, 60)]) == pytest.approx((80, -10))


def test_the_mean_of_a_week_ends_on_its_day() -> None:
    found = [Point(MONDAY + timedelta(days=at), at) for at in (0, 3, 6, 7)]
    assert [point.value for point in rating.mean_of_days(found)] == pytest.approx([0, 1.5, 3, 16 / 3])


def test_a_value_between_two_bands_is_in_the_lower() -> None:
    assert score.band_of(BANDS, 9.5) == BANDS[1]
    assert score.band_of(BANDS, 10) == BANDS[2]
    assert score.band_of((), 3) is None


def course(*values: int) -> list[Scored]:
    days = [MONDAY + timedelta(weeks=at) for at in range(len(values))]
    moments = [datetime.combine(on, datetime.min.time(), UTC) for on in days]
    return [Scored(at, on.isoformat(), Decimal(value)) for at, on, value in zip(moments, days, values, strict=True)]


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        ((18, 14, 13), {}),
        ((18, 12, 11), {1: "reliable improvement"}),
        ((18, 12, 4), {1: "reliable improvement", 2: "remission"}),
        ((18, 3), {1: "reliable improvement, remission"}),
        ((10, 17, 16, 4), {1: "reliable worsening", 3: "reliable improvement, remission"}),
        ((18, 12, 14, 12), {1: "reliable improvement", 3: "reliable improvement"}),
    ],
)
def test_a_mark_stands_where_a_rule_first_says_something(values: tuple[int, ...], marks: dict[int, str]) -> None:
    series = records.score(("http://loinc.org", "44261-6"), course(*values), UTC, phrases("en"))
    assert {(mark.on - MONDAY).days // 7: mark.text for mark in series.marks} == marks


def test_a_measure_without_bands_or_rules_is_drawn_on_a_scale_that_holds_it() -> None:
    series = records.score(("urn:x", "y"), course(3, 37), UTC, phrases("en"))
    assert (series.title, series.low, series.high, series.bands, series.marks) == ("Score", 0, 50, (), ())


@pytest.mark.parametrize(("value", "said"), [(2.5, "2,5"), (3.0, "3"), (-1, "−1"), (-0.04, "0"), (12.345, "12,3")])
def test_numbers_are_written_as_in_the_language(value: float, said: str) -> None:
    assert phrases("nl").number(value) == said
