"""Run by alembic: applies the migrations over the connection that `migrate` holds, in one transaction."""

from __future__ import annotations

import contextlib

from alembic import context
from sqlalchemy.exc import DBAPIError

from qpi_server.store.schema import metadata

connection = context.config.attributes["connection"]
connection.exec_driver_sql("BEGIN IMMEDIATE")
try:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    context.run_migrations()
    connection.exec_driver_sql("COMMIT")
except BaseException:
    with contextlib.suppress(DBAPIError):  # where the disk failed, SQLite has rolled back already
        connection.exec_driver_sql("ROLLBACK")
    raise
