"""Observations and Provenance from a completed response. https://hl7.org/fhir/uv/sdc/extraction.html#observation-based-extraction

What is derived, in this order: the totals of the instrument that the Questionnaire is, the panel that groups them, its items
that are used alone, and the items that declare observationExtract. Labels are inherited: whoever may not see the response
does not see what follows from it. A total is an integer; a coded answer is a CodeableConcept with the very Coding that was
chosen, as in the examples of US Core: the LOINC answer code says it all, and a number beside it would be a second truth.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from fhir_mappings import answers, rating
from fhir_mappings.observation import Fact, codes, frame, labels, may_refer, observation
from fhir_mappings.questionnaire.compiled import CompiledQuestionnaire, Item
from fhir_mappings.questionnaire.values import value_name
from fhir_mappings.scoring import Score, score
from schemas.instrument import Code, Instrument, Scale
from schemas.instruments import instrument_for

_DERIVES: Final = frozenset(["completed", "amended"])
_PARTICIPANT: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_OPERATION: Final = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_AUTHORS: Final = frozenset(["Practitioner", "PractitionerRole", "RelatedPerson", "Patient", "Device", "Organization"])
_SAME_NAME: Final[Mapping[str, str]] = {
    "valueBoolean": "valueBoolean",
    "valueInteger": "valueInteger",
    "valueString": "valueString",
    "valueUri": "valueString",
    "valueDate": "valueDateTime",
    "valueDateTime": "valueDateTime",
    "valueTime": "valueTime",
    "valueQuantity": "valueQuantity",
}
"""Answers whose value an Observation carries as it is; attachments and references it cannot carry."""


def derive(
    response: Mapping[str, Any],
    questionnaire: CompiledQuestionnaire,
    *,
    response_reference: str,
    ids: Callable[[], str],
    now: str,
    assembler: str,
    previous: Sequence[Mapping[str, Any]] = (),
    focus: str | None = None,
    active: Collection[str] = (),
    sex: str | None = None,
) -> list[dict[str, Any]]:
    """The resources to write for a valid response: Observations, and last the Provenance of them all.

    `previous` are the Observations derived from an earlier version of the response: they keep their ids, are left alone
    where nothing changed, and are marked entered-in-error where nothing follows any more (an answer was taken back, or
    the response is no longer completed). `focus` is the Task that ratings are about; they keep that of an earlier version.
    `active` are the ids of the licensed instruments that may be scored, `sex` (female, male) of whom the answers are.
    """
    shared = frame(response, response_reference, now, focus or _focus(previous))
    settled = response.get("status") in _DERIVES and shared is not None
    facts = [fact for fact in _facts(response, questionnaire, active, sex) if fact.said] if settled else []
    pairs, left = _pair(facts, previous)
    for fact, earlier in pairs:
        fact.id = earlier["id"] if earlier else ids()
    written = []
    for fact, earlier in pairs:
        assert shared is not None
        made = observation(fact, shared, "amended" if earlier else "final")
        if earlier is None or not _unchanged(earlier, made):
            written.append(made)
    retired = [{**earlier, "status": "entered-in-error"} for earlier in left]
    if not written and not retired:
        return []
    activity = "CREATE" if not previous else "UPDATE" if written else "NULLIFY"
    trace = _provenance([*written, *retired], response, response_reference, activity, now, assembler)
    return [*written, *retired, {"resourceType": "Provenance", "id": ids(), **trace}]


def _focus(previous: Sequence[Mapping[str, Any]]) -> str | None:
    """The Task that an earlier version of the response completed: a later one no longer finds it open."""
    return next((each["focus"][0].get("reference") for each in previous if each.get("focus")), None)


def _pair(
    facts: Sequence[Fact], previous: Sequence[Mapping[str, Any]]
) -> tuple[list[tuple[Fact, Mapping[str, Any] | None]], list[Mapping[str, Any]]]:
    """Each fact with the earlier Observation of the same code, in order; and the earlier ones that are left over."""
    earlier: dict[Any, list[Mapping[str, Any]]] = {}
    for resource in previous:
        earlier.setdefault(tuple(codes(resource.get("code", {}))), []).append(resource)
    pairs: list[tuple[Fact, Mapping[str, Any] | None]] = []
    for fact in facts:
        same = earlier.get(tuple(codes(fact.code)))
        pairs.append((fact, same.pop(0) if same else None))
    left = [resource for rest in earlier.values() for resource in rest if resource["status"] != "entered-in-error"]
    return pairs, left


def _unchanged(earlier: Mapping[str, Any], made: Mapping[str, Any]) -> bool:
    ours = ("id", "meta", "status")
    return earlier["status"] != "entered-in-error" and (
        {name: value for name, value in earlier.items() if name not in ours}
        == {name: value for name, value in made.items() if name not in ours}
    )


def _facts(
    response: Mapping[str, Any], questionnaire: CompiledQuestionnaire, active: Collection[str], sex: str | None
) -> Iterator[Fact]:
    instrument = instrument_for(questionnaire.codes)
    taken: frozenset[Code] = frozenset()
    if instrument is not None and (not instrument.licensed or instrument.id in active):
        yield from _instrument_facts(instrument, answers.by_item(response, questionnaire), sex)
        taken = frozenset(instrument.used_alone)
    if questionnaire.extracts:
        extracted: list[Fact] = []
        _extract(response, questionnaire.children, None, taken, extracted)
        yield from extracted


def _instrument_facts(
    instrument: Instrument, said: Mapping[Code, Sequence[Mapping[str, Any]]], sex: str | None
) -> Iterator[Fact]:
    chosen = {item: [answers.given(answer) for answer in each] for item, each in said.items()}
    scored = [(scale, score(scale, chosen, sex)) for scale in instrument.scales]
    totals = [_total(scale, total) for scale, total in scored if total is not None]
    yield from totals
    if instrument.panel_observation:
        yield Fact(_concept(instrument.panel, instrument.panel_display), members=totals)
    for code in instrument.used_alone:
        item = instrument.items[code]
        given = [answer["valueCoding"] for answer in said.get(code, ()) if "valueCoding" in answer]
        if len(given) == 1 and _code(given[0]) in item.answers:
            coding = {**given[0]}
            coding.setdefault("display", item.answers[_code(coding)].display)
            value = {"coding": [coding], "text": coding["display"]}
            yield Fact({**_concept(code, item.display), "text": item.display}, ("valueCodeableConcept", value))


def _total(scale: Scale, total: Score) -> Fact:
    """A whole total is an integer, as quality measures compare it; one with decimals a Quantity of {score}."""
    value: tuple[str, Any] = ("valueInteger", total.value)
    if scale.decimals:
        unit = {"unit": "score", "system": "http://unitsofmeasure.org", "code": "{score}"}
        value = ("valueQuantity", {"value": total.value, **unit})
    method = f"{total.estimated} missing, counted as the mean of the others ({scale.missing_source})"
    return Fact(
        _concept(scale.code, scale.display),
        value,
        total.interpretation,
        method=method if total.estimated else None,
    )


def _code(coding: Mapping[str, Any]) -> Code:
    return coding.get("system", ""), coding.get("code", "")


def _concept(code: Code, display: str) -> dict[str, Any]:
    return {"coding": [{"system": code[0], "code": code[1], "display": display}]}


def _extract(
    container: Mapping[str, Any],
    children: Mapping[str, Item],
    parent: Fact | None,
    taken: frozenset[Code],
    facts: list[Fact],
) -> None:
    """Append the facts of the items that declare observationExtract, parents before what belongs to them."""
    for raw in container.get("item", ()):
        item = children.get(raw["linkId"])
        if item is None:
            continue
        mode = None if taken.intersection(item.codes) or not item.codes else item.extract
        if item.type == "group":
            group = _own(item, None, mode, parent, facts) if mode else None
            _extract(raw, item.children, group or parent, taken, facts)
            continue
        for answer in raw.get("answer", ()):
            value = _observation_value(answer, item)
            fact = _own(item, value, mode, parent, facts) if mode and value else None
            if "item" in answer:
                _extract(answer, item.children, fact or parent, taken, facts)


def _own(item: Item, value: tuple[str, Any] | None, mode: str, parent: Fact | None, facts: list[Fact]) -> Fact | None:
    """Record a coded item as a component of its parent (None) or as a fact of its own (that fact)."""
    assert item.code is not None
    scale = _scale(item)
    if mode == "component" and parent is not None and value is not None:
        parent.components.append({"code": dict(item.code), value[0]: value[1]})
        same = len(parent.components) == 1 or parent.reference_range == scale
        parent.reference_range = scale if same else None
        return None
    fact = Fact(item.code, value, reference_range=scale)
    if mode == "member" and parent is not None:
        parent.members.append(fact)
    elif mode == "derived":
        fact.parent = parent
    facts.append(fact)
    return fact


def _observation_value(answer: Mapping[str, Any], item: Item) -> tuple[str, Any] | None:
    """The value[x] that an Observation has for an answer; None when there is none it can carry."""
    name = value_name(answer)
    if name is None:
        return None
    value = answer[name]
    if name == "valueCoding":
        concept = {"coding": [value], "text": value["display"]} if "display" in value else {"coding": [value]}
        return "valueCodeableConcept", concept
    if name == "valueString" and item.type == "open-choice":
        return "valueCodeableConcept", {"text": value}
    if name == "valueDecimal":
        unit = item.unit or {"system": "http://unitsofmeasure.org", "code": "1"}
        named = {"unit": unit["display"]} if "display" in unit else {}
        return "valueQuantity", {
            "value": value,
            **named,
            **{key: unit[key] for key in ("system", "code") if key in unit},
        }
    return (_SAME_NAME[name], value) if name in _SAME_NAME else None


def _scale(item: Item) -> dict[str, Any] | None:
    """The range of a rating whose item says both ends, else that of its code."""
    low, high = item.low, item.high
    if low is None or high is None or low.kind != "number" or high.kind != "number":
        known = None if item.type == "group" else rating.ends_of(item.code)
        return None if known is None else rating.reference_range(known)
    ends = {"low": {"value": low.span[0]}, "high": {"value": high.span[0]}}
    return {**ends, "text": f"{low.text}-{high.text} scale"}


def _provenance(
    targets: Iterable[Mapping[str, Any]],
    response: Mapping[str, Any],
    response_reference: str,
    activity: str,
    now: str,
    assembler: str,
) -> dict[str, Any]:
    agents = [_agent("assembler", {"reference": assembler})]
    author, source = response.get("author"), response.get("source")
    said_by = source or author
    if said_by and may_refer(said_by, _AUTHORS):
        agents.append(_agent("author", said_by))
    if source and author and author != source and may_refer(author, _AUTHORS):
        agents.append(_agent("enterer", author))
    return {
        "meta": labels(response),
        "target": [{"reference": f"Observation/{target['id']}"} for target in targets],
        "recorded": now,
        "activity": {"coding": [{"system": _OPERATION, "code": activity}]},
        "agent": agents,
        "entity": [{"role": "source", "what": {"reference": response_reference}}],
    }


def _agent(kind: str, who: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": {"coding": [{"system": _PARTICIPANT, "code": kind}]}, "who": who}
