"""Weights of coded answers: what weight() and ordinal() say in an expression. https://hl7.org/fhir/uv/sdc/expressions.html#fhirpath

A weight is looked for on the answer's own Coding (so a score survives a new version of the form), then on the option of
the form's item, then in the value set and the code system that the form contains.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from fhir_mappings.sdc.names import ITEM_WEIGHT, ORDINAL_VALUE, extension, value

Number = Decimal | int
_Code = tuple[Any, Any]


def _own(element: Any) -> Number | None:
    """The weight that an element says in an extension of its own."""
    if not isinstance(element, dict):
        return None
    for url in (ITEM_WEIGHT, ORDINAL_VALUE):
        found = value(extension(element, url))
        if isinstance(found, Decimal | int) and not isinstance(found, bool):
            return found
    return None


def _key(coding: Mapping[str, Any]) -> _Code:
    return coding.get("system"), coding.get("code")


@dataclass(slots=True)
class Weights:
    """The weights of one response's answers; call it with a Coding, an answer, or a code."""

    questionnaire: Mapping[str, Any]
    response: Mapping[str, Any]
    code_systems: Sequence[Mapping[str, Any]] = ()
    _options: dict[str, dict[_Code, Number]] | None = None
    _places: dict[int, str] = field(default_factory=dict)
    _systems: dict[_Code, Number] = field(default_factory=dict)

    def __call__(self, asked: Any) -> Number | None:
        if isinstance(asked, dict):
            own = _own(asked)
            coding = asked.get("valueCoding", asked)
            own = own if own is not None else _own(coding)
            return own if own is not None else self._found(coding)
        return self._found({"code": asked}) if isinstance(asked, str) else None

    def _found(self, coding: Any) -> Number | None:
        if not isinstance(coding, dict) or "code" not in coding:
            return None
        if self._options is None:
            self._learn()
        assert self._options is not None
        place = self._places.get(id(coding))
        known = [self._options[place]] if place in self._options else list(self._options.values())
        found = {weight for options in known for weight in _like(coding, options)}
        if len(found) != 1:
            # Several items weigh this code differently, or none does.
            found = set() if found else set(_like(coding, self._systems))
        return found.pop() if len(found) == 1 else None

    def _learn(self) -> None:
        contained = list(self.questionnaire.get("contained", ()))
        sets = {f"#{each.get('id')}": each for each in contained if each.get("resourceType") == "ValueSet"}
        sets |= {each["url"]: each for each in sets.values() if "url" in each}
        self._options = {
            row["linkId"]: options
            for row in _rows(self.questionnaire)
            if (options := dict(_weighed(_offered(row, sets))))
        }
        for system in (*contained, *self.code_systems):
            if system.get("resourceType") == "CodeSystem":
                self._systems |= dict(_weighed(_concepts(system, system.get("url"))))
        self._note(self.response)

    def _note(self, container: Mapping[str, Any]) -> None:
        """Which item each chosen Coding answers: it is the very object that an expression finds."""
        for item in container.get("item", ()):
            for answer in item.get("answer", ()):
                if "valueCoding" in answer:
                    self._places[id(answer["valueCoding"])] = item["linkId"]
                self._note(answer)
            self._note(item)


def _like(coding: Mapping[str, Any], options: Mapping[_Code, Number]) -> list[Number]:
    if "system" in coding:
        exact = options.get(_key(coding))
        return [] if exact is None else [exact]
    return [weight for (_, code), weight in options.items() if code == coding["code"]]


def _weighed(codings: Iterator[tuple[Mapping[str, Any], Number | None]]) -> Iterator[tuple[_Code, Number]]:
    return ((_key(coding), weight) for coding, weight in codings if weight is not None)


def _rows(parent: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for row in parent.get("item", ()):
        yield row
        yield from _rows(row)


def _offered(
    row: Mapping[str, Any], sets: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[Mapping[str, Any], Number | None]]:
    for option in row.get("answerOption", ()):
        coding = option.get("valueCoding")
        if coding is not None:
            own = _own(option)
            yield coding, own if own is not None else _own(coding)
    held = sets.get(str(row.get("answerValueSet", "")).partition("|")[0])
    if held is not None:
        for contains in held.get("expansion", {}).get("contains", ()):
            yield contains, _own(contains)
        for include in held.get("compose", {}).get("include", ()):
            for concept in include.get("concept", ()):
                yield {"system": include.get("system"), **concept}, _own(concept)


def _concepts(parent: Mapping[str, Any], url: Any) -> Iterator[tuple[Mapping[str, Any], Number | None]]:
    for concept in parent.get("concept", ()):
        said = (value(each) for each in concept.get("property", ()) if each.get("code") == "itemWeight")
        own = _own(concept)
        yield {"system": url, "code": concept.get("code")}, own if own is not None else next(said, None)
        yield from _concepts(concept, url)
