"""Recurrence rules of iCalendar (RFC 5545 §3.3.10) by python-dateutil, on the wall clock.

dateutil is silently wrong on a few combinations (libical's vectors, tests/unit/schedule/test_rule.py, found them).
Those are refused with what to write instead: a newsletter on the wrong day is worse than an error message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from dateutil.rrule import rrulestr

from vinculo.errors import UsageError, did_you_mean

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
_DAY = f"({'|'.join(_DAYS)})"
_NUMBERED = rf"([+-]?([1-5]\d|[1-9]))?{_DAY}"
_TIMES = (r"0*[1-9]\d{0,4}", "Write a number from 1.")
#: What a part's value looks like, and what to write when it does not.
_VALUES = {
    "FREQ": ("|".join(_FREQUENCIES), "Write YEARLY, MONTHLY, WEEKLY, DAILY or HOURLY."),
    "INTERVAL": _TIMES,
    "COUNT": _TIMES,
    "UNTIL": (r"\d{8}(T\d{6})?Z?", "Write UNTIL=20261224."),
    "WKST": (_DAY, "Write MO or SU."),
    "BYDAY": (
        rf"{_NUMBERED}(,{_NUMBERED})*",
        "Write MO, TU, WE, TH, FR, SA, SU; 1MO is the first Monday.",
    ),
}
#: Lists of numbers: the smallest and the largest. 0 counts only where it is the smallest.
_RANGES = {
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYSETPOS": (-366, 366),
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSECOND": (0, 59),
}
_PARTS = (*_VALUES, *_RANGES)
_MONTHS = {month: 29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31 for month in range(1, 13)}


class Rule(NamedTuple):
    """The parts of a rule, by name, as written."""

    parts: dict[str, str]

    @property
    def frequency(self) -> str:
        return self.parts["FREQ"]

    @property
    def needs_start(self) -> bool:
        """Whether the rule means nothing without a first day: it counts from there, or takes its day from there."""
        counted = "COUNT" in self.parts or int(self.parts.get("INTERVAL", 1)) != 1
        days = self.parts.keys() & {"BYDAY", "BYMONTHDAY", "BYYEARDAY"}
        return counted or (not days and self.frequency in ("YEARLY", "MONTHLY", "WEEKLY"))

    def numbers(self, name: str) -> list[int]:
        """The values of a part that is a list of numbers."""
        return [int(number) for number in self.parts[name].split(",")] if name in self.parts else []

    def __str__(self) -> str:
        return ";".join(f"{name}={value}" for name, value in self.parts.items())


def parse(text: str) -> Rule:
    """Read a rule, e.g. `FREQ=MONTHLY;BYDAY=1TU`. Raises `UsageError` for what is wrong or not got right."""
    body = text.strip().upper().removeprefix("RRULE:").rstrip(";")
    parts: dict[str, str] = {}
    for piece in body.split(";"):
        name, equals, value = piece.partition("=")
        if not equals or not value:
            raise UsageError(f"`{piece}` is no part of a rule", "Write `NAME=VALUE` with `;` between.")
        if name in parts:
            raise UsageError(f"`{name}` stands twice in the rule", "Write its values once, with `,` between.")
        parts[name] = value
    rule = Rule(parts)
    _known(rule)
    _valid(rule)
    _got_right(rule)
    return rule


def _known(rule: Rule) -> None:
    for name in rule.parts:
        if name not in _PARTS:
            raise UsageError(f"`{name}` is not supported in a rule", did_you_mean(name, _PARTS))
    if "FREQ" not in rule.parts:
        raise UsageError(f"`{rule}` does not say how often", "Begin with FREQ=MONTHLY;, for example.")


def _valid(rule: Rule) -> None:
    for name, value in rule.parts.items():
        pattern, remedy = _VALUES.get(name, (r"[+-]?\d{1,3}(,[+-]?\d{1,3})*", "Write numbers with `,` between."))
        if not re.fullmatch(pattern, value):
            raise UsageError(f"{name}={value} cannot be read", remedy)
        if name in _RANGES and not _in_range(rule.numbers(name), *_RANGES[name]):
            raise UsageError(f"{name}={value} is out of range", f"Write numbers up to {_RANGES[name][1]}.")


def _in_range(numbers: list[int], smallest: int, largest: int) -> bool:
    return all(smallest <= number <= largest and (number or not smallest) for number in numbers)


def _got_right(rule: Rule) -> None:
    for holds, message, remedy in _REFUSED:
        if holds(rule):
            raise UsageError(message.format(frequency=rule.frequency), remedy)


def _numbered(rule: Rule) -> bool:
    return any(day[0] in "+-123456789" for day in rule.parts.get("BYDAY", "MO").split(","))


def _beside_weeks(rule: Rule) -> bool:
    others = rule.parts.keys() & {"BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYSETPOS"}
    return "BYWEEKNO" in rule.parts and (rule.parts.get("INTERVAL", "1") != "1" or bool(others))


def _no_such_date(rule: Rule) -> bool:
    months, days = rule.numbers("BYMONTH"), rule.numbers("BYMONTHDAY")
    return bool(months and days) and min(map(abs, days)) > max(_MONTHS[month] for month in months)


#: What RFC 5545 §3.3.10 forbids or leaves open, and what dateutil gets wrong: when, why, what to write instead.
_REFUSED: tuple[tuple[Callable[[Rule], bool], str, str], ...] = (
    (
        lambda r: _numbered(r) and r.frequency not in ("YEARLY", "MONTHLY"),
        "BYDAY with a number has no meaning with FREQ={frequency}",
        "Use FREQ=MONTHLY, or a weekday without a number.",
    ),
    (
        lambda r: "BYMONTHDAY" in r.parts and r.frequency == "WEEKLY",
        "BYMONTHDAY has no meaning with FREQ=WEEKLY",
        "Use FREQ=MONTHLY.",
    ),
    (
        lambda r: "BYYEARDAY" in r.parts and r.frequency in ("DAILY", "WEEKLY", "MONTHLY"),
        "BYYEARDAY has no meaning with FREQ={frequency}",
        "Use FREQ=YEARLY.",
    ),
    (  # dateutil takes every month, libical the month of DTSTART
        lambda r: r.frequency == "YEARLY" and "BYMONTHDAY" in r.parts and "BYMONTH" not in r.parts,
        "BYMONTHDAY in a yearly rule does not say which month",
        "Add BYMONTH, e.g. FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28; or use FREQ=MONTHLY.",
    ),
    (  # dateutil takes every day of the week, the RFC the weekday of DTSTART
        lambda r: "BYWEEKNO" in r.parts and (r.frequency != "YEARLY" or "BYDAY" not in r.parts or _numbered(r)),
        "BYWEEKNO does not say which day",
        "Use FREQ=YEARLY and add BYDAY with weekdays, e.g. FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO.",
    ),
    (  # a week that belongs to two years is counted with the wrong one
        _beside_weeks,
        "BYWEEKNO beside INTERVAL, BYMONTH, BYMONTHDAY, BYYEARDAY or BYSETPOS is not reliable",
        "Use BYWEEKNO with BYDAY alone.",
    ),
    (  # dateutil cuts the first week off at DTSTART before it counts the positions
        lambda r: "BYSETPOS" in r.parts and r.frequency == "WEEKLY",
        "BYSETPOS is not reliable with FREQ=WEEKLY",
        "Name the weekdays themselves in BYDAY.",
    ),
    (
        _no_such_date,
        "no month of BYMONTH has a day of BYMONTHDAY",
        "BYMONTHDAY=-1 is the last day of a month.",
    ),
    (
        lambda r: "BYSETPOS" in r.parts and sum(name.startswith("BY") for name in r.parts) == 1,
        "BYSETPOS has nothing to choose from",
        "Add BYDAY, e.g. FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1 for the last weekday.",
    ),
)


def dates(rule: Rule, start: datetime, *, after: datetime, before: datetime) -> Iterator[datetime]:
    """Every wall clock of *rule* in [*after*, *before*), the rule beginning at *start*. All naive.

    *before* bounds the search too: a rule that never comes true ends there and not in the year 9999. An UNTIL is
    read on the wall clock, with or without its `Z`.
    """
    parts = {name: value.removesuffix("Z") for name, value in rule.parts.items() if name != "COUNT"}
    until = parts.setdefault("UNTIL", f"{before:%Y%m%dT%H%M%S}")
    parts["UNTIL"] = min(until, f"{before:%Y%m%dT%H%M%S}")
    try:
        found = rrulestr(str(Rule(parts)), dtstart=start)
    except ValueError as error:
        raise UsageError(f"`{rule}` is no rule: {error}", "Write for example FREQ=MONTHLY;BYDAY=1TU.") from None
    count = int(rule.parts["COUNT"]) if "COUNT" in rule.parts else None
    return (local for local in islice(found, count) if after <= local < before)
