"""Everything that a tenant holds, as JSON read straight from its rows: all versions, whoever may see them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from schemas import json
from schemas.registry import REGISTRY
from service.content import Codec

Resource = dict[str, Any]
Name = tuple[str, str]
"""(type, id)."""

_ROWS: Final = """
select type_id, id, version, updated, deleted, enc, content, fid from resource where tenant_id = $1
union all select type_id, id, version, updated, deleted, enc, content, fid from resource_history where tenant_id = $1"""
_FORGET: Final = "delete from resource where tenant_id = $1 and type_id = $2"
NOT_KEPT: Final = "AuditEvent"
"""What grows with every request is not compared."""


@dataclass(frozen=True)
class Version:
    """One version of a resource; `resource` is None where it is a deletion. `key` orders what is otherwise equal."""

    type: str
    id: str
    number: int
    updated: datetime
    key: UUID
    resource: Resource | None

    @property
    def order(self) -> tuple[datetime, int, UUID, int]:
        """Its place in a history of many resources."""
        return self.updated, REGISTRY.types[self.type].id, self.key, self.number


@dataclass(frozen=True)
class World:
    """The versions of each resource, oldest first. `base` is the address that references may be written with."""

    base: str
    kept: dict[Name, list[Version]] = field(default_factory=dict)

    def now(self, name: Name) -> Version | None:
        """The current version, deletions too."""
        return self.kept[name][-1] if name in self.kept else None

    @cached_property
    def current(self) -> list[Version]:
        """The current version of each resource, deletions too, in one order."""
        return [versions[-1] for _, versions in sorted(self.kept.items())]

    @cached_property
    def resources(self) -> list[Resource]:
        """What is there now."""
        return [each.resource for each in self.current if each.resource is not None]

    def with_version(self, type_name: str, resource_id: str, resource: Resource | None) -> "World":
        """As if this had been written."""
        name = (type_name, resource_id)
        before = self.kept.get(name, [])
        number = len(before) + 1
        made = Version(type_name, resource_id, number, datetime.now(UTC), UUID(int=number), resource)
        return World(self.base, {**self.kept, name: [*before, made]})


async def load(house: Any) -> World:
    """All that the tenant holds now."""
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        codec = Codec({row["id"]: row["dict"] for row in await connection.fetch("select id, dict from content_dict")})
        rows = await connection.fetch(_ROWS, house.tenant_id)
    world = World(house.base)
    for row in sorted(rows, key=lambda row: int(row["version"])):
        name = REGISTRY.by_id[row["type_id"]].name
        if name == NOT_KEPT:
            continue
        resource_id = row["fid"] or str(row["id"])
        content = None if row["deleted"] else json.parse(codec.unpack(row["enc"], row["content"]))
        version = Version(name, resource_id, row["version"], row["updated"], row["id"], content)
        world.kept.setdefault((name, resource_id), []).append(version)
    return world


async def forget_audit(house: Any) -> None:
    """Take away what each request leaves, so that histories stay short."""
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        await connection.execute(_FORGET, house.tenant_id, REGISTRY.types[NOT_KEPT].id)


def of(base: str, *resources: Resource) -> World:
    """A world made by hand, each resource in its first version; a later one of the same name is its next."""
    world = World(base)
    for each in resources:
        world = world.with_version(each["resourceType"], each["id"], each)
    return world
