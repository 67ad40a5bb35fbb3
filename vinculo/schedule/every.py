"""The words of `every:` → a recurrence rule. English, Portuguese and Spanish words are the same words.

day · 3 days · weekday · weekend · tuesday · monday, thursday · terça · 2 weeks on tuesday
month on 1 · month on last · month on first monday · 3 months on 1, 15 · year on 12-24
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

from vinculo.errors import UsageError, did_you_mean

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_LAST = -1
_WEEKDAYS = {
    "MO": "monday mon segunda lunes",
    "TU": "tuesday tue terca martes",
    "WE": "wednesday wed quarta miercoles",
    "TH": "thursday thu quinta jueves",
    "FR": "friday fri sexta viernes",
    "SA": "saturday sat sabado",
    "SU": "sunday sun domingo",
}
_DAY_WORDS = {word: (day,) for day, words in _WEEKDAYS.items() for word in words.split()} | {
    "weekday": DAYS[:5],
    "weekend": DAYS[5:],
}
_UNITS = {
    word: unit
    for unit, words in {
        "DAILY": "day dia",
        "WEEKLY": "week semana",
        "MONTHLY": "month mes meses",
        "YEARLY": "year ano",
    }.items()
    for word in words.split()
}
_ORDINALS = {
    word: number
    for number, words in {
        1: "first 1st primeiro primeira primer primera",
        2: "second 2nd segundo segunda",
        3: "third 3rd terceiro terceira tercer tercera",
        4: "fourth 4th quarto quarta cuarto cuarta",
        _LAST: "last ultimo ultima",
    }.items()
    for word in words.split()
}
_PHRASES = (
    (r"\bdias? (util|uteis|habil|habiles|laborable|laborables)\b", "weekday"),
    (r"-feiras?\b", ""),
    (r"\b(fim|fins|fin|fines) de semana\b", "weekend"),
)
_FORM = re.compile(r"(?:(\d+) )?([a-z]+)(?: (?:on|em|no|na|nos|nas|en|el|la|los) (.+))?")
_KNOWN = (*_DAY_WORDS, "day", "week", "month", "year")


class Every(NamedTuple):
    """A pattern: each *interval*-th day, week, month or year (*unit*, as in FREQ=), on what."""

    unit: str
    interval: int = 1
    #: (which of the month: 0 each, 1..4, -1 the last; day as in BYDAY=)
    weekdays: tuple[tuple[int, str], ...] = ()
    #: Days of the month; -1 the last.
    dates: tuple[int, ...] = ()
    month: int = 0

    @property
    def rule(self) -> str:
        """The pattern as a recurrence rule (RFC 5545)."""
        parts = [f"FREQ={self.unit}"]
        if self.interval > 1:
            parts.append(f"INTERVAL={self.interval}")
        if self.month:
            parts.append(f"BYMONTH={self.month}")
        if self.weekdays:
            parts.append("BYDAY=" + ",".join(f"{number or ''}{day}" for number, day in self.weekdays))
        if self.dates:
            parts.append("BYMONTHDAY=" + ",".join(map(str, self.dates)))
        return ";".join(parts)


def pattern_of(parts: Mapping[str, str]) -> Every | None:
    """The pattern that the parts of a rule are; None for a rule that `every:` has no words for."""
    if not parts.keys() <= {"FREQ", "INTERVAL", "BYDAY", "BYMONTHDAY", "BYMONTH"} or parts["FREQ"] not in _READERS:
        return None
    days = [item for item in parts.get("BYDAY", "").split(",") if item]
    months = parts.get("BYMONTH", "0")
    found = Every(
        parts["FREQ"],
        int(parts.get("INTERVAL", 1)),
        tuple((int(item[:-2] or 0), item[-2:]) for item in days),
        tuple(int(item) for item in parts.get("BYMONTHDAY", "").split(",") if item),
        int(months) if months.isdigit() else -1,
    )
    return found if _sayable(found) else None


def _sayable(pattern: Every) -> bool:
    ordinals = {number for number, _ in pattern.weekdays}
    has = bool(pattern.weekdays), bool(pattern.dates), bool(pattern.month)
    if pattern.unit == "MONTHLY":
        known = ordinals <= set(_ORDINALS.values()) and all(date == _LAST or 1 <= date <= 28 for date in pattern.dates)
        return known and has in ((True, False, False), (False, True, False))
    if pattern.unit == "YEARLY":
        return has == (False, True, True) and len(pattern.dates) == 1 and min(*pattern.dates, pattern.month) > 0
    return has == (pattern.unit == "WEEKLY", False, False) and ordinals <= {0}


def parse(text: str) -> Every:
    """Read `every:`. Raises `UsageError` that says what to write."""
    words = _normal(text)
    form = _FORM.fullmatch(words)
    unit = _UNITS.get(_singular(form[2], _UNITS)) if form else None
    if form is None or unit is None:
        return Every("WEEKLY", weekdays=_weekdays(words))
    interval, rest = int(form[1] or 1), form[3] or ""
    if interval < 1:
        raise UsageError("every 0 is never", "Write a number from 1.")
    return _READERS[unit](interval, rest)


def _normal(text: str) -> str:
    """Lower case, without accents and double spaces; phrases of several words become one."""
    plain = unicodedata.normalize("NFD", text.lower())
    plain = " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).split())
    for phrase, word in _PHRASES:
        plain = re.sub(phrase, word, plain)
    return plain


def _singular(word: str, known: dict[str, str] | dict[str, tuple[str, ...]]) -> str:
    return word if word in known else word.removesuffix("s")


def _items(text: str) -> list[str]:
    return [item for item in re.split(r" ?, ?| (?:and|e|y) ", text.strip()) if item]


def _weekdays(text: str) -> tuple[tuple[int, str], ...]:
    days: set[str] = set()
    for item in _items(text):
        found = _DAY_WORDS.get(_singular(item, _DAY_WORDS))
        if found is None:
            raise UsageError(f"`{item}` is no day", did_you_mean(item, _KNOWN))
        days |= set(found)
    if not days:
        raise UsageError("every: says nothing", "Write `every: tuesday`, `every: weekday` or `every: month on 1`.")
    return tuple((0, day) for day in DAYS if day in days)


def _day(interval: int, rest: str) -> Every:
    if rest:
        raise UsageError(f"`day on {rest}` has no meaning", f"Write `every: {rest}`.")
    return Every("DAILY", interval)


def _week(interval: int, rest: str) -> Every:
    if not rest:
        raise UsageError("every week on which day?", "Write `week on tuesday`, or `tuesday`.")
    return Every("WEEKLY", interval, _weekdays(rest))


def _month(interval: int, rest: str) -> Every:
    items = [_of_month(item) for item in _items(rest)]
    weekdays = tuple(item for item in items if isinstance(item, tuple))
    dates = tuple(item for item in items if isinstance(item, int))
    if not items or (weekdays and dates):
        raise UsageError(
            "every month on which day?",
            "Write `month on 1`, `month on 1, 15`, `month on last` or `month on first monday`.",
        )
    return Every("MONTHLY", interval, weekdays, dates)


def _of_month(item: str) -> int | tuple[int, str]:
    """`15`, `last`, `last day` or `first monday`."""
    ordinal, _, day = item.partition(" ")
    if item.isdigit():
        return _date(int(item))
    if ordinal not in _ORDINALS:
        raise UsageError(f"`{item}` is no day of a month", "Write a day from 1 to 28, `last`, or `first monday`.")
    if _ORDINALS[ordinal] == _LAST and day in ("", "day", "dia"):
        return _LAST
    weekdays = _weekdays(day)
    if len(weekdays) != 1:
        raise UsageError(f"`{item}` is no day of a month", "Name one weekday: `first monday`.")
    return _ORDINALS[ordinal], weekdays[0][1]


def _date(number: int) -> int:
    if not 1 <= number <= 28:
        raise UsageError(f"not every month has a day {number}", "Write a day from 1 to 28, or `month on last`.")
    return number


def _year(interval: int, rest: str) -> Every:
    found = re.fullmatch(r"(\d{1,2})-(\d{1,2})", rest)
    days = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not found or not 1 <= int(found[1]) <= 12 or not 1 <= int(found[2]) <= days[int(found[1]) - 1]:
        raise UsageError(f"every year on `{rest}` is no date of every year", "Write month and day: `year on 12-24`.")
    return Every("YEARLY", interval, dates=(int(found[2]),), month=int(found[1]))


_READERS = {"DAILY": _day, "WEEKLY": _week, "MONTHLY": _month, "YEARLY": _year}
