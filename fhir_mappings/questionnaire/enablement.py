"""enableWhen: which items of a response are enabled. https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.enableWhen

A condition looks at the nearest occurrence of its question: both items have a lowest common container (the response,
one repetition of a group, one answer), and the question is sought in that very container. The answers of a disabled
question count as none. Items whose conditions depend on each other in a circle, or through more than DEEPEST others,
are left undecided: answering them is as right as not answering them.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings.questionnaire import values

DEEPEST: Final = 50


@dataclass(frozen=True, slots=True)
class Condition:
    """One enableWhen: the question is at the end of `route`, below the container at `depth` of the item's chain."""

    depth: int
    route: tuple[str, ...]
    operator: str
    name: str
    expected: Any


@dataclass(frozen=True, slots=True)
class Enablement:
    """All enableWhen of an item; without enableBehavior any one of them enables it."""

    every: bool
    conditions: tuple[Condition, ...]
    decidable: bool


def compile_enablement(
    items: Mapping[str, Mapping[str, Any]], ancestors: Mapping[str, tuple[str, ...]]
) -> Mapping[str, Enablement]:
    """The enablement of each item that has enableWhen, by linkId."""
    conditions = {
        link_id: tuple(_condition(link_id, row, ancestors) for row in item["enableWhen"])
        for link_id, item in items.items()
        if item.get("enableWhen")
    }
    decidable = _decidable({link_id: _dependencies(rows) for link_id, rows in conditions.items()})
    return MappingProxyType(
        {
            link_id: Enablement(items[link_id].get("enableBehavior") == "all", rows, link_id in decidable)
            for link_id, rows in conditions.items()
        }
    )


def _condition(link_id: str, row: Mapping[str, Any], ancestors: Mapping[str, tuple[str, ...]]) -> Condition:
    question = row["question"]
    mine, its = ancestors[link_id], ancestors.get(question, ())
    depth = 0
    while depth < min(len(mine), len(its)) and mine[depth] == its[depth]:
        depth += 1
    answer = next(name for name in row if name.startswith("answer"))
    return Condition(depth, (*its[depth:], question), row["operator"], "value" + answer[6:], row[answer])


def _dependencies(conditions: Sequence[Condition]) -> set[str]:
    return {link_id for condition in conditions for link_id in condition.route}


def _decidable(depends: Mapping[str, set[str]]) -> set[str]:
    """The items whose conditions end, within DEEPEST steps, at items without conditions."""
    decided: set[str] = set()
    for _ in range(DEEPEST):
        ready = {item for item, on in depends.items() if item not in decided and on & depends.keys() <= decided}
        if not ready:
            break
        decided |= ready
    return decided


@dataclass(slots=True)
class Enabled:
    """Answers, for one response, whether an item is enabled; every decision is made once."""

    enablement: Mapping[str, Enablement]
    expressed: Callable[[str, tuple[Mapping[str, Any], ...]], bool | None] | None = None
    """Decides for items without enableWhen by their enableWhenExpression."""
    _decisions: dict[tuple[int, str], bool | None] = field(default_factory=dict)
    _indexes: dict[int, dict[str, list[Mapping[str, Any]]]] = field(default_factory=dict)

    def decide(self, link_id: str, chain: tuple[Mapping[str, Any], ...]) -> bool | None:
        """Whether an item in the last container of `chain` is enabled; None when that is left undecided.

        `chain` holds the containers from the response to the one in which the item stands or would stand: for a group
        its item in the response, for a question the answer.
        """
        rule = self.enablement.get(link_id)
        if rule is None:
            return True if self.expressed is None else self._by_expression(self.expressed, link_id, chain)
        if not rule.decidable:
            return None
        key = (id(chain[-1]), link_id)
        if key not in self._decisions:
            met = (self._met(condition, chain[: condition.depth + 1]) for condition in rule.conditions)
            self._decisions[key] = all(met) if rule.every else any(met)
        return self._decisions[key]

    def _by_expression(
        self,
        expressed: Callable[[str, tuple[Mapping[str, Any], ...]], bool | None],
        link_id: str,
        chain: tuple[Mapping[str, Any], ...],
    ) -> bool | None:
        key = (id(chain[-1]), link_id)
        if key not in self._decisions:
            self._decisions[key] = expressed(link_id, chain)
        return self._decisions[key]

    def _met(self, condition: Condition, chain: tuple[Mapping[str, Any], ...]) -> bool:
        answers = list(self._answers(condition.route, chain))
        operator, expected = condition.operator, condition.expected
        if operator == "exists":
            return bool(answers) is bool(expected)
        if operator in ("=", "!="):
            same = any(values.identity(*answer) == values.identity(condition.name, expected) for answer in answers)
            return same is (operator == "=")
        bound = values.span(condition.name, expected)
        return bound is not None and any(_stands(operator, values.span(*answer), bound) for answer in answers)

    def _answers(self, route: tuple[str, ...], chain: tuple[Mapping[str, Any], ...]) -> Iterator[tuple[str, Any]]:
        """The name and value of each answer to the question at the end of `route`, below enabled items only."""
        if self.decide(route[0], chain) is False:
            return
        for item in self._index(chain[-1]).get(route[0], ()):
            if len(route) == 1:
                yield from _values(item)
            elif "answer" in item:
                for answer in item["answer"]:
                    yield from self._answers(route[1:], (*chain, answer))
            else:
                yield from self._answers(route[1:], (*chain, item))

    def _index(self, container: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
        index = self._indexes.get(id(container))
        if index is None:
            index = self._indexes[id(container)] = {}
            for item in container.get("item", ()):
                index.setdefault(item["linkId"], []).append(item)
        return index


def _values(item: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for answer in item.get("answer", ()):
        name = values.value_name(answer)
        if name is not None:
            yield name, answer[name]


def _stands(operator: str, left: tuple[Hashable, values.Span] | None, right: tuple[Hashable, values.Span]) -> bool:
    return left is not None and left[0] == right[0] and values.compare(operator, left[1], right[1])
