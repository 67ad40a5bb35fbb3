"""How a contact answered about a topic, as conditions on the rows of permissions."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import permission
from vinculo.model import Moment
from vinculo.segment.compile.person import Boolean
from vinculo.segment.read.tree import Consented


def answered(rows: Any, said: Consented, moment: Moment) -> tuple[Boolean, ...]:
    """The conditions under which a row of *rows* is such an answer; for the state `none`: any answer. A contact has one
    such row on a channel at most, but for `none`.
    """
    one, *more = answers(rows, said, moment)
    return one if not more else (sa.or_(*(sa.and_(*each) for each in (one, *more))),)


def answers(rows: Any, said: Consented, moment: Moment) -> list[tuple[Boolean, ...]]:
    """The same in parts that no row meets two of: each is found by one look at its rows."""
    p = rows.c
    live = sa.or_(p.expires_at.is_(None), p.expires_at > moment.now)
    # Expired is not `NOT live`, of which PostgreSQL expects a tenth of what it finds.
    states: dict[str, tuple[Boolean, ...]] = {
        "given": (p.granted.is_(sa.true()), live),
        "withdrawn": (p.granted.is_(sa.false()),),
        "expired": (p.granted.is_(sa.true()), p.expires_at <= moment.now),
        "none": (),
    }
    about = (*((p.channel == said.channel,) if said.channel else ()), *states[said.state])
    # Who said no to everything has answered about this, too: no, where nothing else is known of it.
    if said.state == "none":
        return [(p.topic.in_([said.topic, ""]), *about)]
    own = (p.topic == said.topic, *about)
    return [own, (p.topic == "", *about, ~_answers(rows, said.topic))] if said.state == "withdrawn" else [own]


def _answers(rows: Any, topic: str) -> Boolean:
    """On that channel there is an answer about *topic* itself."""
    own = permission.alias("own")
    here = (own.c.contact_id == rows.c.contact_id, own.c.channel == rows.c.channel, own.c.topic == topic)
    return sa.exists().where(*here).correlate_except(own)
