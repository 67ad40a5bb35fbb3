"""Our own notes: the links that messages carry, and what commands remember."""

from __future__ import annotations

import sqlalchemy as sa

from vinculo.db.tables.column import Id, metadata

link = sa.Table(
    "link",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("url", sa.Text, nullable=False, unique=True),
    sqlite_autoincrement=True,
)

#: Poll cursors, remembered column mappings of imports, the secret's fingerprint.
note = sa.Table(
    "note", metadata, sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False)
)
