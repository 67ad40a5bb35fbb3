"""How a contact answered about a topic, as conditions on the rows of permissions."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from vinculo.model import Moment
from vinculo.segment.compile.person import Boolean
from vinculo.segment.read.tree import Consented


def answered(rows: Any, said: Consented, moment: Moment) -> tuple[Boolean, ...]:
    """The conditions under which a row of *rows* is such an answer; for the state `none`: any answer."""
    p = rows.c
    # Who said no to everything has answered about this, too.
    topic = p.topic.in_([said.topic, ""]) if said.state == "none" else p.topic == said.topic
    about = (topic, *((p.channel == said.channel,) if said.channel else ()))
    live = sa.or_(p.expires_at.is_(None), p.expires_at > moment.now)
    states: dict[str, tuple[Boolean, ...]] = {
        "given": (p.granted.is_(sa.true()), live),
        "withdrawn": (p.granted.is_(sa.false()),),
        "expired": (p.granted.is_(sa.true()), sa.not_(live)),
        "none": (),
    }
    return (*about, *states[said.state])
