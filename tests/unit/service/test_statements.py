"""Every statement names its tenant, wherever it names a table that tenants share."""

import importlib
import pkgutil
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import pytest

import service
from schemas import dates
from schemas.registry import REGISTRY
from service import statements, tables
from service.call import Call
from service.content import Codec
from service.database import Connection
from service.errors import HearthError
from service.grant import Grant, from_scope
from service.index import layout
from service.interactions.table import INTERACTIONS
from service.search.page import Pages
from service.store import Store

SHARED: Final = {name for name, table in tables.metadata.tables.items() if "tenant_id" in table.c}
ROWS: Final = {layout.partition(name) for name in REGISTRY.types}
TENANT: Final = r"(?:\$\d+|any\(\$\d+\)|\w+\.tenant_id)"
NAMED: Final = re.compile(
    rf"(?:\b(?P<verb>from|join|update|into)|,)\s+(?P<table>{'|'.join(sorted(SHARED | ROWS, key=len, reverse=True))})\b"
    r"(?P<columns>\s*\([^)]*\))?(?:\s+(?:as\s+)?(?!(?:where|set|on|cross|join|left|order|limit|union|using|select|values)\b)"
    r"(?P<alias>\w+))?"
)
SQL: Final = re.compile(r"\s*(select|insert|update|delete|with)\s", re.IGNORECASE)
HELD: Final = [each.name for each in REGISTRY.types.values() if each.storable]


def untenanted(sql: str) -> list[str]:
    """The places of a statement where rows of any tenant could be meant."""
    text = " ".join(sql.split())
    found: dict[str, int] = {}
    faults = []
    for match in NAMED.finditer(text):
        if match["verb"] == "into":
            if "tenant_id" not in (match["columns"] or ""):
                faults.append(f"insert into {match['table']} without tenant_id")
        else:
            alias = match["alias"] or ""
            found[alias] = found.get(alias, 0) + 1
    for alias, times in found.items():
        named = rf"\b{alias}\.tenant_id" if alias else r"(?<![\w.])(?:\w+\.)?tenant_id"
        if len(re.findall(rf"{named} = {TENANT}", text)) < times:
            faults.append(f"{alias or 'a table without alias'} is named {times} times, its tenant less often")
    return faults


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 from resource r where r.id = $2",
        "select 1 from resource",
        "delete from oauth_token where expires < $1",
        "update resource_task r set version = 2 where r.id = $2 and n.tenant_id = $1",
        "insert into resource (id, version) values ($1, $2)",
        "select 1 from resource r where r.tenant_id = $1 and exists (select from resource_string s where s.id = r.id)",
        "select 1 from resource_task r where r.tenant_id = $1 union all select 1 from resource_history r where r.id = $2",
    ],
)
def test_sees_what_names_no_tenant(sql: str) -> None:
    assert untenanted(sql)


@pytest.mark.parametrize("type_name", HELD)
@pytest.mark.parametrize("name", statements.CATALOGUE)
def test_every_statement_on_rows_names_its_tenant(name: str, type_name: str) -> None:
    sql = statements.CATALOGUE[name](type_name)
    assert NAMED.search(sql)
    assert untenanted(sql) == []


def constants() -> Iterator[tuple[str, str]]:
    """The SQL that stands at the top of a module of service/."""
    for module in pkgutil.walk_packages(service.__path__, "service."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, str) and SQL.match(value) and " " in value.strip() and not name.startswith("__"):
                yield f"{module.name}.{name}", value


@pytest.mark.parametrize(("name", "sql"), [pytest.param(*each, id=each[0]) for each in sorted(constants())])
def test_every_statement_of_a_module_names_its_tenant(name: str, sql: str) -> None:
    assert untenanted(sql) == []


def test_there_are_statements_to_look_at() -> None:
    names = {name for name, _ in constants()}
    assert {
        "service.oauth.token.PURGE",
        "service.interactions.conditional._HOLD",
        "service.idempotency._SELECT",
    } <= names


# --- what interactions send ---------------------------------------------------------------------------------------------


