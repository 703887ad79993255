"""Indexes of the few rows that a search cannot find along with the rest: further codes, and long periods."""

from alembic import op

revision = "0002"
down_revision = "0001"

# Rows whose k1 parameter has more codes than the one in k1 (the sign bit of `present`), and rows that span more than a day:
# a search by code or by date asks for them apart, so that all other rows are read along an index that bounds them.
INDEXES = (
    "create index observation_further on resource_observation (tenant_id, patient, d0, id) where present < 0",
    "create index observation_long on resource_observation (tenant_id, k1, d0, id) where d1 - d0 > interval '1 day'",
    "create index observation_long_patient on resource_observation (tenant_id, patient, d0, id)"
    " where d1 - d0 > interval '1 day'",
    "create index response_long on resource_response (tenant_id, k1, d0, id) where d1 - d0 > interval '1 day'",
)


def upgrade() -> None:
    for index in INDEXES:
        op.execute(index)
