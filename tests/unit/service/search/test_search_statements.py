"""The SQL of searches, as text: every table names its tenant and carries the Grant, every value is bound."""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

import asyncpg
import pytest

from schemas import dates
from schemas.registry import REGISTRY, SearchParam
from service.grant import Grant, Rule, from_scope
from service.search import everything, include, sql
from service.search.binder import Binder
from service.search.parse import parse
from service.search.query import Query
from service.search.sql import Cache, Shape
from service.search.visible import visible

ALL: Final = from_scope("tester", "system/*.cruds")
NOT_TOP_SECRET: Final = Grant("tester", (Rule("*", frozenset("rs"), (("_security:not", "top-secret"),)),), "x")
CORPUS: Final = (
    ("Observation", "patient=1&code=http://l|1&date=ge2024"),
    ("Observation", "code=http://l|1,http://l|2&date=gt2024&_sort=-date"),
    ("Observation", "code=1&value-quantity=gt5||mg&value-string:contains=x&_sort=code,-value-quantity,value-string"),
    ("Observation", "code=http://l|1&date=gt2024"),
    ("Observation", "patient=1&date=gt2024&code:not=http://l|1"),
    ("QuestionnaireResponse", "questionnaire=http://q&authored=ap2024"),
    ("Observation", "code:not=1&category:missing=true&code:text=mood&date:missing=false"),
    (
        "Observation",
        "subject:Patient.name=x&performer.identifier=1&derived-from:Observation.subject:Patient.birthdate=2020",
    ),
    ("Observation", "_has:Task:output:status=completed&_list=1&_id=1,2&_lastUpdated=ge2024"),
    ("Observation", "combo-code-value-quantity=1$5&component-code=3&identifier=http://i|1&_sort=patient,_id"),
    ("Patient", "name=x&family:exact=y&_has:Observation:patient:_has:Task:focus:owner.name=z&_sort=birthdate,family"),
    (
        "Patient",
        "general-practitioner=1&organization.partof.name=x&_profile:below=http://p&_tag=x&_sort=gender,identifier",
    ),
    ("Task", "owner=Practitioner/1&status=requested,completed&period=lt2024"),
    ("Task", "status=requested&_include=Task:owner&_include=Task:patient&_revinclude=Provenance:target"),
    ("Task", "_include=*&_include:iterate=Patient:general-practitioner&_revinclude=*&_sort=-_lastUpdated"),
    ("Questionnaire", "url:above=http://q/1&url:below=http://q&title=x&_revinclude:iterate=Observation:derived-from"),
    ("QuestionnaireResponse", "_include=QuestionnaireResponse:questionnaire&patient=1&authored=ap2024"),
    ("CarePlan", "status=active&goal.lifecycle-status=active&_sort=date"),
    ("Condition", "code=http://s|1&patient.name=x"),
    ("AuditEvent", "date=ge2024&entity=Patient/1"),
    ("Patient,Task,Observation", "_lastUpdated=ge2024&_tag=x"),
)
SAMPLES: Final = {"date": "2024", "number": "5", "quantity": "5", "reference": "urn:uuid:1"}
TABLE: Final = re.compile(r"\b(?:from|join) (resource\w*)(?: (\w+))?")
TEXT: Final = re.compile(r"'(?:[^']|'')*'")
# What stands in quotes: control characters that part words, parameter numbers, interval and empty text.
ALLOWED: Final = re.compile(r"'(?:\\x1[def]|[\x1c-\x1f]|\d+|1 day|\||[\x1e]\d+[\x1d]|)'")


def query(types: str, search: str) -> Query:
    now = dates.interval("2024-06-01T12:00:00Z").lo
    params = parse_qsl(search, keep_blank_values=True)
    return parse(params, types.split(","), tenant_id=7, base="https://hearth.test/fhir", now=now)


