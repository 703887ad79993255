"""Reminders, the calendars and webhooks that homework is told by, and what became of each message."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "reminder_rule",
        sa.Column("tenant_id", sa.Integer, nullable=False),
        sa.Column("patient", sa.Uuid, nullable=False),
        sa.Column("patient_id", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("opted_out", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "patient", name="reminder_rule_pk"),
    )
    op.create_table(
        "reminder",
        sa.Column("tenant_id", sa.Integer, nullable=False),
        sa.Column("reminder_id", sa.Uuid, nullable=False),
        sa.Column("patient", sa.Uuid, nullable=False),
        sa.Column("patient_id", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text, nullable=False, server_default=sa.text("'planned'")),
        sa.Column("reason", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "reminder_id", name="reminder_pk"),
    )
    op.create_index("reminder_expires", "reminder", ["tenant_id", "expires"])
    op.create_table(
        "webhook",
        sa.Column("tenant_id", sa.Integer, nullable=False),
        sa.Column("webhook_id", sa.Uuid, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("events", sa.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("rules", sa.Text, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled", sa.DateTime(timezone=True)),
        sa.Column("reason", sa.Text),
        sa.Column("failures", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("tenant_id", "webhook_id", name="webhook_pk"),
    )
    op.create_index("webhook_client", "webhook", ["tenant_id", "client_id"])
    op.create_table(
        "webhook_delivery",
        sa.Column("tenant_id", sa.Integer, nullable=False),
        sa.Column("delivery_id", sa.Uuid, nullable=False),
        sa.Column("webhook_id", sa.Uuid, nullable=False),
        sa.Column("number", sa.BigInteger, sa.Identity(always=False), nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("resource_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("occurred", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text, nullable=False, server_default=sa.text("'pending'")),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("attempted", sa.DateTime(timezone=True)),
        sa.Column("answer", sa.Integer),
        sa.Column("fault", sa.Text),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "delivery_id", name="webhook_delivery_pk"),
    )
    op.create_index("webhook_delivery_webhook", "webhook_delivery", ["tenant_id", "webhook_id", "number"])
    op.create_index("webhook_delivery_expires", "webhook_delivery", ["tenant_id", "expires"])
    op.create_table(
        "calendar_link",
        sa.Column("tenant_id", sa.Integer, nullable=False),
        sa.Column("link_id", sa.Uuid, nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("patient", sa.Uuid, nullable=False),
        sa.Column("patient_id", sa.Text, nullable=False),
        sa.Column("details", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("language", sa.Text, nullable=False, server_default=sa.text("'en'")),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("used", sa.DateTime(timezone=True)),
        sa.Column("revoked", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant_id", "link_id", name="calendar_link_pk"),
        sa.UniqueConstraint("tenant_id", "token_hash", name="calendar_link_token"),
    )
    op.create_index("calendar_link_patient", "calendar_link", ["tenant_id", "patient"])
