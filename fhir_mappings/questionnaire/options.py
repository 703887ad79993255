"""The answers that a choice offers: answerOption, or a contained value set. https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.answerOption

A value set that is not contained in the Questionnaire is taken on trust: checking it needs a terminology service, and
refusing work that may be right is the worse fault. So is a contained one that is given by rule (a filter, an import).
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fhir_mappings.questionnaire import values


@dataclass(frozen=True, slots=True)
class Options:
    """The answers offered, with the text that names each to a user, and the code systems offered whole."""

    labels: Mapping[Hashable, str]
    systems: frozenset[str]

    def offers(self, name: str, value: Any) -> bool:
        """Whether this value is one of the options."""
        if values.identity(name, value) in self.labels:
            return True
        return name == "valueCoding" and value.get("system") in self.systems


def compile_options(item: Mapping[str, Any], contained: Mapping[Any, Mapping[str, Any]]) -> Options | None:
    """The options of an item of a Questionnaire, or None when every answer of the right type will do."""
    if item.get("answerOption"):
        named = ((values.value_name(option), option) for option in item["answerOption"])
        labels = {values.identity(name, option[name]): _label(option[name]) for name, option in named if name}
        return Options(MappingProxyType(labels), frozenset())
    canonical = item.get("answerValueSet", "")
    value_set = contained.get(canonical[1:]) if canonical.startswith("#") else None
    return None if value_set is None else _value_set_options(value_set)


def _value_set_options(value_set: Mapping[str, Any]) -> Options | None:
    if "expansion" in value_set:
        return _coding_options(_expanded(value_set["expansion"].get("contains", ())), ())
    compose = value_set.get("compose", {})
    includes = compose.get("include", ())
    if not includes or compose.get("exclude") or any("filter" in row or "valueSet" in row for row in includes):
        return None
    listed = [{"system": row.get("system"), **concept} for row in includes for concept in row.get("concept", ())]
    return _coding_options(listed, [row["system"] for row in includes if "concept" not in row and "system" in row])


def _expanded(rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        if "code" in row and not row.get("abstract", False):
            yield row
        yield from _expanded(row.get("contains", ()))


def _coding_options(codings: Iterable[Mapping[str, Any]], systems: Iterable[str]) -> Options:
    labels = {values.identity("valueCoding", coding): _label(coding) for coding in codings}
    return Options(MappingProxyType(labels), frozenset(systems))


def _label(value: Any) -> str:
    if not isinstance(value, dict):
        return repr(value) if isinstance(value, str) else str(value)
    if "reference" in value:
        return str(value["reference"])
    code = "|".join(part for part in (value.get("system"), value.get("code")) if part)
    display = value.get("display")
    return f"{code} ({display})" if code and display else code or str(display)
