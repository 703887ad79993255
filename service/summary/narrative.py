"""Blocks of a document as the XHTML of a narrative. https://hl7.org/fhir/R4/narrative.html#xhtml

Every text is escaped; the elements are a few that any reader of narratives knows.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from html import escape as escaped
from typing import Any, Final

from service.prints.document import Block, Bulleted, Notice, Picture, Quote, Section, Table, Text

_ILLEGAL: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML may have: https://www.w3.org/TR/xml/#charsets."""


def escape(text: str, *, quote: bool = False) -> str:
    """The text with nothing in it that markup could be, and nothing that XML could not have."""
    return escaped(_ILLEGAL.sub("", text), quote=quote)


def div(sections: Iterable[Section], language: str, title: str = "") -> str:
    """The sections, each under its heading where it has one."""
    parts = [f"<h1>{escape(title)}</h1>"] if title else []
    for section in sections:
        if section.heading:
            parts.append(f"<h2>{escape(section.heading)}</h2>")
        parts += [_RENDER[type(block)](block) for block in section.blocks]
    lang = escape(language, quote=True)
    return f'<div xmlns="http://www.w3.org/1999/xhtml" lang="{lang}" xml:lang="{lang}">{"".join(parts)}</div>'


def _text(block: Text) -> str:
    return f"<p>{_lines(block.text)}</p>"


def _notice(block: Notice) -> str:
    return f"<p><b>{_lines(block.text)}</b></p>"


def _bulleted(block: Bulleted) -> str:
    return f"<ul>{''.join(f'<li>{_lines(item)}</li>' for item in block.items)}</ul>"


def _quote(block: Quote) -> str:
    source = f"<p><i>{escape(block.source)}</i></p>" if block.source else ""
    return f"<blockquote><p>{_lines(block.text)}</p>{source}</blockquote>"


def _table(block: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in block.head)
    rows = "".join(f"<tr>{''.join(f'<td>{_lines(cell)}</td>' for cell in row)}</tr>" for row in block.rows)
    caption = f"<caption>{escape(block.caption)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _picture(block: Picture) -> str:
    return f"<p>{_lines(block.alternative)}</p>"


def _lines(text: str) -> str:
    return "<br/>".join(escape(line) for line in text.splitlines()) if "\n" in text else escape(text)


_RENDER: Final[Mapping[type[Block], Callable[[Any], str]]] = {
    Text: _text,
    Notice: _notice,
    Bulleted: _bulleted,
    Quote: _quote,
    Table: _table,
    Picture: _picture,
}
"""What a session summary is made of."""
