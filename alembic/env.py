"""Alembic's entry: one connection, one transaction a migration, never waiting long for a lock that clients hold."""

from alembic import context
from sqlalchemy import Connection, text

from service.tables import metadata


def run(connection: Connection) -> None:
    connection.execute(text("set lock_timeout = '5s'"))
    connection.commit()
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
