"""A document as PDF that a screen reader can read: tagged, with title and language. https://pdfa.org/resource/iso-14289-pdfua/

The document goes into Typst as JSON: no text is ever read as markup. The fonts are those that come with matplotlib, so
that a page looks the same on every machine. Typst is loaded when the first PDF is made.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas import json
from service.pictures.characters import printable
from service.prints.document import Block, Document, PaperSize, Picture, Table

if TYPE_CHECKING:
    from typst import Fonts

_STANDARD: Final = "ua-1"
_NOT_SET: Final = ("TypstError", "PanicException")
"""What Typst raises; the second is no Exception, and comes from a defect of its own in setting some sequences of marks."""
_UNSURE: Final = re.compile(
    "[^\n -\u024f\u0370-\u03ff\u0400-\u04ff\u1e00-\u1eff\u2010-\u2027\u2030-\u205e\u20a0-\u20bf]"
)
"""Beyond letters of Latin, Greek and Cyrillic and their signs."""
_LEAST_COLUMN, _MOST_COLUMN = 9, 30


def pdf(document: Document, paper: PaperSize = "a4") -> bytes:
    """The document as PDF/UA-1; characters that cannot be set, such as marks without a letter, become squares."""
    plain = _each_text(_plain(document, paper), printable)
    plain["title"] = plain["title"].strip() or "–"  # PDF/UA asks for one
    try:
        return _set(plain)
    except BaseException as fault:
        if type(fault).__name__ not in _NOT_SET:
            raise
    return _set(_each_text(plain, _reduced))


def _set(document: Any) -> bytes:
    import typst

    said = json.encode(document).decode()
    made = typst.compile(
        _source(), font_paths=_fonts(), sys_inputs={"document": said}, pdf_standards=[_STANDARD], format="pdf"
    )
    assert isinstance(made, bytes)
    return made


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _each_text(each, change) for name, each in value.items()}
    return [_each_text(each, change) for each in value] if isinstance(value, list | tuple) else value


def _reduced(text: str) -> str:
    return _UNSURE.sub("\u25a1", text)


@cache
def _source() -> bytes:
    return (files("service.prints") / "templates" / "document.typ").read_bytes()


@cache
def _fonts() -> "Fonts":
    from typst import Fonts

    found = find_spec("matplotlib")
    assert found is not None
    assert found.origin is not None
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
    return Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(folder)])


def _plain(document: Document, paper: PaperSize) -> Mapping[str, Any]:
    sections = [
        {"heading": each.heading, "language": each.language, "blocks": [_block(block) for block in each.blocks]}
        for each in document.sections
    ]
    return {
        "title": document.title,
        "title_language": document.title_language,
        "language": document.language,
        "kind": document.kind,
        "lead": document.lead,
        "small": document.small,
        "sections": sections,
        "paper": paper,
    }


def _block(block: Block) -> Mapping[str, Any]:
    said: dict[str, Any] = {"kind": type(block).__name__}
    said |= {field.name: getattr(block, field.name) for field in fields(block)}
    if isinstance(block, Picture):
        said["svg"] = block.svg.decode()
    if isinstance(block, Table):
        said["columns"] = _widths(block)
    return said


def _widths(table: Table) -> list[int]:
    """How wide the columns are beside each other, by their longest cells."""
    columns = zip(table.head, *table.rows, strict=True)
    return [min(max(_LEAST_COLUMN, *(len(cell) for cell in column)), _MOST_COLUMN) for column in columns]
