"""What a document says, free of how it is set: the same blocks become HTML and PDF. https://www.w3.org/TR/WCAG22/

Texts are plain: nothing in them is read as markup, whoever wrote it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

PaperSize: TypeAlias = Literal["a4", "us-letter"]
PAPERS: Final[Mapping[str, PaperSize]] = {"a4": "a4", "letter": "us-letter"}
"""The papers that can be asked for, by the name they are asked for with."""


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A paragraph that is not to be overlooked."""

    text: str


@dataclass(frozen=True, slots=True)
class Numbered:
    """Steps, in order."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bulleted:
    """Things beside each other."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Terms and what is said of each."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a head; the first cell of each row names the row. `caption` says what it shows."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """Somebody's own words, and where or when they were said."""

    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing as a standalone SVG, and what it shows in words."""

    svg: bytes
    alternative: str


@dataclass(frozen=True, slots=True)
class Lines:
    """A question, and lines to write on."""

    question: str
    count: int
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Blank:
    """A question with one short place for its answer, before a unit where it has one."""

    question: str
    unit: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Boxes:
    """A question with boxes to tick: one of them, or any number where `many`."""

    question: str
    options: tuple[str, ...]
    many: bool = False
    hint: str = ""
    other: str = ""
    """The label of a place for an answer in own words, where one may be given."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Questions that have the same options: a row each, a box for each option."""

    caption: str
    options: tuple[str, ...]
    rows: tuple[str, ...]
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """A question answered by marking one of the numbers."""

    question: str
    marks: tuple[int, ...]
    low: str = ""
    high: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Space:
    """A question, and an empty frame to draw or paste into; `height` is in millimetres."""

    question: str
    height: int
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """The name of a part within a section."""

    text: str


Block: TypeAlias = (
    Text | Notice | Numbered | Bulleted | Facts | Table | Quote | Picture | Lines | Blank | Boxes | Grid | Scale | Space
    | Heading
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Section:
    """A part with a name. `language` is that of its blocks where it is not the document's."""

    heading: str
    blocks: tuple[Block, ...]
    language: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A whole document. `kind` says what sort it is, above the title; `small` is the small print at its end."""

    title: str
    language: str
    kind: str
    sections: tuple[Section, ...]
    lead: str = ""
    title_language: str = ""
    small: tuple[str, ...] = ()
