"""How the prints speak a language: sentences, lists, days and numbers. https://www.unicode.org/reports/tr35/"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final

from schemas import words
from service.pictures.phrases import Phrases, phrases


@dataclass(frozen=True, slots=True)
class Wording:
    """What is said, in one language. `numbers` writes numbers and days."""

    language: str
    said: Mapping[str, str]
    numbers: Phrases

    def __call__(self, name: str, /, **values: object) -> str:
        """A sentence with its values."""
        return self.said[name].format(**values)

    def has(self, name: str) -> bool:
        """Whether there is a sentence of this name."""
        return name in self.said

    def listed(self, items: Sequence[str]) -> str:
        """Things beside each other: a, b and c."""
        if len(items) < 2:
            return "".join(items)
        return self("list.and", first=", ".join(items[:-1]), last=items[-1])

    def day(self, on: date) -> str:
        """A day with its year."""
        return self.numbers.day(on)


@cache
def wording(language: str) -> Wording:
    """The wording of a language of words.LANGUAGES."""
    return Wording(language, words.part("prints", language), phrases(language))


def sentence(text: str) -> str:
    """With a capital letter at its start, as Dutch has it too: ’s Avonds, Eén keer."""
    for begins, instead in _DUTCH.items():
        if text.startswith(begins):
            return (
                instead + sentence(text.removeprefix(begins)) if begins.endswith(" ") else instead + text[len(begins) :]
            )
    return text[:1].upper() + text[1:]


_DUTCH: Final = {"’s ": "’s ", "één": "Eén"}
