"""Passwords that are tried first: common ones, and what is put together of common words. The list of words is our own.

https://pages.nist.gov/800-63-4/sp800-63b.html#passwordver (blocklist)
"""

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

LEFT_LEAST: Final = 6
"""How many characters have to be left once all that is expected is taken away."""
_CONTEXT_LEAST: Final = 4  # a shorter part of a name would be found in many words

_WORDS: Final = Path(__file__).with_name("common_words.txt")
_ROWS: Final = (
    "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop", "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789", "1q2w3e4r5t6y7u8i9o0p", "1qaz2wsx3edc4rfv5tgb6yhn7ujm", "qazwsxedcrfvtgbyhnujm",
    "q1w2e3r4t5y6u7i8o9p0", "zaq1xsw2cde3vfr4bgt5nhy6",
)  # fmt: skip
_ROW_LEAST: Final = 4
_LOOKS_LIKE: Final = str.maketrans("013457@$!|€", "oieastasile")
_YEAR_OR_DATE: Final = re.compile(r"(?:19|20)\d\d|\d{1,2}[-/.]\d{1,2}[-/.]")
_REPEATED: Final = re.compile(r"(.{1,12}?)\1+", re.DOTALL)
_NOBODYS: Final[frozenset[str]] = frozenset()
_BETWEEN: Final = re.compile(r"[\s!-/:-@\[-`{-~]+")


def is_common(password: str, context: Collection[str] = ()) -> bool:
    """Whether little is left of a password (normalised) once common words, rows of keys, years and repetitions are gone.

    `context` are texts whose words are as easy to guess for this password as the common ones.
    """
    own = frozenset(_parts(context))
    folded = password.casefold()
    return any(_left(spelling, own) < LEFT_LEAST for spelling in (folded, folded.translate(_LOOKS_LIKE)))


def _left(text: str, own: frozenset[str]) -> int:
    text = _YEAR_OR_DATE.sub(" ", text)
    joined = _BETWEEN.sub("", text)
    for words in dict.fromkeys((own, _NOBODYS)):
        joined = _expected(words).sub("\0", joined)
    # Twice the same is as easy to guess as once.
    return len(_REPEATED.sub(r"\1", joined.replace("\0", "")))


@lru_cache(maxsize=64)
def _expected(own: frozenset[str]) -> re.Pattern[str]:
    """What finds the words; without any, those that everybody uses."""
    words = own or {*_WORDS.read_text("utf-8").split(), *_runs()}
    return re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)))


def _runs() -> Iterable[str]:
    """Each piece of a row of keys, forwards and backwards."""
    for row in (*_ROWS, *(row[::-1] for row in _ROWS)):
        for length in range(_ROW_LEAST, len(row) + 1):
            yield from (row[at : at + length] for at in range(len(row) - length + 1))


def _parts(context: Collection[str]) -> Iterable[str]:
    for text in context:
        words = _BETWEEN.split(text.casefold())
        yield from (word for word in (*words, "".join(words)) if len(word) >= _CONTEXT_LEAST)
