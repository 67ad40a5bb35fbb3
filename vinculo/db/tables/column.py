"""What tables are made of: kinds of columns, and indexes of some rows.

Instants are microseconds since 1970 UTC, the same on SQLite and PostgreSQL, so that a marketer's `.sql` segment can say
`at > :now - 90 * :day` and mean the same on both.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

#: SQLite numbers rows itself only for the type INTEGER; elsewhere ids are 64 bits.
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def micros(instant: datetime) -> int:
    """Microseconds since 1970 UTC. Raises `ValueError` for a naive datetime: a moment without a zone is no moment."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no time zone")
    return (instant - _EPOCH) // _MICROSECOND


def moment(micros: int) -> datetime:
    """The instant so many microseconds after 1970 UTC."""
    return _EPOCH + timedelta(microseconds=micros)


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware datetime, stored as microseconds since 1970 UTC."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        return micros(value) if isinstance(value, datetime) else value

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else moment(value)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def text(name: str, **options: Any) -> sa.Column[str]:
    """A text that may be empty and is never NULL."""
    return sa.Column(name, sa.Text, nullable=False, server_default="", **options)


def contact_id(**options: Any) -> sa.Column[int]:
    """Whose row it is."""
    return sa.Column("contact_id", Id, sa.ForeignKey("contact.id"), nullable=False, **options)


def asked_at_once(column: str, table: str) -> sa.ForeignKeyConstraint:
    """*column* names a row of *table*: PostgreSQL asks for all rows of a statement at once, see `rules`."""
    return sa.ForeignKeyConstraint([column], [f"{table}.id"]).ddl_if(dialect="sqlite")


def some(name: str, *columns: str, where: str) -> sa.Index:
    """An index of the rows that meet *where* alone."""
    return sa.Index(name, *columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
