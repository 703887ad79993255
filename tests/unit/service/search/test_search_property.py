"""Random small worlds: every search finds what a slow filter, written from the specification, finds.

The filter reads resources as plain JSON and knows nothing of tokens, index rows or SQL.
"""

import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.registry import REGISTRY

Json = dict[str, Any]
SYSTEMS: Final = ("http://loinc.org", "http://snomed.info/sct", None)
CODES: Final = ("1", "2", "a|b", "a,b", "x$y")
DATES: Final = (
    "2023", "2024", "2024-02", "2024-02-29", "2024-03-01", "2024-03-01T00:00:00Z", "2024-02-29T23:30:00-01:00",
    "2024-03-01T12:00:00.123Z", "2024-03-01T12:00:00+02:00", "2024-12-31",
)  # fmt: skip
DAYS: Final = tuple(each for each in DATES if "T" not in each)
NUMBERS: Final = ("5", "5.0", "5.00", "5.4", "5.40", "5.45", "-2", "0.010", "100", "1e2", "4.5", "5.5")
NAMES: Final = ("Müller", "muller", "Mu", "MÜLLER-Lüdenscheidt", "de la Cruz", "o'Neil", "Éa, b")
PREFIXES: Final = ("", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")
PEOPLE: Final = ("p1", "p2", "0190a1b2-1111-7000-8000-00000000000a")
TASK_STATUS: Final = ("requested", "completed", "in-progress")


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def without_none(made: Json) -> Json:
    return {name: value for name, value in made.items() if value not in (None, [], {})}


def record(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(members).map(without_none)


coding = record(system=st.sampled_from(SYSTEMS), code=st.sampled_from(CODES), display=maybe(st.sampled_from(NAMES)))
concept = record(coding=st.lists(coding, max_size=2), text=maybe(st.sampled_from(NAMES)))
identifier = record(system=st.sampled_from(SYSTEMS), value=st.sampled_from(CODES))
period = record(start=maybe(st.sampled_from(DATES)), end=maybe(st.sampled_from(DATES))).filter(
    lambda found: len(found) < 2 or instants(found["start"])[0] < instants(found["end"])[1]
)
quantity = record(
    value=st.sampled_from(NUMBERS).map(Decimal),
    comparator=maybe(st.sampled_from(("<", ">="))),
    system=st.sampled_from((None, "http://unitsofmeasure.org")),
    code=st.sampled_from((None, "mg", "g")),
    unit=st.sampled_from((None, "mg", "milligram")),
)
meta = record(
    tag=st.lists(coding, max_size=2),
    profile=st.lists(st.sampled_from(("http://p/a", "http://p/a|1", "http://p/ab")), max_size=2, unique=True),
)


def reference(*targets: str) -> st.SearchStrategy[Json]:
    literal = st.sampled_from([{"reference": target} for target in targets])
    logical = identifier.map(lambda found: {"identifier": found} if found else {"display": "someone"})
    return literal | logical


patients = tuple(f"Patient/{each}" for each in PEOPLE)
patient = record(
    resourceType=st.just("Patient"),
    meta=meta,
    active=maybe(st.booleans()),
    identifier=st.lists(identifier, max_size=3),
    name=st.lists(
        record(family=maybe(st.sampled_from(NAMES)), given=st.lists(st.sampled_from(NAMES), max_size=2)), max_size=2
    ),
    gender=maybe(st.sampled_from(("male", "female"))),
    birthDate=maybe(st.sampled_from(DAYS)),
    deceasedBoolean=maybe(st.booleans()),
    generalPractitioner=st.lists(reference("Practitioner/d1", "Organization/p1"), max_size=2),
)
practitioner = record(
    resourceType=st.just("Practitioner"),
    identifier=st.lists(identifier, max_size=1),
    name=st.lists(record(family=st.sampled_from(NAMES)), max_size=1),
)
observation = record(
    resourceType=st.just("Observation"),
    meta=meta,
    status=st.sampled_from(("final", "amended")),
    identifier=st.lists(identifier, max_size=2),
    category=st.lists(concept, max_size=2),
    code=concept,
    subject=maybe(reference(*patients, "Group/g1")),
    performer=st.lists(
        reference("Patient/p1", "Practitioner/d1", "https://other.test/fhir/Practitioner/d1"), max_size=2
    ),
    derivedFrom=st.lists(reference("Observation/o1", "Observation/o2"), max_size=2),
    component=st.lists(record(code=concept, valueQuantity=maybe(quantity)), max_size=2),
    effective=maybe(
        st.tuples(st.just("effectiveDateTime"), st.sampled_from(DATES)) | st.tuples(st.just("effectivePeriod"), period)
    ),
    value=maybe(
        st.tuples(st.just("valueQuantity"), quantity)
        | st.tuples(st.just("valueInteger"), st.sampled_from((5, -2, 100)))
        | st.tuples(st.just("valueCodeableConcept"), concept)
        | st.tuples(st.just("valueString"), st.sampled_from(NAMES))
    ),
)
task = record(
    resourceType=st.just("Task"),
    status=st.sampled_from(TASK_STATUS),
    intent=st.just("order"),
    priority=maybe(st.sampled_from(("routine", "urgent"))),
    identifier=st.lists(identifier, max_size=2),
    code=maybe(concept),
    **{"for": maybe(reference(*patients, "Group/g1"))},
    owner=maybe(reference("Practitioner/d1", "Patient/p1", "Patient/p2")),
    focus=maybe(reference("Observation/o1", "Task/t1")),
    partOf=st.lists(reference("Task/t1", "Task/t2"), max_size=2),
    basedOn=st.lists(reference("CarePlan/c1", "Task/t1"), max_size=2),
    executionPeriod=maybe(period),
    authoredOn=maybe(st.sampled_from(DATES)),
    restriction=maybe(record(period=period)),
    instantiatesCanonical=maybe(st.sampled_from(("http://q/1", "http://q/1|2", "http://q/12"))),
)
response = record(
    resourceType=st.just("QuestionnaireResponse"),
    status=st.sampled_from(("completed", "in-progress")),
    questionnaire=maybe(st.sampled_from(("http://q/1", "http://q/1|2", "http://q/12"))),
    subject=maybe(reference(*patients)),
    authored=maybe(st.sampled_from(DATES)),
    source=maybe(reference("Patient/p1", "Practitioner/d1")),
)
questionnaire = record(
    resourceType=st.just("Questionnaire"),
    status=st.just("active"),
    url=maybe(st.sampled_from(("http://q/1", "http://q/12", "http://q/1/2", "http://q"))),
    title=maybe(st.sampled_from(NAMES)),
)
KINDS: Final = {
    "Patient": (patient, PEOPLE),
    "Practitioner": (practitioner, ("d1",)),
    "Observation": (observation, ("o1", "o2", "o3", "o4")),
    "Task": (task, ("t1", "t2", "t3", "t4")),
    "QuestionnaireResponse": (response, ("r1", "r2")),
    "Questionnaire": (questionnaire, ("q1", "q2", "q3")),
}


@st.composite
def worlds(draw: st.DrawFn) -> list[Json]:
    made = []
    for strategy, names in KINDS.values():
        for name in names:
            resource = {**draw(strategy), "id": name}
            for chosen in ("effective", "value"):
                if isinstance(resource.get(chosen), tuple):
                    key, value = resource.pop(chosen)
                    if value not in ({}, []):
                        resource[key] = value
            resource = pruned(resource)
            made.append(resource)
    return made


def pruned(value: Any) -> Any:
    """FHIR has no empty objects and arrays."""
    if isinstance(value, dict):
        found = {name: pruned(child) for name, child in value.items()}
        return {name: child for name, child in found.items() if child not in ({}, [])}
    if isinstance(value, list):
        return [child for child in map(pruned, value) if child not in ({}, [])]
    return value


# --- searches -------------------------------------------------------------------------------------------------------


def escaped(text: str) -> str:
    for mark in "\\,|$":
        text = text.replace(mark, f"\\{mark}")
    return text


codes = st.sampled_from(CODES).map(escaped)
tokens = codes | codes.map(lambda code: f"|{code}") | st.tuples(st.sampled_from(SYSTEMS[:2]), codes).map("|".join)
tokens = tokens | st.sampled_from(SYSTEMS[:2]).map(lambda system: f"{system}|")
prefixed_dates = st.tuples(st.sampled_from(PREFIXES), st.sampled_from(DATES)).map("".join)
prefixed_numbers = st.tuples(st.sampled_from(PREFIXES), st.sampled_from(NUMBERS)).map("".join)
units = st.sampled_from(("", "|http://unitsofmeasure.org|mg", "||mg", "||milligram", "||g"))
quantities = st.tuples(prefixed_numbers, units).map("".join)
texts = st.sampled_from((*NAMES, "m", "MUL", "lüd", "cruz", "é")).map(escaped)


def some(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(strategy, min_size=1, max_size=2).map(",".join)


def named(name: str, values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, str]]:
    return st.tuples(st.just(name), some(values))


def token_param(name: str, values: st.SearchStrategy[str] = tokens) -> st.SearchStrategy[tuple[str, str]]:
    return named(name, values) | named(f"{name}:not", values) | missing(name)


def missing(name: str) -> st.SearchStrategy[tuple[str, str]]:
    return st.tuples(st.just(f"{name}:missing"), st.sampled_from(("true", "false")))


def text_param(name: str) -> st.SearchStrategy[tuple[str, str]]:
    return st.one_of(named(name, texts), named(f"{name}:exact", texts), named(f"{name}:contains", texts), missing(name))


people = st.sampled_from((*PEOPLE, *patients, "https://hearth.test/fhir/Patient/p1"))
canonicals = st.sampled_from(("http://q/1", "http://q/1|2", "http://q/12"))
QUERIES: Final[dict[str, st.SearchStrategy[tuple[str, str]]]] = {
    "Patient": st.one_of(
        token_param("identifier"),
        token_param("active", st.sampled_from(("true", "false"))),
        token_param(
            "gender", st.sampled_from(("male", "female", "http://hl7.org/fhir/administrative-gender|male", "|male"))
        ),
        token_param("deceased", st.sampled_from(("true", "false"))),
        token_param("_tag"),
        text_param("name"),
        text_param("family"),
        named("birthdate", prefixed_dates),
        missing("birthdate"),
        named("general-practitioner", st.sampled_from(("d1", "Practitioner/d1", "Organization/p1", "p1"))),
        named("general-practitioner:identifier", tokens.filter(lambda found: not found.endswith("|"))),
        named("general-practitioner:Practitioner", st.just("d1")),
        named("_id", st.sampled_from(PEOPLE)),
        named("_profile", st.sampled_from(("http://p/a", "http://p/a|1", "http://p/ab"))),
        named("_profile:below", st.sampled_from(("http://p/", "http://p/a|"))),
        named("_has:Observation:patient:code", tokens),
        named("_has:Observation:performer:status", st.just("final")),
        named("_has:Task:owner:status", st.sampled_from(TASK_STATUS)),
        named("_has:Task:patient:_has:Task:part-of:status", st.sampled_from(TASK_STATUS)),
        named("general-practitioner:Practitioner.name", texts),
        named("general-practitioner.identifier", tokens),
    ),
    "Observation": st.one_of(
        token_param("code"),
        token_param("category"),
        token_param("combo-code"),
        token_param("component-code"),
        token_param("value-concept"),
        token_param("identifier"),
        token_param("status", st.sampled_from(("final", "amended"))),
        named("code:text", texts),
        named("patient", people),
        named("subject", st.sampled_from((*patients, "Group/g1", "p1", "g1"))),
        named("subject:Patient", st.sampled_from(PEOPLE)),
        missing("subject"),
        missing("patient"),
        missing("code-value-quantity"),
        named(
            "performer", st.sampled_from(("Patient/p1", "Practitioner/d1", "https://other.test/fhir/Practitioner/d1"))
        ),
        named("date", prefixed_dates),
        missing("date"),
        named("value-integer", prefixed_numbers),
        named("value-quantity", quantities),
        named("component-value-quantity", quantities),
        named("combo-value-quantity", quantities),
        text_param("value-string"),
        st.tuples(st.just("code-value-quantity"), st.tuples(tokens, quantities).map("$".join)),
        st.tuples(st.just("component-code-value-quantity"), st.tuples(tokens, quantities).map("$".join)),
        st.tuples(st.just("combo-code-value-quantity"), st.tuples(tokens, quantities).map("$".join)),
        st.tuples(st.just("code-value-concept"), st.tuples(tokens, tokens).map("$".join)),
        st.tuples(st.just("code-value-string"), st.tuples(tokens, texts).map("$".join)),
        named("patient.name", texts),
        named("subject:Patient.birthdate", prefixed_dates),
        named("derived-from:Observation.patient.gender", st.sampled_from(("male", "female"))),
        named("derived-from:Observation.code", tokens),
        named("patient._has:Task:patient:status", st.sampled_from(TASK_STATUS)),
    ),
    "Task": st.one_of(
        token_param("status", st.sampled_from(TASK_STATUS)),
        token_param("priority", st.sampled_from(("routine", "urgent"))),
        token_param("code"),
        token_param("identifier"),
        named("owner", st.sampled_from(("Practitioner/d1", "Patient/p1", "p1", "Patient/p2"))),
        missing("owner"),
        named("patient", people),
        named("focus", st.sampled_from(("Observation/o1", "Task/t1", "t1"))),
        named("part-of", st.sampled_from(("Task/t1", "t2"))),
        named("based-on", st.sampled_from(("CarePlan/c1", "Task/t1"))),
        named("period", prefixed_dates),
        named("authored-on", prefixed_dates),
        named("due", prefixed_dates),
        named("instantiates-canonical", canonicals),
        named("owner:Practitioner.family", texts),
        named("part-of.owner:Patient.name", texts),
        named("focus:Observation.code", tokens),
        named("_has:Task:part-of:status", st.sampled_from(TASK_STATUS)),
        named("_id", st.sampled_from(("t1", "t2", "t9"))),
    ),
    "QuestionnaireResponse": st.one_of(
        named("questionnaire", canonicals),
        missing("questionnaire"),
        token_param("status", st.sampled_from(("completed", "in-progress"))),
        named("authored", prefixed_dates),
        named("patient", people),
        named("source:Patient.gender", st.sampled_from(("male", "female"))),
    ),
    "Questionnaire": st.one_of(
        named("url", st.sampled_from(("http://q/1", "http://q"))),
        named("url:below", st.sampled_from(("http://q/1", "http://q/"))),
        named("url:above", st.sampled_from(("http://q/1/2", "http://q/12"))),
        text_param("title"),
    ),
}
SORTS: Final = {
    "Patient": ("family", "birthdate", "gender", "_id", "identifier", "active"),
    "Observation": ("date", "code", "status", "value-quantity", "value-string", "subject", "category"),
    "Task": ("period", "status", "priority", "authored-on", "due", "owner", "instantiates-canonical", "_lastUpdated"),
    "QuestionnaireResponse": ("authored", "questionnaire"),
    "Questionnaire": ("title", "url"),
}


@st.composite
def searches(draw: st.DrawFn) -> tuple[str, list[tuple[str, str]]]:
    type_name = draw(st.sampled_from(sorted(QUERIES)))
    return type_name, draw(st.lists(QUERIES[type_name], min_size=1, max_size=3))


# --- the filter -----------------------------------------------------------------------------------------------------


def values_of(resource: Json, code: str) -> Iterator[tuple[Any, str]]:
    """(value, FHIR type) of a parameter in a resource."""
    for path in REGISTRY.types[resource["resourceType"]].search[code].paths:
        for value in walk(resource, path.steps):
            yield value, path.datatype


def walk(node: Any, steps: Any) -> Iterator[Any]:
    if isinstance(node, list):
        for each in node:
            yield from walk(each, steps)
    elif not steps:
        yield node
    elif isinstance(node, dict) and steps[0].name in node:
        yield from walk(node[steps[0].name], steps[1:])


def instants(text: str) -> tuple[datetime, datetime]:
    """[first, next after the last) moment of a partial date."""
    if len(text) == 4:
        return datetime(int(text), 1, 1, tzinfo=UTC), datetime(int(text) + 1, 1, 1, tzinfo=UTC)
    if len(text) == 7:
        year, month = int(text[:4]), int(text[5:])
        following = (year + 1, 1) if month == 12 else (year, month + 1)
        return datetime(year, month, 1, tzinfo=UTC), datetime(*following, 1, tzinfo=UTC)
    start = datetime.fromisoformat(text.replace("Z", "+00:00"))
    start = start if start.tzinfo else start.replace(tzinfo=UTC)
    span = timedelta(days=1) if len(text) == 10 else timedelta(milliseconds=1) if "." in text else timedelta(seconds=1)
    return start, start + span


PAST, FUTURE = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def spans(value: Any, datatype: str) -> Iterator[tuple[datetime, datetime]]:
    if datatype == "Period":
        if value:
            start, end = value.get("start"), value.get("end")
            yield (instants(start)[0] if start else PAST), (instants(end)[1] if end else FUTURE)
    elif isinstance(value, str):
        yield instants(value)


def prefix_of(text: str) -> tuple[str, str]:
    return (text[:2], text[2:]) if text[:2] in PREFIXES else ("eq", text)


def date_holds(prefix: str, own: tuple[datetime, datetime], asked: tuple[datetime, datetime]) -> bool:
    (lo, hi), (p, q) = own, asked
    return {
        "eq": p <= lo and hi <= q,
        "ne": not (p <= lo and hi <= q),
        "gt": hi > q,
        "lt": lo < p,
        "ge": hi > q or lo >= p,
        "le": lo < p or hi <= q,
        "sa": lo >= q,
        "eb": hi <= p,
    }[prefix]


def number_holds(text: str, low: Decimal, high: Decimal) -> bool:
    prefix, rest = prefix_of(text)
    number = Decimal(rest)
    half = Decimal(1).scaleb(int(number.as_tuple().exponent)) / 2
    inside = number - half <= low and high < number + half
    return {
        "eq": inside,
        "ne": not inside,
        "gt": high > number,
        "lt": low < number,
        "ge": high >= number,
        "le": low <= number,
        "sa": low > number,
        "eb": high < number,
    }[prefix]


def quantity_holds(text: str, value: Any) -> bool:
    if not isinstance(value, dict) or "value" not in value:
        return False
    number, *unit = text.split("|")
    low = Decimal("-Infinity") if value.get("comparator") == "<" else value["value"]
    high = Decimal("Infinity") if value.get("comparator") == ">=" else value["value"]
    if not number_holds(number, low, high):
        return False
    if not unit:
        return True
    system, code = unit
    if system:
        return bool(value.get("system") == system and value.get("code") == code)
    return code in (value.get("code"), value.get("unit"))


def pieces(text: str, mark: str) -> list[str]:
    """Split at marks that no backslash escapes."""
    found, current, place = [], "", 0
    while place < len(text):
        if text[place] == "\\":
            current += text[place : place + 2]
            place += 2
            continue
        if text[place] == mark:
            found.append(current)
            current = ""
        else:
            current += text[place]
        place += 1
    return [*found, current]


def plain(text: str) -> str:
    out, place = "", 0
    while place < len(text):
        place += text[place] == "\\"
        out += text[place]
        place += 1
    return out


def coded(value: Any, datatype: str) -> Iterator[tuple[str | None, str | None]]:
    if datatype == "CodeableConcept":
        yield from ((each.get("system"), each.get("code")) for each in value.get("coding", ()))
    elif datatype == "Coding":
        yield value.get("system"), value.get("code")
    elif datatype == "Identifier":
        yield value.get("system"), value.get("value")
    elif datatype == "boolean":
        yield "http://terminology.hl7.org/CodeSystem/special-values", str(value).lower()
    elif datatype == "code":
        yield "http://hl7.org/fhir/administrative-gender", value


def token_holds(text: str, value: Any, datatype: str) -> bool:
    parts = [plain(each) for each in pieces(text, "|")]
    for system, code in coded(value, datatype):
        if len(parts) == 1:
            holds = code == parts[0]
        elif parts[1] == "":
            holds = system == parts[0]
        elif parts[0] == "":
            holds = code == parts[1] and (system is None or datatype == "code")
        else:
            holds = (system, code) == (parts[0], parts[1])
        if holds:
            return True
    return False


def folded(text: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each)).casefold()


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in ("family", "given", "text"):
            found = value.get(part, [])
            yield from [found] if isinstance(found, str) else found


def string_holds(text: str, value: Any, modifier: str) -> bool:
    asked = plain(text)
    if modifier == "exact":
        return asked in list(strings(value))
    if modifier == "contains":
        return any(folded(asked) in folded(each) for each in strings(value))
    return any(folded(each).startswith(folded(asked)) for each in strings(value))


def reference_holds(text: str, value: Any, allowed: tuple[str, ...], only: str | None) -> bool:
    if isinstance(value, str):  # canonical
        return text in (value, value.split("|")[0])
    written = value.get("reference", "")
    asked = text.removeprefix("https://hearth.test/fhir/")
    if "/" in asked:
        return bool(written == asked)
    return any(written == f"{name}/{asked}" for name in ([only] if only else allowed or [written.split("/")[0]]))


class World:
    """Resources, and which of them a search finds."""

    def __init__(self, resources: list[Json]) -> None:
        self.resources = {f"{each['resourceType']}/{each['id']}": each for each in resources}

    def found(self, type_name: str, params: list[tuple[str, str]]) -> set[str]:
        return {
            each["id"]
            for each in self.resources.values()
            if each["resourceType"] == type_name and all(self.holds(each, name, value) for name, value in params)
        }

    def holds(self, resource: Json, name: str, value: str) -> bool:
        if name.startswith("_has:"):
            return self._has(resource, name, value)
        first, dot, rest = name.partition(".")
        code, _, modifier = first.partition(":")
        if dot:
            return any(
                self.holds(self.resources[target], rest, value)
                for target in self._targets(resource, code)
                if target in self.resources
                and modifier in ("", target.split("/")[0])
                and self._knows(target.split("/")[0], rest)
            )
        if modifier == "not":
            return not self._one_of(resource, code, "", value)
        if modifier == "missing":
            return self._is_missing(resource, code) == (value == "true")
        return self._one_of(resource, code, modifier, value)

    def _knows(self, type_name: str, name: str) -> bool:
        return name.startswith("_has:") or name.partition(".")[0].partition(":")[0] in REGISTRY.types[type_name].search

    def _targets(self, resource: Json, code: str) -> list[str]:
        only = {
            target for path in REGISTRY.types[resource["resourceType"]].search[code].paths for target in path.targets
        }
        found = [value.get("reference", "") for value, _ in values_of(resource, code) if isinstance(value, dict)]
        return [each for each in found if each and (not only or each.split("/")[0] in only)]

    def _has(self, resource: Json, name: str, value: str) -> bool:
        _, source, code, rest = name.split(":", 3)
        here = f"{resource['resourceType']}/{resource['id']}"
        return any(
            here in self._targets(each, code) and self.holds(each, rest, value)
            for each in self.resources.values()
            if each["resourceType"] == source
        )

    def _is_missing(self, resource: Json, code: str) -> bool:
        if code == "code-value-quantity":
            return not (resource.get("code", {}).get("coding") and "value" in resource.get("valueQuantity", {}))
        if code == "patient":
            return not any(each.startswith("Patient/") for each in self._targets(resource, code))
        return not any(True for _ in values_of(resource, code))

    def _one_of(self, resource: Json, code: str, modifier: str, value: str) -> bool:
        if code == "_id":
            return resource["id"] in value.split(",")
        return any(self._value_holds(resource, code, modifier, each) for each in pieces(value, ","))

    def _value_holds(self, resource: Json, code: str, modifier: str, text: str) -> bool:
        param = REGISTRY.types[resource["resourceType"]].search[code]
        found = list(values_of(resource, code))
        if param.kind == "composite":
            return self._composite(resource, param, text)
        if code == "deceased" and not found:
            return text == "false"
        if modifier == "text":
            words = [each for value, _ in found for each in [value.get("text"), *self._displays(value)] if each]
            return any(folded(each).startswith(folded(plain(text))) for each in words)
        if modifier == "identifier":
            inner = (value.get("identifier") for value, _ in found if isinstance(value, dict))
            return any(token_holds(text, each, "Identifier") for each in inner if each)
        return any(self._kind_holds(param, modifier, text, value, datatype) for value, datatype in found)

    def _displays(self, value: Json) -> list[Any]:
        return [each.get("display") for each in value.get("coding", ())]

    def _kind_holds(self, param: Any, modifier: str, text: str, value: Any, datatype: str) -> bool:
        match param.kind:
            case "token":
                return token_holds(text, value, datatype)
            case "string":
                return string_holds(text, value, modifier)
            case "date":
                prefix, rest = prefix_of(text)
                return any(date_holds(prefix, own, instants(rest)) for own in spans(value, datatype))
            case "number":
                return number_holds(text, Decimal(value), Decimal(value))
            case "quantity":
                return quantity_holds(text, value)
            case "uri" if modifier == "below":
                return bool(value.startswith(text))
            case "uri" if modifier == "above":
                return text.startswith(value)
            case "uri":
                return text in (value, value.split("|")[0]) if param.code.startswith("_") else bool(value == text)
        allowed = tuple({target for path in param.paths for target in path.targets})
        return reference_holds(text, value, allowed, modifier or None)

    def _composite(self, resource: Json, param: Any, text: str) -> bool:
        first, second = pieces(text, "$")
        for focus in param.foci:
            for node in walk(resource, focus):
                ends = [
                    any(
                        self._end_holds(component, end, value, path.datatype)
                        for path in component.paths
                        for value in walk(node, path.steps)
                    )
                    for component, end in zip(param.components, (first, second), strict=True)
                ]
                if all(ends):
                    return True
        return False

    def _end_holds(self, component: Any, text: str, value: Any, datatype: str) -> bool:
        if component.kind == "token":
            return token_holds(text, value, datatype)
        return quantity_holds(text, value) if component.kind == "quantity" else string_holds(text, value, "")


# --- the order ------------------------------------------------------------------------------------------------------


def sort_values(resource: Json, code: str) -> list[tuple[Any, Any]]:
    """(what counts upwards, what counts downwards) of each value of a parameter."""
    if code == "_id":
        return [(resource["id"], resource["id"])]
    param = REGISTRY.types[resource["resourceType"]].search[code]
    found: list[tuple[Any, Any]] = []
    for value, datatype in values_of(resource, code):
        if param.kind == "date":
            # Downwards along an index, a period that began nobody knows when stands with those without a date.
            is_hot = code in ("date", "period")
            found += [(lo, None if is_hot and lo == PAST else lo) for lo, _ in spans(value, datatype)]
        elif param.kind == "string":
            found += [(folded(each), folded(each)) for each in strings(value)]
        elif param.kind == "token":
            found += [(each, each) for _, each in coded(value, datatype) if each is not None]
        elif param.kind == "quantity" and "value" in value:
            low = Decimal("-Infinity") if value.get("comparator") == "<" else value["value"]
            found.append((low, Decimal("Infinity") if value.get("comparator") == ">=" else value["value"]))
        elif param.kind in ("uri", "reference"):
            found.append((value, value))
    return found


def in_order(resources: list[Json], sorts: list[str]) -> bool:
    return all(not comes_before(later, earlier, sorts) for earlier, later in pairwise(resources))


def comes_before(one: Json, other: Json, sorts: list[str]) -> bool:
    """Whether `one` has to stand before `other`; False where their values are the same."""
    for sort in sorts:
        code, down = sort.removeprefix("-"), sort.startswith("-")
        first, second = (
            [pair[down] for pair in sort_values(each, code) if pair[down] is not None] for each in (one, other)
        )
        if not first or not second:
            if bool(first) != bool(second):
                return bool(first)
            continue
        a, b = (max(first), max(second)) if down else (min(first), min(second))
        if a != b:
            return bool(a > b if down else a < b)
    return False


@st.composite
def sorted_searches(draw: st.DrawFn) -> tuple[str, list[tuple[str, str]], list[str], int]:
    type_name = draw(st.sampled_from(sorted(SORTS)))
    codes = draw(st.lists(st.sampled_from(SORTS[type_name]), min_size=1, max_size=3, unique=True))
    signs = draw(st.lists(st.sampled_from(("", "-")), min_size=3, max_size=3))
    sorts = [sign + code for sign, code in zip(signs, codes, strict=False)]
    params = draw(st.lists(QUERIES[type_name], max_size=1))
    return type_name, params, sorts, draw(st.integers(min_value=1, max_value=3))


# An example costs a tenant and dozens of statements, so a failing one is shown as it was found.
PHASES: Final = (Phase.explicit, Phase.reuse, Phase.generate)
SETTINGS: Final = settings(
    deadline=None, max_examples=25, phases=PHASES, suppress_health_check=list(HealthCheck), database=None
)


@SETTINGS
@given(world=worlds(), asked=st.lists(searches(), min_size=6, max_size=12, unique_by=str))
async def test_finds_what_a_plain_filter_finds(
    world: list[Json], asked: list[tuple[str, list[tuple[str, str]]]], make_bench: Callable[[], Any]
) -> None:
    bench, plain_world = make_bench(), World(world)
    await bench.put(*world)
    for type_name, params in asked:
        found = bench.seen(await bench.ask(type_name, [*params, ("_count", "1000")]))
        assert sorted(found) == sorted(plain_world.found(type_name, params)), (type_name, params)
        counted = await bench.ask(type_name, [*params, ("_summary", "count")])
        assert counted["total"] == len(found)


@SETTINGS
@given(world=worlds(), asked=st.lists(sorted_searches(), min_size=4, max_size=8, unique_by=str))
async def test_pages_forward_and_back_in_the_order_asked_for(
    world: list[Json], asked: list[tuple[str, list[tuple[str, str]], list[str], int]], make_bench: Callable[[], Any]
) -> None:
    bench = make_bench()
    await bench.put(*world)
    for type_name, params, sorts, count in asked:
        by_id = {each["id"]: each for each in world if each["resourceType"] == type_name}
        sorted_params = [*params, ("_sort", ",".join(sorts))]
        whole = bench.seen(await bench.ask(type_name, sorted_params))
        checked = [sort for sort in sorts if sort.removeprefix("-") not in ("subject", "owner", "_id", "_lastUpdated")]
        if len(checked) == len(sorts):
            assert in_order([by_id[each] for each in whole], sorts), (type_name, params, sorts, whole)
        pages, back = await there_and_back(bench, type_name, [*sorted_params, ("_count", str(count))])
        assert [each for page in pages for each in page] == whole
        assert back == pages


async def there_and_back(
    bench: Any, type_name: str, params: list[tuple[str, str]]
) -> tuple[list[list[str]], list[list[str]]]:
    """The pages on the way to the last one, and on the way back from it, both in the order of the first walk."""
    bundle = await bench.ask(type_name, params)
    pages = [bench.seen(bundle)]
    while (following := bench.link(bundle, "next")) is not None:
        bundle = await bench.get(following)
        pages.append(bench.seen(bundle))
    back = [bench.seen(bundle)]
    while (previous := bench.link(bundle, "previous")) is not None:
        bundle = await bench.get(previous)
        back.insert(0, bench.seen(bundle))
    return pages, back
