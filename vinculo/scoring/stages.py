"""The stages of the life cycle: one readable table, the same in the database and in the documentation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import score

_Columns = Any


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: its name, its rule in words, and the rule over the columns of table `score`."""

    name: str
    words: str
    rule: Callable[[_Columns], sa.ColumnElement[bool]]


#: The first rule that holds decides. `recency` is in days; r, f and m are fifths, 5 the best.
STAGES = (
    Stage("lead", "has never bought", lambda s: s.frequency == 0),
    Stage("dormant", "last bought more than 365 days ago", lambda s: s.recency > 365),
    Stage(
        "at_risk",
        "bought 2 times or more, the last time more than 180 days ago",
        lambda s: (s.frequency >= 2) & (s.recency > 180),
    ),
    Stage(
        "champion",
        "bought 4 times or more, and is in the best two fifths by recency, frequency and value",
        lambda s: (s.frequency >= 4) & (s.r >= 4) & (s.f >= 4) & (s.m >= 4),
    ),
    Stage("loyal", "bought 3 times or more", lambda s: s.frequency >= 3),
    Stage("new", "bought once, at most 90 days ago", lambda s: (s.frequency == 1) & (s.recency <= 90)),
    Stage("active", "everyone else who bought in the last 365 days", lambda _: sa.true()),
)


def stage() -> sa.ColumnElement[str]:
    """The stage of a row of table `score`."""
    return sa.case(*((each.rule(score.c), sa.literal(each.name)) for each in STAGES))
