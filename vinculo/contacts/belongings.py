"""Every table with rows about a contact, and what becomes of them when contacts are joined, parted or erased.

A table that is missing here would keep a person who was erased: a test compares this list with `db/tables`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo.db import tables as t
from vinculo.db.tables import metadata


@dataclass(frozen=True, slots=True)
class Belonging:
    """A table of rows about a contact.

    *moves*: the rows follow a contact that becomes part of another. *distinct*: what no two rows of one contact have in
    common; a row that the other has already does not move. *stays*: what does not move stays with the empty row that
    the contact leaves, which is exported and erased together with the one that it became part of; else it is put away
    until the two are parted. *derived*: worked out from other rows, and so again. *blank*: what erasing writes over
    what it finds, given the moment, where the row must stay to be counted; None: the row goes.
    """

    table: sa.Table
    moves: bool = True
    distinct: tuple[str, ...] = ()
    stays: bool = False
    derived: bool = False
    blank: Callable[[datetime], dict[str, Any]] | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that name one row among those of a contact."""
        return tuple(column.name for column in self.table.primary_key if column.name != "contact_id")

    def of(self, *contact_ids: int) -> sa.ColumnElement[bool]:
        """The rows of these contacts."""
        return self.table.c.contact_id.in_(contact_ids)


def _words(**values: Any) -> Callable[[datetime], dict[str, Any]]:
    return lambda _: values


def _closed(now: datetime) -> dict[str, Any]:
    closed_at = t.conversation.c.closed_at
    return {"subject": "", "state": "closed", "closed_at": sa.func.coalesce(closed_at, sa.literal(now, closed_at.type))}


#: An id of an event may be an address or a message's; the row's own number keeps it the only one.
EVENT_ID = sa.literal("erased-").concat(sa.cast(t.inbound.c.id, sa.Text))
#: In an order in which rows may be deleted: `permission` names a consent, a turn its conversation. Consents move first,
#: for deliveries rest on them.
BELONGINGS = (
    Belonging(t.permission, moves=False, derived=True),
    Belonging(t.consent),
    Belonging(t.confirmation),
    Belonging(t.address, distinct=("channel", "value")),
    Belonging(t.identifier, distinct=("system", "value")),
    Belonging(t.alias),
    Belonging(t.tag, distinct=("name",)),
    Belonging(t.preference, moves=False),
    Belonging(t.score, moves=False),
    Belonging(t.fact, moves=False, derived=True),
    Belonging(t.point, distinct=("reason", "reference")),
    Belonging(t.journey, distinct=("name", "entered_at")),
    Belonging(t.turn),
    Belonging(t.conversation, blank=_closed),
    Belonging(t.inbound, blank=_words(raw=b"", event_id=EVENT_ID)),
    Belonging(t.interaction, blank=_words(summary="", data={}, event_id="")),
    Belonging(
        t.delivery,
        distinct=("campaign", "occurrence"),
        stays=True,
        blank=_words(address="", provider_id="", response=""),
    ),
    Belonging(t.merging, moves=False, stays=True, blank=_words(reason="", undone_reason="", before={})),
)


def uncovered() -> set[str]:
    """Return the tables with a `contact_id` that this list forgets: there must be none."""
    named = {each.table.name for each in BELONGINGS}
    return {table.name for table in metadata.sorted_tables if "contact_id" in table.c} - named
