"""Who imports and who takes a contact away take turns."""

from __future__ import annotations

import sqlalchemy as sa

#: A lock of PostgreSQL's until the end of the transaction. Two imports take turns, a batch at a time; and of whom a
#: batch looks for, by former keys and by keys, nobody is merged or erased in between. On SQLite one writes at a time.
TURN = sa.func.pg_advisory_xact_lock(0x696D706F7274)


def take_turn(db: sa.Connection) -> None:
    """Wait until no batch of an import is being written."""
    if db.dialect.name == "postgresql":
        db.execute(sa.select(TURN))
