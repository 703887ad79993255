"""Who is admitted to whose record, and the labels that hide: links and label tokens of what is stored already."""

import uuid
from typing import Any

import sqlalchemy as sa
from alembic import op

from schemas import ids, json, references
from schemas.registry import REGISTRY
from service import labels, links
from service.content import Codec
from service.index import layout, rows

revision = "0004"
down_revision = "0003"

_MANY = 500
# Of a deletion the last version before it says what hid it.
STORED = """
select r.tenant_id, r.id, r.deleted, r.patient, r.ref, coalesce(r.content, h.content) as content,
       case when r.deleted then h.enc else r.enc end as enc
  from {table} r left join resource_history h on r.deleted and h.tenant_id = r.tenant_id and h.type_id = r.type_id
       and h.id = r.id and h.version = r.version - 1
 where r.type_id = :type and (r.tenant_id, r.id) > (:tenant, :id) and (r.deleted or :mask = -1 or r.present & :mask <> 0)
   and coalesce(r.content, h.content) is not null
 order by r.tenant_id, r.id limit :many"""
HIDE = """
update {table} set flt = flt || cast(:hiding as bigint[]), present = present | case when deleted then 0 else {bit} end
 where tenant_id = :tenant and type_id = :type and id = :id"""
HIDING = "create index resource_hiding on resource (tenant_id, type_id, id) where (present & {bit}) <> 0"
KEEP = """
insert into care_link (tenant_id, source_type, source_id, actor_type, actor, subject, types, deny, since, until)
values (:tenant, :type, :id, :actor_type, :actor, :subject, cast(:types as smallint[]), :deny, :since, :until)"""


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "care_link",
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("txn", sa.BigInteger, nullable=False, server_default=sa.text("pg_current_xact_id()::text::bigint")),
        sa.Column("source_id", sa.Uuid, nullable=False),
        sa.Column("actor", sa.Uuid, nullable=False),
        sa.Column("subject", sa.Uuid, nullable=False),
        sa.Column("tenant_id", sa.Integer, nullable=False),
        sa.Column("source_type", sa.SmallInteger, nullable=False),
        sa.Column("actor_type", sa.SmallInteger, nullable=False),
        sa.Column("deny", sa.Boolean, nullable=False),
        sa.Column("types", sa.ARRAY(sa.SmallInteger)),
    )
    op.create_index("care_link_source", "care_link", ["tenant_id", "source_type", "source_id"])
    op.create_index("care_link_actor", "care_link", ["tenant_id", "actor", "subject"])
    op.create_index("care_link_subject", "care_link", ["tenant_id", "subject"])
    op.execute(HIDING.format(bit=rows.HIDING))
    connection = op.get_bind()
    codec = Codec({row.id: row.dict for row in connection.execute(sa.text("select id, dict from content_dict"))})
    for name, kind in REGISTRY.types.items():
        if kind.storable:
            _fill(connection, codec, name)


def _fill(connection: sa.Connection, codec: Codec, type_name: str) -> None:
    """Derive what this release keeps of every resource of the type, a part at a time."""
    kind, table = REGISTRY.types[type_name], layout.partition(type_name)
    # What is neither labelled nor admits anybody need not be read.
    mask = -1 if type_name in links.TYPES else 1 << kind.search["_security"].bit
    at = {"tenant": 0, "id": uuid.UUID(int=0), "type": kind.id, "mask": mask, "many": _MANY}
    while found := connection.execute(sa.text(STORED.format(table=table)), at).all():
        for row in found:
            resource = json.parse(codec.unpack(row.enc, row.content))
            hiding = [labels.token(row.tenant_id, label) for label in labels.carried(resource)]
            if hiding:
                values = {"tenant": row.tenant_id, "type": kind.id, "id": row.id, "hiding": hiding}
                connection.execute(sa.text(HIDE.format(table=table, bit=rows.HIDING)), values)
            if not row.deleted:
                _keep(connection, row, resource, kind.id)
        at |= {"tenant": found[-1].tenant_id, "id": found[-1].id}


def _keep(connection: sa.Connection, row: Any, resource: dict[str, Any], type_id: int) -> None:
    here = {row.patient, *row.ref}

    def keyed(written: str) -> tuple[str, uuid.UUID] | None:
        # The base address is not known here: an absolute reference is ours if the index of the resource says so.
        found = references.literal(written)
        if found is None or found.type not in REGISTRY.types:
            return None
        key = ids.key(row.tenant_id, found.type, found.id)
        return (found.type, key) if found.base is None or key in here else None

    for link in links.links(resource, row.id, keyed):
        values = {
            "tenant": row.tenant_id, "type": type_id, "id": row.id, "actor_type": link.actor_type, "actor": link.actor,
            "subject": link.subject, "types": None if link.types is None else list(link.types), "deny": link.deny,
            "since": link.time.lo, "until": link.time.hi,
        }  # fmt: skip
        connection.execute(sa.text(KEEP), values)
