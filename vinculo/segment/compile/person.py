"""Whom a condition is about: a row of `contact`, or a row of another table that stands for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from vinculo.db.tables import contact
from vinculo.segment.read.tree import Condition

Boolean = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Person:
    """The contact that a query is at. *id*: its number. *facts*: the rows of `fact`, by kind of event, that the query
    is at as well; *sure*: nothing in them came after the moment of asking. *score*: the row of `score`, where it is at
    one. *granted*: the condition that the query has made sure of.

    *share*: about which share of all contacts the query comes by; *scattered*: not in the order of their numbers.
    """

    id: sa.ColumnElement[int] = field(default_factory=lambda: contact.c.id)
    facts: Mapping[str, Any] = field(default_factory=dict)
    sure: bool = False
    score: Any = None
    granted: Condition | None = None
    share: float = 1
    scattered: bool = False

    def has(self, table: Any, *conditions: Boolean) -> Boolean:
        """Whether there is a row of *table* about this contact that meets *conditions*: never NULL."""
        return sa.exists().where(table.c.contact_id == self.id, *conditions).correlate_except(table)

    def is_among(self, table: Any, *conditions: Boolean, share: float) -> Boolean:
        """The same, where an index finds all such rows, and about *share* of all contacts has one."""
        exists = self.has(table, *conditions)
        # What it costs to look one contact up; and to put one into a set, and find one there: us, measured on SQLite.
        looking, setting = (4.0 if self.scattered else 0.3) * self.share, 1.0 * share + 0.15 * self.share
        if setting > looking:
            return exists
        return Either(exists, self.id.in_(sa.select(table.c.contact_id).where(*conditions)))


def gone() -> sa.Select[tuple[int]]:
    """Who is erased: few, and in an index of their own."""
    return sa.select(contact.c.id).where(contact.c.erased_at.is_not(None)).correlate(None)


class Either(FunctionElement[bool]):
    """One condition in two forms, for PostgreSQL and for SQLite: such as EXISTS for the one, which makes the join of it
    that it likes best, and for the other, which does not, IN over a set that is made once.
    """

    type = sa.Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Either:  # noqa: ARG002 - it has its brackets, and is no `= 1`
        """Return itself."""
        return self


class Unindexed(FunctionElement[Any]):
    """A column that SQLite is not to search by: an index of countries is as long as the table of contacts."""

    inherit_cache = True

    def __init__(self, column: sa.ColumnElement[Any]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(Unindexed)
def _unindexed(element: Any, compiler: Any, **options: Any) -> str:
    text: str = compiler.process(element.clauses, **options)
    return f"+{text}" if compiler.dialect.name == "sqlite" else text


@compiles(Either)
def _either(element: Any, compiler: Any, **options: Any) -> str:
    postgresql, sqlite = element.clauses
    return f"({compiler.process(sqlite if compiler.dialect.name == 'sqlite' else postgresql, **options)})"
