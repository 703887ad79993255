"""The markdown of definitions and instructions as blocks. https://hl7.org/fhir/R4/datatypes.html#markdown

Paragraphs, steps and lists are kept, emphasis is dropped, an address stands beside the words that lead to it: on paper
nobody can follow a link. HTML stays the text that it is.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from service.prints.document import Block, Bulleted, Heading, Numbered, Text

_STEP: Final = re.compile(r"\s*\d{1,3}[.)]\s+(.*)")
_BULLET: Final = re.compile(r"\s*[-*+•]\s+(.*)")
_HEADING: Final = re.compile(r"\s*#{1,6}\s+(.*?)\s*#*\s*")
# None of them looks past the next mark of its own kind: a long text of nothing but marks costs no more than another.
_LINK: Final = re.compile(r"!?\[([^\[\]]{1,300})\]\(([^()\[\]\s]{1,500})\)")
_STRONG: Final = re.compile(r"\*\*(?=\S)([^*]{1,300}?)(?<=\S)\*\*|__(?=\S)([^_]{1,300}?)(?<=\S)__")
_EMPHASIS: Final = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]{1,300}?)(?<=[^\s*])\*(?![\w*])")


def blocks(text: str) -> tuple[Block, ...]:
    """The blocks of a text, in order."""
    return tuple(_blocks(text.replace("\r\n", "\n").split("\n")))


def plain(text: str) -> str:
    """A piece of text without marks of emphasis and links."""
    text = _LINK.sub(lambda found: f"{found[1]} ({found[2]})" if found[1] != found[2] else found[1], text)
    return _STRONG.sub(r"\1\2", _EMPHASIS.sub(r"\1", text)).strip()


def _blocks(lines: list[str]) -> Iterator[Block]:
    kind, gathered, is_open = "", list[str](), False
    for line in lines:
        found, content = _read(line)
        if found == "empty":
            is_open = False
            continue
        if found == "more" and is_open:
            gathered[-1] += " " + content
            continue
        found = "text" if found == "more" else found
        if found == kind and found in _LISTS:
            gathered.append(content)
        else:
            if gathered:
                yield _MADE[kind](gathered)
            kind, gathered = found, [content]
        is_open = found != "heading"
    if gathered:
        yield _MADE[kind](gathered)


def _read(line: str) -> tuple[str, str]:
    """What a line is, and its content."""
    for kind, pattern in (("step", _STEP), ("bullet", _BULLET), ("heading", _HEADING)):
        found = pattern.fullmatch(line)
        if found:
            return kind, plain(found[1])
    return ("more", plain(line)) if line.strip() else ("empty", "")


_LISTS: Final = ("step", "bullet")
_MADE: Final[Mapping[str, Callable[[list[str]], Block]]] = {
    "step": lambda items: Numbered(tuple(items)),
    "bullet": lambda items: Bulleted(tuple(items)),
    "text": lambda items: Text(" ".join(items)),
    "heading": lambda items: Heading(" ".join(items)),
}
