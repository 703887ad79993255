"""How the pictures speak a language: its sentences, numbers and days. https://www.unicode.org/reports/tr35/"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache

from schemas import words


@dataclass(frozen=True, slots=True)
class Phrases:
    """What is said, in one language."""

    language: str
    said: Mapping[str, str]
    pages: Mapping[str, str]

    def __call__(self, name: str, /, **values: object) -> str:
        """A sentence with its values."""
        return self.said[name].format(**values)

    def counted(self, name: str, count: int) -> str:
        """So many of something."""
        return self(f"{name}.one" if count == 1 else f"{name}.many", count=count)

    def number(self, value: float) -> str:
        """A number with at most one decimal, which is as much as anybody reads from a picture."""
        text = f"{value:.1f}".removesuffix(".0").replace("-", "−").replace(".", self.said["number.decimal"])
        return "0" if text == "−0" else text

    def day(self, on: date) -> str:
        """A day with its year."""
        return words.date(self.pages, on.isoformat())

    def short_day(self, on: date) -> str:
        """A day without its year, as it stands on an axis."""
        return self("date.short", day=on.day, month=self.said[f"month.short.{on.month}"])

    def month(self, on: date) -> str:
        """The month of a day."""
        return self.said[f"month.short.{on.month}"]

    def change(self, first: float, last: float) -> str:
        """How the last value compares with the first."""
        difference = round(last, 1) - round(first, 1)
        if not difference:
            return self("change.same")
        return self("change.lower" if difference < 0 else "change.higher", count=self.number(abs(difference)))

    def span(self, values: str, start: date, end: date) -> str:
        """What there is, and from when to when."""
        name = "span.one" if start == end else "span.many"
        return self(name, values=values, start=self.day(start), end=self.day(end))


@cache
def phrases(language: str) -> Phrases:
    """The phrases of a language of words.LANGUAGES."""
    return Phrases(language, words.part("pictures", language), words.of(language))
