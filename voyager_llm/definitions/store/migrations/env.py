"""Alembic's entry: runs the migrations on the connection that `store/sql.py` hands over."""

from alembic import context
from sqlalchemy import Connection

from voyager_llm.definitions.store.schema import METADATA


def _run() -> None:
    connection: Connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=METADATA)
    with context.begin_transaction():
        context.run_migrations()


_run()
