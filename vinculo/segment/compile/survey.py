"""The answer to a survey, as the history keeps it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import interaction
from vinculo.model import EventKind, Moment

#: Every answer that a scale has: 0 to 10. Other systems tell us of answers too, and call anything a score.
_ANSWERS = [str(number) for number in range(11)]


def scored(data: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """The score in *data* of a line of the history; NULL where it is no answer that a scale has."""
    said = sa.cast(data["score"].as_string(), sa.Text)
    return sa.case((said.in_(_ANSWERS), sa.cast(said, sa.Integer)))


def last(scale: str, whose: Any, moment: Moment) -> sa.ScalarSelect[int]:
    """The last answer of *whose* on *scale*; one that names none is `nps`, as in reports. NULL where there is none."""
    i = interaction.c
    score = scored(i.data)
    answers = sa.select(score).where(
        i.contact_id == whose,
        i.kind == EventKind.SURVEYED.value,
        i.at <= moment.now,
        sa.func.coalesce(i.data["kind"].as_string(), "nps") == scale,
        score.is_not(None),
    )
    return answers.order_by(i.at.desc(), i.id.desc()).limit(1).correlate_except(interaction).scalar_subquery()
