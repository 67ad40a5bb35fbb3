"""An INSERT that knows ON CONFLICT."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def insert(db: sa.Connection, table: sa.Table) -> Any:
    """An INSERT that knows ON CONFLICT, which SQLAlchemy has only per database."""
    return (postgresql if db.dialect.name == "postgresql" else sqlite).insert(table)
