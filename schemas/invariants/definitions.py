"""Invariants of the resources that define things, but for StructureDefinition. https://hl7.org/fhir/R4/conformance-module.html"""

from collections.abc import Iterator
from typing import Final

from schemas.invariants.rule import (
    Json,
    Rule,
    each_broken,
    has,
    needs,
    not_both,
    some_of,
)


def csd_1_faults(value: Json) -> Iterator[str]:
    """Places of a code that some concept before has."""
    seen: set[str] = set()
    for path, code in _codes(value):
        if code in seen:
            yield f"{path}.code"
        seen.add(code)


def _codes(value: Json, path: str = "") -> Iterator[tuple[str, str]]:
    for index, concept in enumerate(value.get("concept", ())):
        place = f"{path}.concept[{index}]"
        if "code" in concept:
            yield place, concept["code"]
        yield from _codes(concept, place)


def cmd_1(value: Json) -> bool:
    return has(value, "comment") or value.get("equivalence") not in ("narrower", "inexact")


def _mode_needs(mode: str, name: str) -> Rule:
    key = {"fixed": "cmd-2", "other-map": "cmd-3"}[mode]
    return Rule(key, f"Mode {mode} needs {name}", lambda value: value.get("mode") != mode or has(value, name))


def mea_1(value: Json) -> bool:
    return some_of("code", "description", "criteria")(value) != has(value, "component")


def mrp_2(value: Json) -> bool:
    return has(value, "value") != has(value, "component")


def opd_3(value: Json) -> bool:
    return not has(value, "targetProfile") or value.get("type") in ("Reference", "canonical")


def vsd_2(value: Json) -> bool:
    return has(value, "system") or not (has(value, "concept") or has(value, "filter"))


DEFINITIONS: Final[dict[str, tuple[Rule, ...]]] = {
    "CodeSystem": (each_broken("csd-1", "Each code may stand once in a code system", csd_1_faults),),
    "ConceptMap.group.element.target": (Rule("cmd-1", "A narrower or inexact match needs a comment", cmd_1),),
    "ConceptMap.group.unmapped": (_mode_needs("fixed", "code"), _mode_needs("other-map", "url")),
    "Measure.group.stratifier": (Rule("mea-1", "A stratifier is said by itself or by components, one of them", mea_1),),
    "MeasureReport": (
        Rule(
            "mrp-1",
            "A report of type data-collection has no groups",
            lambda value: value.get("type") != "data-collection" or not has(value, "group"),
        ),
    ),
    "MeasureReport.group.stratifier.stratum": (
        Rule("mrp-2", "A stratum has a value or components, one of them", mrp_2),
    ),
    "OperationDefinition.parameter": (
        Rule("opd-1", "A parameter needs type or part", some_of("type", "part")),
        Rule(
            "opd-2",
            "Only a parameter of type string has searchType",
            lambda value: not has(value, "searchType") or value.get("type") == "string",
        ),
        Rule("opd-3", "Only a Reference or canonical has targetProfile", opd_3),
    ),
    "SearchParameter": (
        Rule("spd-1", "xpath needs xpathUsage", needs("xpath", "xpathUsage")),
        Rule(
            "spd-2",
            "Only a parameter of type reference has chain",
            lambda value: not has(value, "chain") or value.get("type") == "reference",
        ),
    ),
    "ValueSet.compose.include": (
        Rule("vsd-1", "Say valueSet or system", some_of("valueSet", "system")),
        Rule("vsd-2", "concept and filter need system", vsd_2),
        Rule("vsd-3", "Say concept or filter, not both", not_both("concept", "filter")),
    ),
    "ValueSet.expansion.contains": (
        Rule("vsd-6", "An entry needs code or display", some_of("code", "display")),
        Rule(
            "vsd-9",
            "An entry without a code is abstract",
            lambda value: has(value, "code") or value.get("abstract") is True,
        ),
        Rule("vsd-10", "A code needs its system", needs("code", "system")),
    ),
}
