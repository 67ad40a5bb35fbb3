"""plan/rates.csv: what one unit of a foreign currency is worth in the project's, from a day on. Exact decimals."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

from vinculo.errors import Problem, did_you_mean
from vinculo.model import NOTHING, Money, decimals

FILE = "plan/rates.csv"
HEADER = "date,currency,rate"
_RATE = re.compile(r"\d{1,9}(\.\d{1,12})?")
#: A rate that is so many times the one before, within a year, has lost its decimal mark.
_LEAP = 10
_YEARS = range(1970, 2201)


@dataclass(frozen=True, slots=True)
class Rates:
    """Dated rates by currency, oldest first: so much of *home* for one unit of the currency."""

    home: str
    quoted: Mapping[str, Sequence[tuple[date, Decimal]]] = field(default_factory=lambda: NOTHING)

    def rate(self, currency: str, day: date) -> Decimal | None:
        """Return the last rate of *currency* on or before *day*; None when there is none, 1 for the home currency."""
        if currency == self.home:
            return Decimal(1)
        quoted = self.quoted.get(currency, ())
        place = bisect_right(quoted, day, key=lambda each: each[0])
        return quoted[place - 1][1] if place else None

    def worth(self, money: Money, day: date) -> int | None:
        """Return *money* in minor units of the home currency at the rate of *day*, half a unit away from nothing.

        None when there is no rate: it is not 0, and it is not 1:1.
        """
        rate = self.rate(money.currency, day)
        if rate is None:
            return None
        minor = (money.amount * rate).scaleb(decimals(self.home))
        return int(minor.to_integral_value(ROUND_HALF_UP))

    def __str__(self) -> str:
        """All that a conversion depends on."""
        lines = (f"{day} {name} {rate}" for name, quoted in sorted(self.quoted.items()) for day, rate in quoted)
        return "\n".join((self.home, *lines))


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    day: date
    currency: str
    rate: Decimal


def read_rates(text: str, home: str) -> tuple[Rates, list[Problem]]:
    """Read the file's *text*; return what could be read, and every problem with its line and column."""
    problems: list[Problem] = []
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and line[0] != "#"]
    if not lines or lines[0][1].replace(" ", "").lower() != HEADER:
        number = lines[0][0] if lines else 1
        problems.append(Problem(FILE, number, 1, "the first line does not name the columns", f"Write `{HEADER}`."))
        return Rates(home), problems
    read = [found for number, line in lines[1:] if (found := _line(number, line, home, problems))]
    quoted: dict[str, list[_Line]] = {}
    for each in sorted(read, key=lambda each: (each.day, each.number)):
        quoted.setdefault(each.currency, []).append(each)
    for same in quoted.values():
        problems += _misprints(same)
    return Rates(home, {name: [(each.day, each.rate) for each in same] for name, same in quoted.items()}), problems


def _line(number: int, line: str, home: str, problems: list[Problem]) -> _Line | None:
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != 3:
        remedy = "Write for example `2026-12-01,USD,5.4321`: a decimal point, and no mark for thousands."
        problems.append(Problem(FILE, number, 1, f"the line has {len(cells)} values and not 3", remedy))
        return None
    day, currency, rate = _day(cells[0]), cells[1].upper(), _rate(cells[2])
    starts = [1, line.index(",") + 2, line.rindex(",") + 2]
    wrong = (_day_problem(cells[0], day), _currency_problem(currency, home), _rate_problem(cells[2]))
    problems += [Problem(FILE, number, at, *each) for at, each in zip(starts, wrong, strict=True) if each]
    return _Line(number, day, currency, rate) if day and rate and not any(wrong) else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else None
    except ValueError:
        return None


def _rate(text: str) -> Decimal | None:
    found = Decimal(text) if _RATE.fullmatch(text) else Decimal(0)
    return found or None


def _day_problem(text: str, day: date | None) -> tuple[str, str] | None:
    if day is None or day.year not in _YEARS:
        return f"there is no day `{text}`", "Write it like 2026-12-01."
    return None


def _currency_problem(currency: str, home: str) -> tuple[str, str] | None:
    from babel.numbers import list_currencies

    if currency == home:
        return f"{home} is the company's own currency", "It needs no rate: take the line out."
    if currency not in list_currencies():
        return f"there is no currency `{currency}`", did_you_mean(currency, list_currencies())
    return None


def _rate_problem(text: str) -> tuple[str, str] | None:
    if _rate(text) is None:
        return f"`{text}` cannot be a rate", "Write a number above 0 with a decimal point: `5.4321`."
    return None


def _misprints(same: Sequence[_Line]) -> Iterator[Problem]:
    for before, after in pairwise(same):
        if before.day == after.day:
            message = f"{after.currency} has two rates on {after.day}"
            yield Problem(FILE, after.number, 1, message, f"One is on line {before.number}: take one out.")
        elif (after.day - before.day).days <= 366 and not 1 / _LEAP < after.rate / before.rate < _LEAP:
            message = f"{after.currency} goes from {before.rate} to {after.rate} within a year"
            remedy = f"Is a decimal mark missing here, or on line {before.number}?"
            yield Problem(FILE, after.number, 1, message, remedy)
