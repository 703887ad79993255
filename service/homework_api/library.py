"""The library: activities and forms. Docs: docs/homework-api.md."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings.homework_api import form as forms
from fhir_mappings.homework_api import library as mapping
from schemas.homework import vocabulary
from service.call import Reply
from service.homework_api.ask import Ask, escaped

Params = list[tuple[str, str]]
_UNITS: Final = "http://unitsofmeasure.org"
_ACTIVE: Final = ("status", "active")


def _context(system: str) -> Callable[[str, Any], Params]:
    def params(name: str, value: Any) -> Params:
        kind = f"{mapping.CONTEXT}|{name.replace('_', '-')}"
        return [("context-type-value", f"{kind}${system}|{escaped(value)}")]

    return params


def _topic(system: str) -> Callable[[str, Any], Params]:
    return lambda _name, value: [("topic", f"{system}|{escaped(value)}")]


def _age(_name: str, value: int) -> Params:
    kind = f"{mapping.USAGE}|age"
    return [("context-type-quantity", f"{kind}${prefix}{value}|{_UNITS}|a") for prefix in ("le", "ge")]


_ASKED: Final[Mapping[str, Callable[[str, Any], Params]]] = MappingProxyType(
    {
        "title": lambda _name, value: [("title:contains", escaped(value))],
        "type": _topic(vocabulary.system("activity-type")),
        "goal": _topic(mapping.TOPIC),
        "age": _age,
        "language": _context(mapping.LANGUAGE),
        "format": _context(mapping.FORMAT),
        "reading_level": _context(mapping.READING),
        "minutes": lambda _name, value: [
            ("context-type-quantity", f"{mapping.CONTEXT}|duration$le{value}|{_UNITS}|min")
        ],
        "self_assignable": lambda _name, value: [
            ("topic" if value else "topic:not", f"{mapping.TOPIC}|{mapping.SELF_HELP}")
        ],
    }
)
"""What finds the activities that a parameter asks for."""


async def activities(ask: Ask) -> Reply:
    """A page of what can be assigned, by title."""
    params: Params = [_ACTIVE, ("_sort", "title")]
    for name, make in _ASKED.items():
        value = getattr(ask.query, name)
        params += [] if value is None else make(name, value)
    found = await ask.page("ActivityDefinition", params)
    return ask.listed([mapping.activity(each) for each in found.matches], found.cursor)


async def activity(ask: Ask) -> Reply:
    """One activity."""
    found = await ask.resource("ActivityDefinition", ask.ids["id"])
    return ask.reply(mapping.activity(found), of=found)


async def list_forms(ask: Ask) -> Reply:
    """A page of forms, by title."""
    query = ask.query
    params: Params = [("_sort", "title"), ("title:contains", escaped(query.title or ""))]
    url, _, version = (query.url or "").partition("|")
    params += [("url", escaped(url)), ("version", escaped(version))] if url else [_ACTIVE]
    found = await ask.page("Questionnaire", [each for each in params if each[1]])
    return ask.listed([forms.form(each) for each in found.matches], found.cursor)


async def form(ask: Ask) -> Reply:
    """One form with its questions."""
    found = await ask.resource("Questionnaire", ask.ids["id"])
    return ask.reply(forms.form(found), of=found)
