"""A text of a definition in a reader's language. https://hl7.org/fhir/R4/extension-translation.html"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_TRANSLATION: Final = "http://hl7.org/fhir/StructureDefinition/translation"


@dataclass(frozen=True, slots=True)
class Said:
    """A text and the language that it is in, as far as that is known."""

    text: str
    language: str

    def __bool__(self) -> bool:
        return bool(self.text)


def said(element: Mapping[str, Any], name: str, language: str, own: str) -> Said:
    """The member `name` of an element in `language`, or in the language `own` of its resource where it has no other."""
    text = element.get(name)
    if not isinstance(text, str):
        return Said("", "")
    if _alike(own, language):
        return Said(text, own)
    found = _translations(element.get(f"_{name}") or {})
    better = next((each for tag, each in found.items() if _alike(tag, language)), None)
    return Said(better, language) if better else Said(text, own)


def languages(element: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The languages that a member is translated into."""
    return tuple(_translations(element.get(f"_{name}") or {}))


def _alike(one: str, other: str) -> bool:
    return bool(one) and one.partition("-")[0].lower() == other.partition("-")[0].lower()


def _translations(shadow: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in shadow.get("extension", ()):
        if each.get("url") != _TRANSLATION:
            continue
        parts = {part.get("url"): part for part in each.get("extension", ())}
        tag = parts.get("lang", {}).get("valueCode")
        content = parts.get("content", {})
        text = content.get("valueString") or content.get("valueMarkdown")
        if tag and text:
            found.setdefault(tag, text)
    return found
