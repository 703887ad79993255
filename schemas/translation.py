"""What a client reads of a definition, and translations put beside it. https://hl7.org/fhir/R4/extension-translation.html"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

TRANSLATION: Final = "http://hl7.org/fhir/StructureDefinition/translation"
BCP47: Final = "urn:ietf:bcp:47"
_TEXTS: Final = frozenset(["title", "description", "purpose", "usage", "text", "textEquivalent"])
_SHOWN: Final = frozenset(["valueCoding", "answerCoding", "relatedArtifact"])
"""Where a display is read by a client; elsewhere it is the name of a code."""
_SKIPPED: Final = frozenset(["extension", "useContext", "topic", "coding", "contained"])


def claimed(resource: Mapping[str, Any]) -> frozenset[str]:
    """The languages that a resource's useContext says it is wholly available in."""
    concepts = [context.get("valueCodeableConcept", {}) for context in resource.get("useContext", ())]
    codings = [coding for concept in concepts for coding in concept.get("coding", ())]
    return frozenset(coding["code"] for coding in codings if coding.get("system") == BCP47)


def texts(resource: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Every text of a definition that a client reads; `place` is the name of the element that `resource` stands in."""
    for name, value in resource.items():
        if _is_read(name, value, place):
            yield value
        elif name not in _SKIPPED:
            for child in value if isinstance(value, list) else (value,):
                if isinstance(child, Mapping):
                    yield from texts(child, name)


def _is_read(name: str, value: Any, place: str) -> bool:
    return isinstance(value, str) and (name in _TEXTS or (name == "display" and place in _SHOWN))


def translated(resource: Mapping[str, Any], words: Mapping[str, Mapping[str, str]], place: str = "") -> dict[str, Any]:
    """A definition with the translations of what a client reads, as far as `words` (language → text → text) has them."""
    made: dict[str, Any] = {}
    for name, value in resource.items():
        made[name] = value if name in _SKIPPED else _within(value, words, name)
        if _is_read(name, value, place) and (extensions := _extensions(value, words)):
            made[f"_{name}"] = {"extension": extensions}
    return made


def _within(value: Any, words: Mapping[str, Mapping[str, str]], place: str) -> Any:
    if isinstance(value, dict):
        return translated(value, words, place)
    return [_within(child, words, place) for child in value] if isinstance(value, list) else value


def _extensions(text: str, words: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    known = [(language, words[language][text]) for language in sorted(words) if text in words[language]]
    return [
        {
            "url": TRANSLATION,
            "extension": [{"url": "lang", "valueCode": language}, {"url": "content", "valueString": content}],
        }
        for language, content in known
    ]


def designated(system: Mapping[str, Any], words: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """A code system with designations of its displays in the languages of `words`."""
    concepts = []
    for concept in system["concept"]:
        display = concept["display"]
        said = [{"language": tag, "value": words[tag][display]} for tag in sorted(words) if display in words[tag]]
        concepts.append({**concept, "designation": said} if said else concept)
    return {**system, "concept": concepts}
