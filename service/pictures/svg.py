"""matplotlib's SVG made fit for reading: named, described, in its reader's fonts and theme.

https://www.w3.org/TR/SVG2/struct.html#TitleElement, https://www.w3.org/TR/graphics-aria-1.0/

A colour becomes an attribute and a class: programs that know no media queries show the light picture.
"""

import re
from collections.abc import Mapping
from html import escape
from typing import Final

from service.pictures import palette
from service.pictures.palette import Role, Theme

_FONTS: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'DejaVu Sans', sans-serif"
_START: Final = re.compile(r"\A.*?<svg\b[^>]*>", re.DOTALL)
_STYLE: Final = re.compile(r' style="([^"]*)"')
_FONT: Final = re.compile(r"font-family: [^;\"]*;? ?")
_NO_TURN: Final = re.compile(r' transform="rotate\(-?0 [^"]*"')
_BREAKS: Final = re.compile(r"\n+\s*")
_THEMED: Final = {"fill": "f", "stroke": "s"}


def finished(written: str, width: int, height: int, language: str, title: str, description: str, theme: Theme) -> bytes:
    """The picture as a document of its own."""
    roles = {colour: role for role, colour in palette.colours(theme).items()} if theme == "auto" else {}
    body = _START.sub("", written, count=1)
    body = _NO_TURN.sub("", body)
    body = _STYLE.sub(lambda found: _attributes(found[1], roles), body)
    body = _BREAKS.sub(" ", body)
    style = f"text{{font-family:{_FONTS}}}" + (_dark() if theme == "auto" else "")
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width}"'
        f' height="{height}" viewBox="0 0 {width} {height}" lang="{language}" role="img"'
        f' aria-labelledby="title" aria-describedby="desc"><title id="title">{escape(title)}</title>'
        f'<desc id="desc">{escape(description)}</desc><style>{style}</style>'
    )
    return (head + body.strip()).encode()


def _attributes(style: str, roles: Mapping[str, Role]) -> str:
    """A style attribute, with the colours that have a role taken out of it."""
    attributes, classes, kept = "", [], []
    for each in _FONT.sub("", style).split(";"):
        name, _, value = each.partition(":")
        name, value = name.strip(), value.strip()
        role = roles.get(value) if name in _THEMED else None
        if role:
            attributes += f' {name}="{value}"'
            classes.append(f"{_THEMED[name]}-{role}")
        elif name:
            kept.append(f"{name}:{value}")
    attributes += f' class="{" ".join(classes)}"' if classes else ""
    return attributes + (f' style="{";".join(kept)}"' if kept else "")


def _dark() -> str:
    rules = "".join(
        f".{letter}-{role}{{{name}:{colour}}}"
        for role, colour in palette.DARK.items()
        for name, letter in _THEMED.items()
    )
    return f"@media screen and (prefers-color-scheme:dark){{{rules}}}"
