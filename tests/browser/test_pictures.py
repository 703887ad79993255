"""Pictures and prints as a browser shows them: within their edges, in light and dark, and what axe says of the pages."""

from datetime import UTC, date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Route

from schemas import json
from service.operations.chart import POLICY
from service.pictures import palette
from service.pictures.picture import Look, alternative_of, drawn
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
from service.prints import html
from service.prints.document import Document, Picture
from service.prints.handout import Homework, handout
from service.prints.session import session
from service.prints.summary import Assigned, ClientWords, MeasureChange, RaisedFlag, SummaryDocument

MONDAY: Final = date(2026, 1, 5)
LIBRARY: Final = Path(__file__).parents[2] / "schemas" / "data" / "library"
RULES: Final = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def weekly(*values: float | None) -> tuple[Point, ...]:
    return tuple(Point(MONDAY + timedelta(weeks=at), value) for at, value in enumerate(values))


BANDS: Final = (
    Band(0, 4, "minimal"), Band(5, 9, "mild"), Band(10, 14, "moderate"), Band(15, 19, "moderately severe"),
    Band(20, 27, "severe"),
)  # fmt: skip
SERIES: Final[tuple[Series, ...]] = (
    ScoreSeries(
        "PHQ-9", 0, 27, weekly(18, 19, 17, None, 15, 14, 15, 12, None, 9, 10, 7), BANDS,
        (Mark(MONDAY + timedelta(weeks=7), "reliable improvement"),),
    ),
    RatingSeries(
        "Mood, pleasure and mastery", 0, 10,
        (Line("Mood", weekly(4, 5, 6, 6)), Line("Pleasure", weekly(3, 4, 6, 6)), Line("Mastery", weekly(5, 4, 6, 6))),
    ),
    AdherenceCalendar(
        "Homework, day by day", MONDAY, MONDAY + timedelta(days=83),
        {MONDAY + timedelta(days=at): tuple(Day)[at % 4] for at in range(84) if at % 7 < 6},
    ),
    ExposureSeries(
        "Facing it",
        tuple(ExposureStep(MONDAY + timedelta(weeks=at), f"Say hello to neighbour {at}", 55, 90 - at * 7, 40 - at)
              for at in range(7)),
    ),
    AttainmentSeries("Goals", (GoalLine("One new person a week", weekly(-2, -1, 0, 1)), GoalLine("Walk", weekly(0, 1)))),
    AdherenceBy("By weekday", (Bar("Wednesday", 12.5, 17), Bar("Behavioural activation", 0, 2), Bar("Sunday", 3, 3))),
)  # fmt: skip


class Screen:
    """A page that shows what it is given as the server would send it, and keeps what the browser complains of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))

    async def show(self, content: bytes, media_type: str) -> Page:
        headers = {"Content-Security-Policy": POLICY, "Content-Type": media_type, "X-Content-Type-Options": "nosniff"}

        async def answer(route: Route) -> None:
            await route.fulfill(body=content, headers=headers)

        await self.page.unroute_all()
        await self.page.route("http://hearth.test/**", answer)
        await self.page.goto("http://hearth.test/it")
        return self.page


BOXES: Final = """() => Array.from(document.querySelectorAll('text')).map(each => {
  const box = each.getBoundingClientRect();
  return [each.textContent, box.left, box.top, box.right, box.bottom];
})"""


def overlapping(boxes: list[list[Any]]) -> list[tuple[str, str]]:
    """Pairs of texts of which more than a hair's breadth lies upon the other."""
    found = []
    for at, (one, left, top, right, bottom) in enumerate(boxes):
        for other, other_left, other_top, other_right, other_bottom in boxes[at + 1 :]:
            wide = min(right, other_right) - max(left, other_left)
            high = min(bottom, other_bottom) - max(top, other_top)
            if wide > 1 and high > 4:
                found.append((one, other))
    return found


@pytest.mark.parametrize("width", [360, 720])
async def test_every_text_of_a_picture_is_within_it_and_lies_on_no_other(browser: Browser, width: int) -> None:
    screen = Screen(await browser.new_page(viewport={"width": 1300, "height": 900}))
    for series in SERIES:
        for language in ("en", "de", "es"):
            page = await screen.show(drawn(series, "svg", Look(language, width=width)), "image/svg+xml")
            boxes = await page.evaluate(BOXES)
            high = await page.evaluate("document.documentElement.height.baseVal.value")
            assert len(boxes) > 3
            for text, left, top, right, bottom in boxes:
                assert 0 <= left < right <= width, (series.title, language, text)
                assert 0 <= top < bottom <= high, (series.title, language, text)
            assert overlapping(boxes) == [], (series.title, language)
    assert screen.complaints == []
    await screen.page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_a_picture_has_the_colours_of_its_readers_theme(browser: Browser, theme: Any, screenshots: Path) -> None:
    screen = Screen(await browser.new_page(color_scheme=theme))
    paper = palette.colours(theme)["paper"]
    for series in SERIES:
        page = await screen.show(drawn(series, "svg", Look()), "image/svg+xml")
        fill = await page.evaluate("getComputedStyle(document.querySelector('path')).fill")
        await page.screenshot(path=screenshots / f"chart-{type(series).__name__}-{theme}.png")
        assert fill == f"rgb({int(paper[1:3], 16)}, {int(paper[3:5], 16)}, {int(paper[5:7], 16)})"
    await screen.page.close()


def documents() -> dict[str, Document]:
    activity = json.decode((LIBRARY / "ActivityDefinition-graded-exposure.json").read_bytes())
    form = json.decode((LIBRARY / "Questionnaire-exposure-record.json").read_bytes())
    phq = json.decode((LIBRARY / "Questionnaire-phq-9.json").read_bytes())
    pictures = tuple(Picture(drawn(each, "svg", Look()), alternative_of(each, "en")) for each in SERIES[:2])
    summary = SummaryDocument(
        "en", "Ada", date(2026, 3, 30), date(2026, 3, 23),
        assigned=(Assigned("Exposure", 3, 2, 1, remark="helpful"),),
        words=(ClientWords("It was less strange than I thought.", "What happened?"),),
        measures=(MeasureChange("PHQ-9", Decimal(7), date(2026, 3, 23), "mild", Decimal(18), date(2026, 1, 5), "better"),),
        flags=(RaisedFlag("Please review"),), discuss=("Thursday",), pictures=pictures,
    )  # fmt: skip
    return {
        "handout": handout(Homework(activity=activity, form=form), "de", UTC),
        "questionnaire": handout(Homework(form=phq), "en", UTC, discreet=True),
        "summary": session(summary),
    }


@pytest.mark.parametrize(("theme", "width"), [("light", 1000), ("dark", 390)])
async def test_axe_finds_nothing_on_a_print_and_it_fits_a_phone(
    browser: Browser, theme: Any, width: int, screenshots: Path
) -> None:
    screen = Screen(await browser.new_page(color_scheme=theme, viewport={"width": width, "height": 900}))
    for name, document in documents().items():
        page = await screen.show(html.html(document), "text/html")
        found = await Axe().run(page, options=RULES)
        await page.screenshot(path=screenshots / f"print-{name}-{theme}.png", full_page=True)
        assert [each["id"] for each in found.response["violations"]] == [], name
        assert len(found.response["passes"]) > 10
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, name
    assert screen.complaints == []
    await screen.page.close()
