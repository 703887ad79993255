"""A document as one HTML file that loads nothing. https://www.w3.org/TR/WCAG22/

It is a page on a screen, on a phone and on paper; every text is escaped, and pictures are within it.
"""

from base64 import b64encode
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from service.prints.document import Block, Document

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy under which it is whole: https://www.w3.org/TR/CSP3/."""


def html(document: Document) -> bytes:
    """The document in UTF-8."""
    return _template().render(document=document).encode()


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("service.prints"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup((files("service.prints") / "templates" / "document.css").read_text())
    environment.globals.update(style=style, lang=_lang, kind_of=_kind_of, data_of=_data_of)
    return environment.get_template("document.html")


def _lang(language: str) -> Markup:
    return Markup(' lang="{}"').format(language) if language else Markup()


def _kind_of(block: Block) -> str:
    return type(block).__name__


def _data_of(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{b64encode(svg).decode()}"
