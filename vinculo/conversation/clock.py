"""Time as the company counts it: only the hours in which somebody is there to answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import get_args
from zoneinfo import ZoneInfo

from vinculo.project.answers import Day, Hours

_DAYS = get_args(Day)
#: Nobody is told how many working hours a year has: beyond it, a year is long enough.
_FURTHEST = 400


def elapsed(start: datetime, end: datetime, hours: Hours | None, zone: str) -> timedelta:
    """How much of the time from *start* to *end* counts."""
    if hours is None or end <= start:
        return max(end - start, timedelta(0))
    total = timedelta(0)
    for opens, shuts in _shifts(start, hours, zone):
        if opens >= end:
            break
        total += max(min(shuts, end) - max(opens, start), timedelta(0))
    return total


def due(start: datetime, target: timedelta, hours: Hours | None, zone: str) -> datetime:
    """When *target* is over that began at *start*."""
    if hours is None:
        return start + target
    left = target
    for opens, shuts in _shifts(start, hours, zone):
        begin = max(opens, start)
        if shuts - begin >= left:
            return begin + left
        left -= max(shuts - begin, timedelta(0))
    return start + timedelta(days=_FURTHEST)


def _shifts(start: datetime, hours: Hours, zone: str) -> Iterator[tuple[datetime, datetime]]:
    """The hours of each working day from *start*'s on, as instants."""
    home, open_days = ZoneInfo(zone), {_DAYS.index(day) for day in hours.days}
    first = start.astimezone(home).date()
    for number in range(_FURTHEST):
        day = first + timedelta(days=number)
        if day.weekday() in open_days:
            opens, shuts = _at(day, hours.from_, zone), _at(day, hours.to, zone)
            if shuts > start:
                yield opens, shuts


@lru_cache(maxsize=4096)  # conversations of the same days ask for the same hours
def _at(day: date, clock: str, zone: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), ZoneInfo(zone)).astimezone(UTC)
