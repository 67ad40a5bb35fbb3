"""A large audience in parts, that two cores work on it: only on SQLite, see `vinculo.db.ahead`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from vinculo.audience.allocation import shared_addresses
from vinculo.audience.reach import alone
from vinculo.db import ahead
from vinculo.db.tables import address, contact
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
    if not ahead.possible(db):
        return False
    low, high = _ends(db)
    names = campaign.segment, *campaign.exclude
    return high - low >= MANY and all(alone(compile_segment(project.segments, name, moment)) for name in names)


def divided(db: sa.Connection, campaign: Campaign, ask: Callable[..., sa.Select[Any]]) -> ahead.Answers:
    """Yield questions with, in all, the rows of *ask* (`allocate`, with whatever it needs); see `ahead.divided`.

    Whoever shares an address with another is asked for in one part: of all others nobody is the second to have it.
    """
    c, (low, high) = contact.c, _ends(db)

    def part(sharing: sa.Table | None, ends: ahead.Ends | None) -> sa.Select[Any]:
        if sharing is None:
            return ask()
        shares = c.id.in_(sa.select(sharing.c.contact_id))
        if ends is None:
            return ask(part=shares)
        return ask(part=sa.and_(c.id >= ends[0], c.id < ends[1], sa.not_(shares)), apart=True)

    return ahead.divided(db, _sharing(campaign), (low, high + 1), part)


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