def statements(grant: Grant) -> Iterator[tuple[str, sql.Statement, int]]:
    """(what it is for, statement, number of values) of the corpus, with a page's place in both directions."""
    cache = Cache(10_000)
    for types, search in CORPUS:
        asked = query(types, search)
        shape = Shape(asked.typed, sql.sorts(asked), len(asked.values), "s", sql.rows_for(21))
        keys = len(sql.keys(shape))
        placed = [
            shape._replace(values=shape.values + keys, backward=backward, missing=(False,) * keys)
            for backward in (False, True)
        ]
        for each in (shape, *placed):
            yield f"{types}?{search}", cache.get(sql.page, each, each.values, grant, 7), each.values
        for make in (sql.count, sql.estimate):
            yield f"{make.__name__} {types}?{search}", cache.get(make, shape, shape.values, grant, 7), shape.values
        if asked.links:
            first = include.Page(shape, asked.links, 20, 1001, True)
            yield f"include {search}", cache.get(include.page, first, shape.values, grant, 7), shape.values
            again = include.Round(asked.links, shape.values + include.GIVEN, 1001)
            yield f"iterate {search}", cache.get(include.again, again, again.values, grant, 7), again.values
    for part in (0, 3):
        shape_of_all = everything.Shape(everything.types(), True, True, True, part, True, 101)
        yield "$everything", cache.get(everything.page, shape_of_all, 8, grant, 7), 8


@pytest.mark.parametrize("grant", [ALL, NOT_TOP_SECRET], ids=["open", "constrained"])
def test_every_table_names_its_tenant(grant: Grant) -> None:
    for what, statement, _ in statements(grant):
        tables = TABLE.findall(statement.sql)
        assert tables, what
        for table, alias in tables:
            assert alias, f"{table} has no alias in {what}"
            assert f"{alias}.tenant_id = $1" in statement.sql, f"{table} {alias} names no tenant in {what}"
        assert statement.picks[0] == 0


def test_every_table_of_resources_carries_the_grant() -> None:
    flat = Grant("tester", (Rule("*", frozenset("rs"), (("_security", "shown"),)),), "y")
    for what, statement, _ in statements(flat):
        for table, alias in TABLE.findall(statement.sql):
            if table not in ("resource_string", "resource_range"):
                assert f"{alias}.flt @> array[$" in statement.sql, f"{table} {alias} is not limited in {what}"


def test_nothing_deleted_is_found() -> None:
    for what, statement, _ in statements(ALL):
        for table, alias in TABLE.findall(statement.sql):
            if table in ("resource_string", "resource_range"):
                continue
            # A deletion empties these columns.
            columns = ("k1", "k2", "ident", "patient")
            lives = [f"not {alias}.deleted", *(f"{alias}.{column} = " for column in columns)]
            assert any(each in statement.sql for each in lives), f"{table} {alias} in {what}"


def test_every_value_is_bound() -> None:
    for what, statement, _ in statements(ALL):
        for text in TEXT.findall(statement.sql):
            assert ALLOWED.fullmatch(text), f"{text!r} in {what}"


def test_the_numbers_of_a_statement_have_no_gaps() -> None:
    for what, statement, values in statements(NOT_TOP_SECRET):
        numbers = {int(each) for each in re.findall(r"\$(\d+)", statement.sql)}
        assert numbers == set(range(1, len(statement.picks) + 1)), what
        assert max(statement.picks) < values + len(statement.constants), what


def test_a_shape_is_compiled_once_whatever_its_values() -> None:
    one = query("Observation", "patient=1&code=http://l|1&date=ge2024-01-01&_count=20")
    other = query("Observation", "patient=2&code=http://s|9&date=ge2023&_count=20")

    assert one.typed == other.typed
    assert one.values != other.values


def test_a_type_stands_as_its_table() -> None:
    sent = {types: sql.compiled(sql.page, Shape(asked.typed, sql.sorts(asked), 1, "s", 11), 1, ALL, 7).sql
            for types in ("Observation", "Condition") for asked in [query(types, "")]}  # fmt: skip

    assert "from resource_observation r where r.tenant_id = $1" in sent["Observation"]
    assert "from resource_other r where r.tenant_id = $1 and r.type_id = " in sent["Condition"]


