"""Alembic's environment: it works on the connection that `vinculo.db.migration` hands over, without an ini file."""

from __future__ import annotations

from alembic import context

from vinculo.db.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a column only by copying the table
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
