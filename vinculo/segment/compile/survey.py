"""The answer to a survey, as the history keeps it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

#: Every answer that a scale has: 0 to 10. Other systems tell us of answers too, and call anything a score.
_ANSWERS = [str(number) for number in range(11)]


def scored(data: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """The score in *data* of a line of the history; NULL where it is no answer that a scale has."""
    said = sa.cast(data["score"].as_string(), sa.Text)
    return sa.case((said.in_(_ANSWERS), sa.cast(said, sa.Integer)))
