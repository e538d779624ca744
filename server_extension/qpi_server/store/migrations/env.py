"""Run by alembic: applies the migrations over the connection that `migrate` holds, in one transaction."""

from __future__ import annotations

from alembic import context

from qpi_server.store.schema import metadata

connection = context.config.attributes["connection"]
with context.config.attributes["transaction"](connection):
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    context.run_migrations()