class Recorder:
    """A connection that keeps what it is asked, finds nothing and counts none."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def fetch(self, sql: str, *_: Any) -> list[Any]:
        self.sent.append(sql)
        return [(0,)] if "count(" in sql else []

    async def fetchrow(self, sql: str, *_: Any) -> None:
        self.sent.append(sql)

    async def fetchval(self, sql: str, *_: Any) -> int:
        self.sent.append(sql)
        return 1

    async def execute(self, sql: str, *_: Any) -> str:
        self.sent.append(sql)
        return "INSERT 0 1"

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield


ALL: Final = from_scope("test", "system/*.cruds")
NARROW: Final = from_scope("test", " ".join(f"system/{name}.rs?_id=1&_tag=x" for name in HELD))


async def sent(interaction: str, grant: Grant = ALL, **asked: Any) -> list[str]:
    """The statements of an interaction on a store without rows."""
    recorder = Recorder()
    call = Call(7, "http://hearth.test/t/x/fhir", grant, interaction, dates.clock(), **asked)
    store = Store(cast(Connection, recorder), 7, call.base, grant, Codec({}), Pages(b"secret"))
    try:
        await INTERACTIONS[interaction](call, store)
    except HearthError as refusal:
        assert refusal.status in (400, 404), refusal.issues  # noqa: PT017 - nothing is there
    return recorder.sent


def hints(type_name: str) -> Iterator[tuple[str, str]]:
    """A search by every parameter of a type, with a chain, a reverse chain and includes where it has references."""
    values = {"number": "1", "quantity": "1", "date": "2026", "uri": "urn:x", "string": "a", "token": "a"}
    for code, param in REGISTRY.types[type_name].search.items():
        if param.kind == "reference":
            yield code, "Patient/1" if "Patient" in param.targets else f"{(param.targets or ('Patient',))[0]}/1"
            for target in [each for each in param.targets if each in HELD][:1]:
                yield f"{code}:{target}._id", "1"
                yield "_include", f"{type_name}:{code}"
        elif param.kind == "composite":
            continue
        else:
            yield code, values[param.kind]
        yield f"{code}:missing", "false"


@pytest.mark.parametrize("grant", [ALL, NARROW], ids=["all", "narrow"])
@pytest.mark.parametrize("type_name", HELD)
async def test_every_search_names_its_tenant(type_name: str, grant: Grant) -> None:
    statements_sent = 0
    for name, value in hints(type_name):
        for sql in await sent("search-type", grant, type=type_name, params=((name, value),)):
            assert untenanted(sql) == [], (name, sql)
            statements_sent += 1
    assert statements_sent > 5


@pytest.mark.parametrize("grant", [ALL, NARROW], ids=["all", "narrow"])
@pytest.mark.parametrize(
    ("interaction", "asked"),
    [
        ("read", {"type": "Task", "id": "1"}),
        ("vread", {"type": "Task", "id": "1", "version": "1"}),
        ("history-instance", {"type": "Task", "id": "1"}),
        ("history-instance", {"type": "Task", "id": "1", "params": (("_at", "2026"),)}),
        ("history-type", {"type": "Task"}),
        ("history-type", {"type": "Task", "params": (("_at", "2026"),)}),
        ("history-system", {}),
        ("search-system", {"params": (("_lastUpdated", "gt2020"),)}),
        ("search-system", {"params": (("_type", "Task,Goal"), ("_total", "accurate"))}),
        ("search-type", {"type": "Patient", "params": (("_has:Task:patient:status", "requested"),)}),
        ("search-type", {"type": "Patient", "params": (("_has:Observation:subject:_has:Provenance:target:_id", "1"),)}),
        ("search-type", {"type": "Patient", "params": (("_revinclude", "*"),)}),
        ("search-type", {"type": "Task", "params": (("_list", "1"), ("_sort", "due,-status,_lastUpdated"))}),
        ("search-type", {"type": "Task", "params": (("code:in", "http://x"),)}),
        ("search-type", {"type": "Task", "params": (("_summary", "count"), ("status:not", "draft"))}),
        ("search-compartment", {"type": "Task", "compartment": ("Patient", "1")}),
        ("everything", {"type": "Patient", "id": "1"}),
        ("everything", {"type": "Patient", "id": "1", "params": (("start", "2020"), ("_since", "2020"), ("_type", "Task"))}),
        ("meta", {"type": "Task", "id": "1"}),
    ],
)  # fmt: skip
async def test_every_interaction_that_reads_names_its_tenant(
    interaction: str, asked: dict[str, Any], grant: Grant
) -> None:
    found = await sent(interaction, grant, **asked)
    assert found
    for sql in found:
        assert untenanted(sql) == [], sql