@pytest.mark.parametrize("limit", [1, 2, 17, 51, 1001, 5001])
def test_asks_for_at_least_the_rows_wanted(limit: int) -> None:
    assert sql.rows_for(limit) >= limit


def test_what_no_rule_allows_is_false() -> None:
    binder = Binder([7])

    assert visible(from_scope("c", "system/Task.rs"), "s", "Patient", 7, "r", binder) == "false"
    assert visible(from_scope("c", "system/Task.r"), "s", "Task", 7, "r", binder) == "false"
    assert visible(from_scope("c", "system/Task.rs"), "s", "Task", 7, "r", binder) == "true"
    assert binder.values == [7]


@pytest.mark.parametrize(
    "constraint",
    [(("colour", "red"),), (("code:in", "http://v"),), (("date", "tomorrow"),)],
    ids=["unknown parameter", "needs another statement", "malformed value"],
)
def test_a_rule_that_cannot_be_understood_allows_nothing(constraint: tuple[tuple[str, str], ...]) -> None:
    binder = Binder([7])
    grant = Grant("c", (Rule("Observation", frozenset("s"), constraint),))

    assert visible(grant, "s", "Observation", 7, "r", binder) == "false"
    assert binder.values == [7]


def test_rules_are_alternatives_and_their_parameters_are_not() -> None:
    binder = Binder([7])
    rules = (
        Rule("Observation", frozenset("s"), (("category", "survey"), ("status", "final"))),
        Rule("Observation", frozenset("s"), (("code", "http://l|1"),)),
    )

    made = visible(Grant("c", rules), "s", "Observation", 7, "r", binder)

    assert made == (
        "(((r.flt @> array[$2::bigint]) and (r.flt @> array[$3::bigint]) and not r.deleted)"
        " or (((r.k1 = $4 or r.sel @> array[$4::bigint])) and not r.deleted))"
    )
    assert len(binder.values) == 4


def test_caches_by_grant() -> None:
    cache = Cache(10)
    asked = query("Task", "status=requested")
    shape = Shape(asked.typed, sql.sorts(asked), len(asked.values), "s", 11)

    def make(grant: Grant) -> str:
        return cache.get(sql.page, shape, shape.values, grant, 7).sql

    nobody = Grant("c")
    assert make(ALL) == make(from_scope("another", "system/*.cruds"))
    assert make(nobody) != make(ALL)
    assert " and false and " in make(nobody)


async def test_the_database_takes_every_statement(connection: "asyncpg.Connection[Any]") -> None:
    for _, statement, _ in statements(NOT_TOP_SECRET):
        await connection.prepare(statement.sql)


def asked_of(param: SearchParam) -> Iterator[str]:
    """A search by the parameter, by its absence, and in its order."""
    if param.kind == "composite":
        kinds = (component.kind for component in param.components)
        parts = ("DocumentReference/1" if kind == "reference" else SAMPLES.get(kind, "x") for kind in kinds)
        yield f"{param.code}={'$'.join(parts)}"
        yield f"{param.code}:missing=true"
        return
    yield f"{param.code}={'2024' if param.code == '_lastUpdated' else SAMPLES.get(param.kind, 'x')}"
    if param.code != "_list":
        yield f"{param.code}:missing=true&_sort={param.code},-{param.code}"


@pytest.mark.parametrize("type_name", [each.name for each in REGISTRY.types.values() if each.storable])
async def test_the_database_takes_every_parameter(type_name: str, connection: "asyncpg.Connection[Any]") -> None:
    parts = []
    for param in REGISTRY.types[type_name].search.values():
        for search in asked_of(param):
            asked = query(type_name, search)
            shape = Shape(asked.typed, sql.sorts(asked), len(asked.values), "s", 11)
            parts.append(sql.compiled(sql.page, shape, shape.values, ALL, 7).sql)
    for statement in parts:
        await connection.execute(f"prepare asked as {statement}; deallocate asked")
