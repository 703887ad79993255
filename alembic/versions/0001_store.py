"""The store: resources, history, index rows, tenants, clients, tokens."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

# Type ids as of this release; they never change.
PARTITIONS = {
    "resource_observation": "values in (1)",
    "resource_task": "values in (2)",
    "resource_response": "values in (3)",
    "resource_plan": "values in (4, 5)",
    "resource_patient": "values in (6)",
    "resource_audit": "values in (7)",
}

RESOURCE = """
create table resource (
    updated   timestamptz not null,
    d0        timestamptz not null default '-infinity',
    d1        timestamptz,
    d2        timestamptz,
    k1        bigint,
    k2        bigint,
    ident     bigint,
    txn       bigint not null default pg_current_xact_id()::text::bigint,
    present   bigint not null default 0,
    id        uuid not null,
    patient   uuid,
    tenant_id integer not null,
    version   integer not null,
    type_id   smallint not null,
    enc       smallint not null default 0,
    deleted   boolean not null default false,
    sel       bigint[] not null default '{}',
    flt       bigint[] not null default '{}',
    ref       uuid[] not null default '{}',
    refk      integer[] not null default '{}',
    fid       text,
    words     text,
    content   bytea,
    constraint resource_pk primary key (tenant_id, type_id, id),
    constraint resource_body check (deleted = (content is null))
) partition by list (type_id)
"""

INDEXES = (
    "create index resource_patient_date on resource (tenant_id, patient, d0, k1, id) where patient is not null",
    "create index resource_updated on resource (tenant_id, updated, id)",
    "create index resource_feed on resource (tenant_id, txn, id)",
    "create index resource_ident on resource (tenant_id, ident) where ident is not null",
    "create index resource_sel on resource using gin (sel) with (fastupdate = off)",
    "create index observation_code on resource_observation (tenant_id, k1, d0, id)",
    "create index task_owner on resource_task (tenant_id, k1, k2, d0, id)",
    "create index task_status on resource_task (tenant_id, k2, d0, id)",
    "create index response_questionnaire on resource_response (tenant_id, k1, d0, id)",
    "create index plan_status on resource_plan (tenant_id, type_id, k2, d0, id)",
    "create index audit_date on resource_audit (tenant_id, d0, id)",
)


def upgrade() -> None:
    op.execute(RESOURCE)
    for name, values in PARTITIONS.items():
        op.execute(f"create table {name} partition of resource for {values}")
    op.execute("create table resource_other partition of resource default")
    for index in INDEXES:
        op.execute(index)
    for name in (*PARTITIONS, "resource_other"):
        # Content is compressed by the service, so PostgreSQL need not try again.
        op.execute(f"alter table {name} alter content set storage external")
    for name in ("resource_observation", "resource_audit"):
        op.execute(f"alter table {name} set (autovacuum_vacuum_insert_scale_factor = 0.02)")
    op.execute("alter table resource_task set (autovacuum_vacuum_scale_factor = 0.02)")
    _history_and_index_rows()
    _clients()
    _keys()


def _history_and_index_rows() -> None:
    op.create_table(
        "resource_history",
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("txn", sa.BigInteger, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("tenant_id", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("type_id", sa.SmallInteger, nullable=False),
        sa.Column("enc", sa.SmallInteger, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("fid", sa.Text),
        sa.Column("content", sa.LargeBinary),
        sa.PrimaryKeyConstraint("tenant_id", "type_id", "id", "version", name="resource_history_pk"),
    )
    op.create_index("resource_history_updated", "resource_history", ["tenant_id", "type_id", "updated", "id"])
    op.execute("alter table resource_history alter content set storage external")
    for name in ("resource_string", "resource_range"):
        kinds = {
            "resource_string": [
                sa.Column("norm", sa.Text(collation="C"), nullable=False),
                sa.Column("value", sa.Text, nullable=False),
            ],
            "resource_range": [
                sa.Column("lo", sa.Numeric, nullable=False),
                sa.Column("hi", sa.Numeric, nullable=False),
            ],
        }[name]
        op.create_table(
            name,
            sa.Column("tenant_id", sa.Integer, nullable=False),
            sa.Column("type_id", sa.SmallInteger, nullable=False),
            sa.Column("param", sa.SmallInteger, nullable=False),
            sa.Column("id", sa.Uuid, nullable=False),
            *kinds,
            sa.Column("codes", postgresql.ARRAY(sa.BigInteger), nullable=False, server_default="{}"),
        )
        op.create_index(f"{name}_id", name, ["tenant_id", "type_id", "id", "param"])
    op.execute(
        'create index resource_string_norm on resource_string (tenant_id, type_id, param, "left"(norm, 200), id)'
    )
    op.execute("create index resource_range_lo on resource_range (tenant_id, type_id, param, lo, id)")
    op.create_table(
        "content_dict",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("dict", sa.LargeBinary, nullable=False),
    )


def _clients() -> None:
    op.create_table(
        "tenant",
        sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.UniqueConstraint("name", name="tenant_name"),
    )
    op.create_table(
        "oauth_client",
        sa.Column("tenant_id", sa.Integer, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.PrimaryKeyConstraint("tenant_id", "client_id", name="oauth_client_pk"),
    )
    op.create_table(
        "oauth_token",
        sa.Column("tenant_id", sa.Integer, nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("issued", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant_id", "token_hash", name="oauth_token_pk"),
    )
    op.create_index("oauth_token_client", "oauth_token", ["tenant_id", "client_id"])
    op.create_index("oauth_token_expires", "oauth_token", ["tenant_id", "expires"])


def _keys() -> None:
    op.create_table(
        "conditional_key",
        sa.Column("tenant_id", sa.Integer, nullable=False),
        sa.Column("type_id", sa.SmallInteger, nullable=False),
        sa.Column("key", sa.BigInteger, nullable=False),
        sa.Column("taken", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "type_id", "key", name="conditional_key_pk"),
    )
    op.create_table(
        "idempotency_key",
        sa.Column("tenant_id", sa.Integer, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("headers", sa.LargeBinary),
        sa.Column("body", sa.LargeBinary),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "client_id", "key", name="idempotency_key_pk"),
    )
    op.create_index("idempotency_key_created", "idempotency_key", ["tenant_id", "created"])
