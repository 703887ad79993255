"""Values as they are written in a query: separators, escapes, and what is refused. https://hl7.org/fhir/R4/search.html#escaping"""

import re
from typing import Final

MOST_VALUES: Final = 2000
_ESCAPE: Final = re.compile(r"\\([,|$\\])")
_PIECES: Final = {mark: re.compile(rf"(?:\\.|[^\\{re.escape(mark)}]|\\$)*", re.DOTALL) for mark in ",|$"}


class Malformed(ValueError):
    """A parameter that cannot be understood; `code` is the issue code, the text is for the caller."""

    def __init__(self, sentence: str, code: str = "invalid") -> None:
        super().__init__(sentence)
        self.sentence, self.code = sentence, code


def split(text: str, mark: str) -> list[str]:
    """The parts of `text` between marks that are not escaped; escapes stay in."""
    if "\\" not in text:
        return text.split(mark)
    parts, place = [], 0
    while True:
        found = _PIECES[mark].match(text, place)
        assert found is not None
        parts.append(found.group())
        if found.end() >= len(text):
            return parts
        place = found.end() + 1


def unescape(text: str) -> str:
    """`text` with each escaped mark as the mark itself."""
    return _ESCAPE.sub(r"\1", text) if "\\" in text else text


def alternatives(text: str) -> list[str]:
    """The values of a comma list. Raises Malformed for an empty one."""
    parts = split(text, ",")
    if len(parts) > MOST_VALUES:
        raise Malformed(
            f"A parameter has at most {MOST_VALUES} values; ask for the rest in another search", "too-costly"
        )
    if not all(parts):
        raise Malformed("A value is missing before or after a comma" if len(parts) > 1 else "The value is missing")
    return parts
