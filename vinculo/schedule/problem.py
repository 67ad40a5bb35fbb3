"""What is wrong with a `when:`, all of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, time, timedelta

from vinculo.errors import UsageError
from vinculo.schedule.occurrence import EPOCH, wall_clocks
from vinculo.schedule.when import When
from vinculo.schedule.zone import CONTACT, check

#: Long enough for a 29 February.
_FAR = timedelta(days=366 * 9)
_SOURCES = ("every", "rrule", "cron", "on")
Trouble = tuple[tuple[str, ...], str, str]


def problems(when: When) -> list[Trouble]:
    """Every problem of *when*: (path inside it, message, remedy)."""
    given = [name for name in _SOURCES if getattr(when, name) is not None]
    found = [*_zone(when), *_window(when)]
    if len(given) != 1:
        remedy = "Keep exactly one of `every:`, `rrule:`, `cron:`, `on:`."
        return [*found, ((), f"when: has {' and '.join(given) or 'no recurrence'}", remedy)]
    if given == ["cron"]:
        found += _cron(when)
    return found or _source(when, given[0])


def _zone(when: When) -> list[Trouble]:
    if when.timezone in ("", CONTACT):
        return []
    return _raised(lambda: check(when.timezone), "timezone")


def _window(when: When) -> list[Trouble]:
    if when.from_ and when.until and when.from_ > when.until:
        return [(("until",), f"until: {when.until} is before from: {when.from_}", "Swap them, or take one away.")]
    return []


def _cron(when: When) -> list[Trouble]:
    fields = (when.cron or "").upper().split()
    if len(fields) != 5:
        return [
            (("cron",), f"`{when.cron}` has not five fields", "Write minute, hour, day, month, weekday: `0 9 * * 2`.")
        ]
    found: list[Trouble] = []
    if "at" in when.model_fields_set:
        found.append((("at",), "a cron rule has its own time", "Take `at:` away, or use `every:`."))
    day, weekday = fields[2], fields[4]
    if "W" in day or re.search(r"\dL|L\d", weekday):
        found.append((("cron",), "Prefect does not know this form of L and W", "Use `every: month on last friday`."))
    if "*" not in (day, weekday) and (day + weekday).count("*"):
        remedy = "Restrict one of the two, or use `rrule:`."
        found.append((("cron",), f"day `{day}` with weekday `{weekday}` means two things in two programs", remedy))
    return found


def _source(when: When, name: str) -> list[Trouble]:
    """The rule itself: can it be read, and does it ever come true?"""
    start = datetime.combine(when.from_ or EPOCH, time.min)
    if name == "on":
        start = datetime.min  # noqa: DTZ901 - a wall clock
    seen: list[datetime] = []

    def look() -> None:
        seen.extend(local for local, _ in zip(wall_clocks(when, start, _end(start)), range(1), strict=False))

    found = _raised(look, name)
    if found or seen:
        return found
    return [((name,), "this never occurs", "Look at the rule, `from:` and `until:`.")]


def _end(start: datetime) -> datetime:
    return datetime.max if start == datetime.min else start + _FAR  # noqa: DTZ901 - wall clocks


def _raised(ask: Callable[[], None], name: str) -> list[Trouble]:
    try:
        ask()
    except UsageError as error:
        return [((name,), error.message, error.remedy)]
    return []
