"""What a tenant decides about homework, and assignments in preparation that their client does not see yet."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from schemas.registry import REGISTRY
from service import labels
from service.index import rows
from service.index.codes import coded

revision = "0005"
down_revision = "0004"

HIDE = """
update resource_task set flt = flt || cast(:hiding as bigint[]), present = present | {bit}
 where tenant_id = :tenant and type_id = :type and k2 = any(cast(:states as bigint[]))
   and not flt && cast(:hiding as bigint[])"""


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.add_column("tenant", sa.Column("homework", sa.Text))
    connection = op.get_bind()
    task = REGISTRY.types["Task"]
    for tenant_id in connection.scalars(sa.text("select id from tenant")).all():
        values = {
            "tenant": tenant_id,
            "type": task.id,
            "states": list(_states(tenant_id)),
            "hiding": [labels.token(tenant_id, labels.STAFF_ONLY)],
        }
        connection.execute(sa.text(HIDE.format(bit=rows.HIDING)), values)


def _states(tenant_id: int) -> Iterator[int]:
    """The tokens of the states that hide a Task from its client."""
    task = REGISTRY.types["Task"]
    for status in ("draft", "entered-in-error"):
        for made, single, _ in coded("code", tenant_id, task.id, task.search["status"].id, status):
            if single:
                yield made
