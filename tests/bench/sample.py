"""What is in the database, read past the API: how much there is, and whom and what a workload may ask for."""

import random
from dataclasses import dataclass

import asyncpg
from homework import Person
from place import Place

from schemas.registry import REGISTRY

MOST = 2000
_TYPES = {
    name: REGISTRY.types[name].id
    for name in ("Observation", "Task", "Patient", "Practitioner", "AuditEvent", "ServiceRequest")
}
_COUNT = "select count(*) from resource where tenant_id = 1 and type_id <> $1 and not deleted"
_SOME = "select id::text from resource where tenant_id = 1 and type_id = $1 and not deleted order by random() limit $2"
_PERSONS = """
select p.id::text, array_agg(r.id::text order by r.id)
from resource p join resource r on r.tenant_id = 1 and r.type_id = $2 and r.patient = p.id
where p.tenant_id = 1 and p.type_id = $1 group by p.id order by p.id"""
_BUSY = """
select patient::text from resource where tenant_id = 1 and type_id = any($1) and patient is not null and not deleted
group by patient having count(*) between $2 and $3 order by count(*) desc limit $4"""
_SIZES = """
select c.relname, pg_table_size(c.oid), pg_indexes_size(c.oid)
from pg_class c where c.relkind = 'r' and (c.relname like 'resource\\_%' or c.relname = 'conditional_key')
order by 1"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table's rows and bytes."""

    name: str
    rows: int
    heap: int
    indexes: int


class Sample:
    """Random and busy rows of the place's database."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def count(self) -> int:
        """How many resources there are, audit events not counted."""
        return int((await self._fetch(_COUNT, _TYPES["AuditEvent"]))[0][0])

    async def some(self, type_name: str) -> list[str]:
        """References of random resources of a type."""
        return [f"{type_name}/{row[0]}" for row in await self._fetch(_SOME, _TYPES[type_name], MOST)]

    async def persons(self) -> list[Person]:
        """All patients with their prescriptions."""
        rng = random.Random(1)
        authors = [row[0] for row in await self._fetch(_SOME, _TYPES["Practitioner"], MOST)]
        return [
            Person(
                f"Patient/{key}",
                f"Practitioner/{rng.choice(authors)}",
                [f"ServiceRequest/{each}" for each in requests],
                rng.lognormvariate(0, 1),
            )
            for key, requests in await self._fetch(_PERSONS, _TYPES["Patient"], _TYPES["ServiceRequest"])
        ]

    async def busy(self, *type_names: str, least: int = 1, most: int = 1 << 30, limit: int = 200) -> list[str]:
        """The patients with most resources of these types, or of all, each with `least` to `most` of them."""
        wanted = [REGISTRY.types[name].id for name in type_names] or [
            each.id for each in REGISTRY.types.values() if each.name != "AuditEvent"
        ]
        return [f"Patient/{row[0]}" for row in await self._fetch(_BUSY, wanted, least, most, limit)]

    async def vacuum(self) -> None:
        """What autovacuum would have done by now."""
        await self._fetch("vacuum (analyze)")

    async def tables(self) -> tuple[list[Table], int]:
        """Every table of resources, and the bytes of the whole database."""
        found = []
        for name, heap, indexes in await self._fetch(_SIZES):
            rows = int((await self._fetch(f"select count(*) from {name}"))[0][0])
            found.append(Table(name, rows, heap, indexes))
        return found, int((await self._fetch("select pg_database_size(current_database())"))[0][0])

    async def version(self) -> str:
        """PostgreSQL's version."""
        return str((await self._fetch("show server_version"))[0][0])

    async def _fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self._place.url)
        try:
            return list(await connection.fetch(sql, *values))
        finally:
            await connection.close()
