"""What a report is about: deliveries, and the answers to them, each found by an index of its own.

A campaign of years has millions of deliveries. They are counted in one pass; what else is asked, is asked of the
answers and of the purchases, which are few.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from vinculo.db.tables import contact, delivery, fact, interaction, occurrence
from vinculo.model import EventKind


@dataclass(frozen=True, slots=True)
class Scope:
    """A campaign, or one occurrence of it."""

    campaign: str
    occurrence: str = ""

    def of(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """The rows of *table* that are its."""
        mine = table.c.campaign == self.campaign
        return mine & (table.c.occurrence == self.occurrence) if self.occurrence else mine

    def answers(self, *columns: Any) -> sa.Select[Any]:
        """Select *columns* of what came back, in the history; not that messages were sent or delivered."""
        return with_answers(sa.select(*columns).where(self.of(interaction)))

    def ran(self) -> sa.ColumnElement[bool]:
        """The rows of `occurrence` that are its and have deliveries."""
        d, o = delivery.c, occurrence.c
        return self.of(occurrence) & sa.exists().where(d.campaign == o.campaign, d.occurrence == o.occurrence)


class Alike(NamedTuple):
    """So many deliveries that a report does not tell apart. *addressed*: they have, or had, an address to go to."""

    state: str
    reason: str
    variant: str
    addressed: bool
    number: int
    #: When the first of them left, or would have left.
    since: datetime


def alike(db: sa.Connection, scope: Scope) -> list[Alike]:
    """Count the deliveries of *scope* by kind, in their order, as of one moment: they may be on their way."""
    d, empty = delivery.c, sa.literal_column("''", sa.Text)
    kind = d.state, d.reason, d.variant, d.address != empty
    left = sa.func.coalesce(d.submitted_at, d.due_at)
    if db.dialect.name == "sqlite":
        return _looked_twice(db, scope, kind, left)
    ask = sa.select(*kind, sa.func.count(), sa.func.min(left)).where(scope.of(delivery)).group_by(*kind)
    return sorted(Alike._make(row) for row in db.execute(ask))


def _looked_twice(
    db: sa.Connection, scope: Scope, kind: tuple[sa.ColumnElement[Any], ...], left: sa.ColumnElement[Any]
) -> list[Alike]:
    """First which kinds there are, then of each how many: SQLite sorts all that it groups, which takes longer.

    Of its transactions each sees one moment; on PostgreSQL a kind may be gone at the second look.
    """
    kinds = sorted(tuple(row) for row in db.execute(sa.select(*kind).where(scope.of(delivery)).distinct()))
    columns: list[sa.ColumnElement[Any]] = []
    for values in kinds:
        mine = sa.and_(*(column == value for column, value in zip(kind, values, strict=True)))
        columns += [sa.func.sum(sa.case((mine, 1), else_=0)), sa.func.min(sa.case((mine, left)))]
    if not kinds:
        return []
    found = db.execute(sa.select(*columns).where(scope.of(delivery))).one()
    return [Alike._make((*one, found[2 * at], found[2 * at + 1])) for at, one in enumerate(kinds)]


def with_answers(ask: sa.Select[Any]) -> sa.Select[Any]:
    """*ask*, which names campaigns, by the index of answers. It has each answer to a delivery, for it names both."""
    i, empty = interaction.c, sa.literal_column("''", sa.Text)
    # In the words of its index, which SQLite cannot tell from parameters.
    ours = (i.kind != sa.literal_column(f"'{kind.value}'", sa.Text) for kind in (EventKind.SENT, EventKind.DELIVERED))
    return ask.where(i.campaign != empty, *ours, i.delivery_id.is_not(None))


def did_since(kind: EventKind, since: Any) -> sa.Select[Any]:
    """The contacts who may have done *kind* at *since* or later: by their facts, and all who have none, the erased."""
    f, c = fact.c, contact.c
    lately = sa.select(f.contact_id).where(f.kind == kind, f.at_1 >= since)
    return sa.select(sa.union_all(lately, sa.select(c.id).where(c.erased_at.is_not(None))).subquery().c.contact_id)


def seen_by_a_person() -> sa.ColumnElement[bool]:
    """An opening or a click that no program did."""
    return sa.func.coalesce(interaction.c.data["class"].as_string(), "human") == "human"
