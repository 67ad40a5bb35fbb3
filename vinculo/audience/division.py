"""A large audience in parts, that two cores work on it: see `vinculo.db.ahead` (SQLite), `vinculo.db.relay`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import sqlalchemy as sa

from vinculo.audience.allocation import shared_addresses
from vinculo.audience.part import Part
from vinculo.audience.reach import alone
from vinculo.db import ahead, relay
from vinculo.db.tables import address, contact, delivery
from vinculo.model import Moment
from vinculo.project import Project
from vinculo.project.schema import Campaign
from vinculo.segment import compile_segment

#: For fewer contacts a second connection costs more than it gains.
MANY = 100_000


def divisible(db: sa.Connection, project: Project, campaign: Campaign, moment: Moment) -> bool:
    """Whether the audience may be worked out in parts, and is large enough.

    Not of segments that ask more than the contacts' own rows: to ask them again for each part would take longer.
    """
    if not ahead.possible(db) and not relay.possible(db):
        return False
    low, high = _ends(db)
    names = campaign.segment, *campaign.exclude
    return high - low >= MANY and all(alone(compile_segment(project.segments, name, moment)) for name in names)


def divided(
    db: sa.Connection, campaign: Campaign, ask: Callable[..., sa.Select[Any]],
    entries: Callable[[sa.Select[Any]], sa.Select[Any]],
) -> Generator[sa.Select[Any] | relay.Rows, None, None]:  # fmt: skip
    """Yield questions with, in all, the rows of *ask* (`allocate`, with whatever it needs); see `ahead.divided`.

    On PostgreSQL rows of the ledger, as *entries* makes them; see `relay.divided`. Whoever shares an address with
    another is asked for in one part: of all others nobody is the second to have it.
    """
    low, high = _ends(db)
    span, first = (low, high + 1), _sharing(campaign)
    if db.dialect.name == "sqlite":
        return ahead.divided(db, first, span, lambda sharing, ends: _part(ask, sharing, ends))
    return relay.divided(db, delivery, first, span, lambda sharing, ends: _part(ask, sharing, ends, told=True), entries)


def _part(
    ask: Callable[..., sa.Select[Any]], sharing: sa.FromClause | None, ends: ahead.Ends | None, *, told: bool = False
) -> sa.Select[Any]:
    """The rows of those who share an address, of the others between *ends*, or of all; *told*: of each table, where."""
    if sharing is None:
        return ask()
    number = contact.c.id
    shares = number.in_(sa.select(sharing.c.contact_id))
    if ends is None:
        return ask(part=Part(shares, shares=True))
    held = sa.and_(number >= ends[0], number < ends[1], sa.not_(shares))
    return ask(part=Part(held, shares=False, ends=ends if told else None))


def _ends(db: sa.Connection) -> tuple[int, int]:
    """The least and the greatest number of a contact."""
    least, greatest = (sa.select(which(contact.c.id)).scalar_subquery() for which in (sa.func.min, sa.func.max))
    low, high = db.execute(sa.select(least, greatest)).one()
    return low or 0, high or 0


def _sharing(campaign: Campaign) -> sa.Select[Any]:
    """The contacts who have an address that another has, too."""
    a, shared = address.c, shared_addresses(campaign.channels)
    here = sa.and_(a.channel == shared.c.channel, a.value == shared.c.value)
    # An outer join, so that SQLite begins with what is shared: there may be nothing.
    return sa.select(a.contact_id).select_from(shared.outerjoin(address, here)).distinct()
