"""When to ask a therapist about a next step: up where something has become easy, another way where it stays hard.

https://hl7.org/fhir/R4/task-definitions.html#Task.intent
A rule never changes an assignment. It makes a proposal, a Task with intent `proposal` for the therapist, once for each state
that gives rise to it. The rules are data (`schemas/data/shaping.json`). Docs: docs/insight.md, "Proposals".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any, Final

from fhir_mappings.adherence import DONE, LEFT_OUT, NOT_DONE, OPEN, PARTLY, Occurrence
from fhir_mappings.course import number
from fhir_mappings.lifecycle import ACTIVITY_TYPE
from fhir_mappings.observation import DEFAULT_LABELS
from schemas import json
from schemas.library import BASE

MEASURE: Final = f"{BASE}/CodeSystem/homework-measure"
RULE_SYSTEM: Final = f"{BASE}/CodeSystem/shaping-rule"
PROPOSAL: Final = f"{BASE}/NamingSystem/proposal"
"""Task.identifier of a proposal: `{head id}/{rule}/{id of the last occurrence that it saw}`."""
STAFF_ONLY: Final = {"system": f"{BASE}/CodeSystem/sensitivity", "code": "staff-only"}
KINDS: Final = ("step-up", "simpler", "other-format", "split")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as written in the data: what it proposes, which test it makes, with which numbers, and why in words."""

    id: str
    version: str
    proposes: str
    test: str
    numbers: Mapping[str, Decimal]
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Step:
    """One occurrence with what was rated in it, on scales of 0 to 100 (distress) and 0 to 10 (mastery).

    `rated` is the Observation that says the distress or the mastery.
    """

    occurrence: Occurrence
    before: Decimal | None = None
    peak: Decimal | None = None
    after: Decimal | None = None
    mastery: Decimal | None = None
    rated: str | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one rule proposes for a series, because of which occurrences; `evidence` are Observations, the latest last."""

    rule: Rule
    steps: tuple[Step, ...]
    evidence: tuple[str, ...]

    @property
    def last(self) -> str:
        """The occurrence after which the proposal is made: with the rule it names the state."""
        return self.steps[-1].occurrence.id


@cache
def rules() -> tuple[Rule, ...]:
    """The rules of the package, in the order in which they are asked: the first of a kind that holds is the proposal."""
    rows = json.decode((resources.files("schemas") / "data" / "shaping.json").read_bytes())["rules"]
    made = tuple(
        Rule(
            row["id"],
            row["version"],
            row["proposes"],
            row["test"],
            {name: Decimal(value) for name, value in row["numbers"].items()},
            row["text"],
            row["source"],
        )
        for row in rows
    )
    assert all(rule.test in _TESTS and rule.proposes in KINDS for rule in made)
    return made


def steps(found: Iterable[Occurrence], observations: Iterable[Mapping[str, Any]]) -> list[Step]:
    """The occurrences of one series, oldest first, with the ratings whose focus they are."""
    rated: dict[str, dict[str, tuple[Decimal, str]]] = {}
    for observation in observations:
        source = f"Observation/{observation.get('id', '')}"
        for focus in observation.get("focus", ()):
            values = rated.setdefault(focus.get("reference", "").removeprefix("Task/"), {})
            values.update({name: (value, source) for name, value in _ratings(observation)})
    return [_step(each, rated.get(each.id, {})) for each in found]


def _step(occurrence: Occurrence, values: Mapping[str, tuple[Decimal, str]]) -> Step:
    def value(name: str) -> Decimal | None:
        return values[name][0] if name in values else None

    rated = next(
        (values[name][1] for name in ("suds-peak", "suds-post", "suds-pre", "mastery") if name in values), None
    )
    peak = value("suds-peak") if "suds-peak" in values else value("suds")
    return Step(occurrence, value("suds-pre"), peak, value("suds-post"), value("mastery"), rated)


def _ratings(observation: Mapping[str, Any]) -> Iterable[tuple[str, Decimal]]:
    scale = _scale(observation)
    for element in (observation, *observation.get("component", ())):
        value = number(element)
        if value is not None:
            for coding in element.get("code", {}).get("coding", ()):
                if coding.get("system") == MEASURE:
                    yield coding["code"], value[0] * (scale if coding["code"].startswith("suds") else 1)


def _scale(observation: Mapping[str, Any]) -> int:
    """What makes a rating one of 0 to 100: distress is also rated from 0 to 10, which the range says."""
    highest = [each.get("high", {}).get("value") for each in observation.get("referenceRange", ())]
    return 10 if highest and highest[0] == 10 else 1


def proposals(found: Sequence[Step], missed_before_simpler: int) -> list[Proposal]:
    """What the rules propose for one series: at most one step up, or one way to make it easier, of what was last done."""
    settled = [each for each in found if each.occurrence.outcome not in (OPEN, LEFT_OUT)]
    for rule in rules():
        seen = _TESTS[rule.test](settled, {"missed": Decimal(missed_before_simpler), **rule.numbers})
        if seen:
            evidence = tuple(each.rated for each in seen if each.rated is not None)
            return [Proposal(rule, tuple(seen), evidence)]
    return []


Numbers = Mapping[str, Decimal]


def _last_done(found: Sequence[Step], times: int, rated: Callable[[Step], Decimal | None]) -> list[Step]:
    """The last `times` occurrences, where all of them were done and rated; none otherwise."""
    last = list(found[-times:])
    complete = all(each.occurrence.outcome in (DONE, PARTLY) and rated(each) is not None for each in last)
    return last if len(last) == times and complete else []


def _peaks(found: Sequence[Step], times: int) -> list[Step]:
    return _last_done(found, times, lambda each: each.peak if each.peak is not None else each.before)


def _highest(step: Step) -> Decimal:
    """The strongest distress of an occurrence, where at least one was rated."""
    return max(each for each in (step.before, step.peak) if each is not None)


def _calm(found: Sequence[Step], numbers: Numbers) -> list[Step]:
    """Distress stayed low."""
    last = _peaks(found, int(numbers["times"]))
    return last if last and all(_highest(each) <= numbers["at-most"] for each in last) else []


def _eased(found: Sequence[Step], numbers: Numbers) -> list[Step]:
    """Distress fell enough from its peak to the end, each time."""
    last = _peaks(found, int(numbers["times"]))
    eased = all(
        each.after is not None
        and _highest(each) > 0
        and (_highest(each) - each.after) * 100 >= numbers["percent"] * _highest(each)
        for each in last
    )
    return last if last and eased else []


def _mastered(found: Sequence[Step], numbers: Numbers) -> list[Step]:
    last = _last_done(found, int(numbers["times"]), lambda each: each.mastery)
    return last if last and all((each.mastery or 0) >= numbers["at-least"] for each in last) else []


def _stays_high(found: Sequence[Step], numbers: Numbers) -> list[Step]:
    """Distress was high and did not ease, each time."""
    last = _peaks(found, int(numbers["times"]))
    high = all(
        _highest(each) >= numbers["at-least"]
        and (_highest(each) if each.after is None else each.after) >= numbers["after-at-least"]
        for each in last
    )
    return last if last and high else []


def _not_done(found: Sequence[Step], numbers: Numbers) -> list[Step]:
    """Several in a row were not done; where a barrier is asked for, it was named in one of them."""
    last = list(found[-int(numbers["missed"]) :])
    return last if len(last) == numbers["missed"] and all(each.occurrence.outcome == NOT_DONE for each in last) else []


def _named(*codes: str) -> Callable[[Sequence[Step], Numbers], list[Step]]:
    def test(found: Sequence[Step], numbers: Numbers) -> list[Step]:
        last = _not_done(found, numbers)
        return last if any(set(codes) & set(each.occurrence.barriers) for each in last) else []

    return test


_TESTS: Final[Mapping[str, Callable[[Sequence[Step], Numbers], list[Step]]]] = {
    "distress-low": _calm,
    "distress-eased": _eased,
    "mastered": _mastered,
    "distress-stays-high": _stays_high,
    "not-done": _not_done,
    "not-done-too-long": _named("time", "too-hard", "fear-of-failure"),
    "not-done-other-way": _named("privacy", "technology", "language-culture", "understanding"),
}


def task(proposal: Proposal, head: Mapping[str, Any], *, requester: str, now: str) -> dict[str, Any]:
    """The proposal as a Task that waits for the therapist's answer: accepted or rejected. Clients do not see it."""
    rule = proposal.rule
    kind = {"system": f"{BASE}/CodeSystem/proposal-kind", "code": rule.proposes}
    body: dict[str, Any] = {
        "resourceType": "Task",
        "meta": {"security": [*head.get("meta", {}).get("security", DEFAULT_LABELS), STAFF_ONLY]},
        "identifier": [{"system": PROPOSAL, "value": identifier(head, proposal)}],
        "status": "requested",
        "intent": "proposal",
        "priority": "routine",
        "code": {
            "coding": [{"system": ACTIVITY_TYPE, "code": "review-proposal"}, kind],
            "text": rule.text,
        },
        "description": rule.text,
        "focus": {"reference": f"Task/{head['id']}"},
        "for": head["for"],
        "authoredOn": now,
        "lastModified": now,
        "requester": {"reference": requester},
    }
    if "basedOn" in head:
        body["basedOn"] = head["basedOn"]
    if "requester" in head:
        body["owner"] = head["requester"]
    if proposal.evidence:
        body["reasonReference"] = {"reference": proposal.evidence[-1]}
    body["reasonCode"] = {
        "coding": [{"system": RULE_SYSTEM, "version": rule.version, "code": rule.id}],
        "text": rule.text,
    }
    body["input"] = [
        {"type": {"coding": [{"system": f"{BASE}/CodeSystem/homework-task-io", "code": "evidence"}]},
         "valueReference": {"reference": f"Task/{each.occurrence.id}"}}
        for each in proposal.steps
    ]  # fmt: skip
    return body


def identifier(head: Mapping[str, Any], proposal: Proposal) -> str:
    """What names the state that a proposal answers to, so that it is made once."""
    return f"{head['id']}/{proposal.rule.id}/{proposal.last}"


def answered(task: Mapping[str, Any], *, accepted: bool, now: str, reason: str | None = None) -> dict[str, Any]:
    """The proposal as the therapist answered it: what follows from a yes they do themselves."""
    body = {**task, "status": "accepted" if accepted else "rejected", "lastModified": now}
    return body | ({"statusReason": {"text": reason}} if reason else {})
