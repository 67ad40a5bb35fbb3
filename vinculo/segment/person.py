"""Whom a condition is about: a row of `contact`, or a row of `fact` that stands for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import contact

Boolean = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Person:
    """The contact that a query is at. *id*: its number. *facts*: the rows of `fact`, by kind of event, that the query
    is at as well, and of which it has made sure that nothing in them came after the moment of asking.
    """

    id: sa.ColumnElement[int] = field(default_factory=lambda: contact.c.id)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def has(self, table: Any, *conditions: Boolean) -> Boolean:
        """Whether there is a row of *table* about this contact that meets *conditions*: never NULL."""
        return sa.exists().where(table.c.contact_id == self.id, *conditions).correlate_except(table)
