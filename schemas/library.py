"""The library that every tenant starts with: forms, activities, plans, codes. https://hl7.org/fhir/R4/activitydefinition.html

The files in `data/library` are the resources in English, without their ids. An id is derived from the versioned
canonical (`url|version`), so seeding twice writes nothing new, and a later version is a resource of its own: an
assignment that pinned the earlier one still finds it. What a client reads in other languages is in
`data/library/translations`, one file for each language from English to that language: a sentence that several forms
share is translated once, and one that is changed shows that its translation is to be changed too.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any, Final

from schemas import json
from schemas.translation import TRANSLATION, claimed, designated, translated

BASE: Final = "https://hearth.health/fhir"
_ORDER: Final = ("CodeSystem", "Questionnaire", "ActivityDefinition", "PlanDefinition")


def canonical(resource: Mapping[str, Any]) -> str:
    """The versioned canonical of a library resource, `url|version`."""
    return f"{resource['url']}|{resource['version']}"


def seed_id(versioned: str) -> str:
    """The id under which the resource with this versioned canonical is seeded."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, versioned))


def seed() -> Iterator[dict[str, Any]]:
    """Every resource of the library with its id and translations: what others depend on first, newest versions last."""
    words = translations()
    for resource in _files():
        is_codes = resource["resourceType"] == "CodeSystem"
        known = words if is_codes else {tag: words[tag] for tag in claimed(resource) & words.keys()}
        put = designated if is_codes else translated
        yield {"resourceType": resource["resourceType"], "id": seed_id(canonical(resource)), **put(resource, known)}


def ids() -> dict[str, str]:
    """The id of every resource of the library, with its type: what there is, without the work of making it."""
    return {seed_id(canonical(resource)): resource["resourceType"] for resource in _files()}


def _files() -> Iterator[dict[str, Any]]:
    folder = resources.files("schemas") / "data" / "library"
    for type_name in _ORDER:
        for name in sorted(file.name for file in folder.iterdir() if file.name.startswith(f"{type_name}-")):
            resource: dict[str, Any] = json.decode((folder / name).read_bytes())
            yield resource


def translations() -> dict[str, dict[str, str]]:
    """Language → English → what it is in that language."""
    folder = resources.files("schemas") / "data" / "library" / "translations"
    return {file.name.removesuffix(".json"): json.decode(file.read_bytes()) for file in folder.iterdir()}


def localised(resource: Mapping[str, Any], language: str) -> dict[str, Any]:
    """`resource` in `language` (a BCP 47 tag): each text that has a translation in its place, the others as they are.

    A translation into a wider language serves where the exact one is missing (es for es-MX). The result is in one
    language: it has no translations any more, and its `language` says which it is, where something was translated.
    """
    wanted = _wider(language)
    found: set[str] = set()
    made = _localised(resource, wanted, found)
    if found and "resourceType" in made:
        made["language"] = min(found, key=lambda tag: wanted.index(tag.lower()))
    return made


def _wider(language: str) -> list[str]:
    parts = language.lower().split("-")
    return ["-".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _localised(element: Mapping[str, Any], wanted: Sequence[str], found: set[str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in element.items():
        if name.startswith("_") and (rest := _rest(value)) != value:
            _put(made, element, name, wanted, found)
            if rest:
                made[name] = rest
        elif name == "designation" and "display" in element:
            said = [(each["language"], each["value"]) for each in value if "language" in each]
            made["display"] = _best(said, wanted, found) or element["display"]
        elif name not in made:
            made[name] = _child(value, wanted, found)
    return made


def _child(value: Any, wanted: Sequence[str], found: set[str]) -> Any:
    if isinstance(value, Mapping):
        return _localised(value, wanted, found)
    return [_child(each, wanted, found) for each in value] if isinstance(value, list) else value


def _put(made: dict[str, Any], element: Mapping[str, Any], name: str, wanted: Sequence[str], found: set[str]) -> None:
    """The texts that `name` (an element's `_text`) has translations of, into `made`."""
    beside, original = element[name], element.get(name[1:])
    if isinstance(beside, list):
        originals = original if isinstance(original, list) else [None] * len(beside)
        pairs = zip(beside, originals, strict=False)
        made[name[1:]] = [_best(_translations(extra), wanted, found) or text for extra, text in pairs]
    else:
        text = _best(_translations(beside), wanted, found) or original
        if text is not None:
            made[name[1:]] = text


def _translations(beside: Any) -> list[tuple[str, str]]:
    """(language, content) of the translations that stand beside one text."""
    found = []
    for extension in (beside or {}).get("extension", ()):
        if extension.get("url") == TRANSLATION:
            parts = {part.get("url"): part for part in extension.get("extension", ())}
            language = parts.get("lang", {}).get("valueCode")
            content = parts.get("content", {})
            text = content.get("valueString", content.get("valueMarkdown"))
            if isinstance(language, str) and isinstance(text, str):
                found.append((language, text))
    return found


def _best(said: Sequence[tuple[str, str]], wanted: Sequence[str], found: set[str]) -> str | None:
    by_tag = {language.lower(): (language, text) for language, text in said}
    for tag in wanted:
        if tag in by_tag:
            found.add(by_tag[tag][0])
            return by_tag[tag][1]
    return None


def _rest(beside: Any) -> Any:
    """What stands beside a text but for its translations: None when nothing is left."""
    if isinstance(beside, list):
        rest = [_rest(each) for each in beside]
        return rest if any(rest) else None
    if not isinstance(beside, Mapping):
        return beside
    kept = [extension for extension in beside.get("extension", ()) if extension.get("url") != TRANSLATION]
    others = {name: value for name, value in beside.items() if name != "extension"}
    return ({**others, "extension": kept} if kept else others) or None
