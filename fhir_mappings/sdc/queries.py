"""Queries in forms, with FHIRPath in double braces. https://hl7.org/fhir/uv/sdc/expressions.html#x-fhir-query-enhancements

What an expression gives goes into a value that was parsed before, so that no data can add a parameter; a query with an
expression that gives nothing is not asked, since without that condition it would find other people's records.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from fhir_mappings.fhirpath import Environment, ExpressionFault, Value, evaluate

LANGUAGE: Final = "application/x-fhir-query"
_BRACES: Final = re.compile(r"\{\{(.+?)\}\}", re.DOTALL)
_MARK: Final = "\ue000{}\ue001"
_MARKED: Final = re.compile("\ue000(\\d+)\ue001")
_SPECIAL: Final = re.compile(r"([\\,$|])")
_PATH: Final = re.compile(r"([A-Z][A-Za-z]+)(?:/([A-Za-z0-9.\-]{1,64}))?")


@dataclass(frozen=True, slots=True)
class Query:
    """A search, or with `id` a read."""

    type: str
    params: tuple[tuple[str, str], ...] = ()
    id: str | None = None


def query(text: str, focus: Any, env: Environment, where: str) -> Query | None:
    """The query of a text; None where an expression in it gives nothing. Raises ExpressionFault."""
    if "\ue000" in text:
        raise ExpressionFault(text, where, "it has a character that no query has")
    found = [",".join(_tokens(evaluate(each[1].strip(), focus, env, where))) for each in _BRACES.finditer(text)]
    if not all(found):
        return None
    numbers = iter(range(len(found)))
    path, _, rest = _BRACES.sub(lambda _: _MARK.format(next(numbers)), text.strip()).partition("?")
    match_path = _PATH.fullmatch(_filled(path, found))
    if match_path is None:
        raise ExpressionFault(
            text, where, "a query is a type and parameters, such as Observation?patient={{%patient.id}}"
        )
    type_name, resource_id = match_path.groups()
    if resource_id is not None:
        return Query(type_name, id=resource_id)
    params = tuple((name, _filled(value, found)) for name, value in parse_qsl(rest, keep_blank_values=True))
    if not params:
        raise ExpressionFault(text, where, "a query without parameters would find everything")
    return Query(type_name, params)


def _filled(text: str, found: list[str]) -> str:
    return _MARKED.sub(lambda match: found[int(match[1])], text)


def _tokens(values: Iterable[Value]) -> list[str]:
    return [token for value in values for token in _token(value)]


def _token(value: Value) -> list[str]:
    data = value.data
    if not isinstance(data, dict):
        return [_plain(str(data).lower() if isinstance(data, bool) else str(data))]
    if value.type == "CodeableConcept":
        return [token for coding in data.get("coding", ()) for token in _token(Value("Coding", coding))]
    if value.type == "Reference":
        return [_plain(data["reference"])] if "reference" in data else []
    if value.type in ("Coding", "Identifier"):
        code = data.get("code", data.get("value"))
        return (
            [] if code is None else [f"{_plain(data['system'])}|{_plain(code)}" if "system" in data else _plain(code)]
        )
    if value.type == "Quantity" and "value" in data:
        return ["|".join((str(data["value"]), _plain(data.get("system", "")), _plain(data.get("code", ""))))]
    return []


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
