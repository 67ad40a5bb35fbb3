"""How soon contacts are answered: for each week and owner, against the targets of plan/answers.yaml."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from vinculo.conversation.clock import elapsed
from vinculo.conversation.view import owner_column
from vinculo.db.tables import contact, conversation
from vinculo.project import Project

_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Week:
    """An owner's conversations that were opened in the week from *monday* on. Hours are the company's, if it has any.

    *in_time*: how many had a person's first answer, and *resolved_in_time* how many were closed, within the target.
    *late*: how many wait for either and are beyond it. A median of none is None.
    """

    monday: date
    owner: str
    opened: int
    answered: int
    in_time: int
    first_response: float | None
    closed: int
    resolved_in_time: int
    resolution: float | None
    late: int


def pace(db: sa.Connection, project: Project, now: datetime, *, weeks: int = 12) -> list[Week]:
    """Return the last *weeks*, this one among them, newest first; within a week by owner."""
    home = ZoneInfo(project.settings.company.timezone)
    today = now.astimezone(home).date()
    first = today - timedelta(days=today.weekday(), weeks=weeks - 1)
    c = conversation.c
    ask = sa.select(c.topic, c.opened_at, c.answered_at, c.closed_at, c.state, owner_column(project).label("owner"))
    ask = ask.join(contact, contact.c.id == c.contact_id)
    since = datetime.combine(first, time(), home)
    groups: dict[tuple[date, str], list[Any]] = defaultdict(list)
    for row in db.execute(ask.where(c.opened_at >= since)):
        day = row.opened_at.astimezone(home).date()
        groups[day - timedelta(days=day.weekday()), row.owner].append(row)
    made = [_week(project, monday, owner, rows, now) for (monday, owner), rows in groups.items()]
    return sorted(made, key=lambda week: (-week.monday.toordinal(), week.owner))


def _week(project: Project, monday: date, owner: str, rows: Sequence[Any], now: datetime) -> Week:
    answers, zone = project.answers, project.settings.company.timezone
    first: list[tuple[float, bool]] = []
    whole: list[tuple[float, bool]] = []
    late = 0
    for row in rows:
        target = answers.target_of(row.topic)
        for end, allowed, taken in (
            (row.answered_at, target.first_response, first),
            (row.closed_at, target.resolution, whole),
        ):
            if end is not None:
                time_taken = elapsed(row.opened_at, end, answers.hours, zone)
                taken.append((time_taken.total_seconds() / _HOUR, time_taken <= allowed))
        if row.state != "closed":  # nobody asks for how long one was open that is closed: years have many hours
            allowed = target.first_response if row.answered_at is None and row.state == "open" else target.resolution
            late += elapsed(row.opened_at, now, answers.hours, zone) > allowed
    return Week(
        monday, owner, len(rows), len(first), sum(held for _, held in first), _median(first),
        len(whole), sum(held for _, held in whole), _median(whole), late,
    )  # fmt: skip


def _median(taken: Sequence[tuple[float, bool]]) -> float | None:
    return round(median(hours for hours, _ in taken), 2) if taken else None
