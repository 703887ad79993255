"""What a narrative's XHTML may hold. https://hl7.org/fhir/R4/narrative.html#xhtml"""

import re
from typing import Final

_TAGS: Final = frozenset(
    [
        *(
            "a",
            "abbr",
            "acronym",
            "address",
            "area",
            "b",
            "bdo",
            "big",
            "blockquote",
            "br",
            "caption",
            "center",
            "cite",
        ),
        *(
            "code",
            "col",
            "colgroup",
            "dd",
            "del",
            "dfn",
            "dir",
            "div",
            "dl",
            "dt",
            "em",
            "font",
            "h1",
            "h2",
            "h3",
            "h4",
        ),
        *("h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "map", "menu", "ol", "p", "pre", "q", "s", "samp", "small"),
        *("span", "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u"),
        *("ul", "var"),
    ]
)
_TAG: Final = re.compile(
    r"<!--(?:(?!--).)*-->|<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9:]*)"
    r"(?P<attributes>(?:\s+[\w:.-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*)\s*(?P<empty>/?)>",
    re.DOTALL,
)
_ACTIVE: Final = re.compile(
    r"\son\w+\s*=|[\"'][\s\x00-\x20]*(?:javascript|vbscript|data\s*:\s*text/html)\s*:?", re.IGNORECASE
)


def narrative_fault(xhtml: str) -> str:
    """What is wrong with a narrative's div, as a sentence; empty when nothing is."""
    text = xhtml.strip()
    if not text.startswith("<div"):
        return 'A narrative is one XHTML div: start with <div xmlns="http://www.w3.org/1999/xhtml">'
    open_tags: list[str] = []
    filled = False
    end = 0
    for match in _TAG.finditer(text):
        between = text[end : match.start()]
        if "<" in between or (end and not open_tags):
            return _BROKEN
        filled = filled or bool(between.strip()) or match["name"] == "img"
        end = match.end()
        if fault := _tag_fault(match, open_tags):
            return fault
    if open_tags or end != len(text):
        return _BROKEN
    return "" if filled else "A narrative must say something: text or an image"


_BROKEN: Final = "A narrative is one well-formed XHTML div: each tag closed in order, attributes quoted"


def _tag_fault(match: re.Match[str], open_tags: list[str]) -> str:
    name = match["name"]
    if name is None:
        return ""
    if name not in _TAGS:
        return "A narrative holds text formatting only: no scripts, forms, frames, objects, styles or other elements"
    if match["close"]:
        return "" if open_tags and open_tags.pop() == name else _BROKEN
    if _ACTIVE.search(match["attributes"]):
        return "A narrative holds no event handlers and no active links"
    if not match["empty"]:
        open_tags.append(name)
    return ""
