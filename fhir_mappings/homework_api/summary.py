"""The Composition of a session summary, as lines of words. https://hl7.org/fhir/R4/composition.html"""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any, Final

from fhir_mappings.homework_api.element import code
from schemas.homework.insight import Section, Summary
from schemas.library import BASE

_SECTION: Final = f"{BASE}/CodeSystem/summary-section"
_ENDS: Final = re.compile(r"</(?:p|li|tr|h[1-6]|dt|dd|caption|div)>")
_CELLS: Final = re.compile(r"</t[dh]>")
_TAGS: Final = re.compile(r"<[^>]*>")
_SPACE: Final = re.compile(r"[ \t\n]+")


def summary(bundle: Mapping[str, Any], client: str, page: str) -> Summary:
    """The summary that a document Bundle holds."""
    composition = bundle["entry"][0]["resource"]
    period: Mapping[str, Any] = next((each["period"] for each in composition.get("event", ()) if "period" in each), {})
    return Summary(
        client=client,
        title=composition["title"],
        language=composition.get("language"),
        start=period.get("start"),
        end=period.get("end"),
        sections=tuple(map(_section, composition.get("section", ()))),
        page=page,
    )


def _section(told: Mapping[str, Any]) -> Section:
    said, title = lines(told.get("text", {}).get("div", "")), told.get("title")
    return Section(
        name=code(told.get("code"), _SECTION) or "other",
        title=title,
        lines=said[1:] if said[:1] == (title,) else said,  # the caption of a table
        about=tuple(each["reference"] for each in told.get("entry", ())) or None,
    )


def lines(div: str) -> tuple[str, ...]:
    """What a narrative says, without its marks: a line for each paragraph, row or item."""
    marked = _CELLS.sub(" \N{MIDDLE DOT} ", _ENDS.sub("\v", div))
    found = (_SPACE.sub(" ", unescape(_TAGS.sub("", each))).strip(" \N{MIDDLE DOT}") for each in marked.split("\v"))
    return tuple(each for each in found if each)
