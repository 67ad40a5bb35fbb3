"""The types of values in a project's files, shared by the shapes of all files (pydantic)."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

#: Names of files, campaigns, segments, templates, topics: they become parts of keys and URLs.
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=80)]
#: A language's code, with a region or a script: `pt`, `pt-BR`, `zh-Hant`.
LANGUAGE = "[A-Za-z]{2,3}([-_]([A-Za-z]{2,4}|[0-9]{3}))?"
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_WORDS = {"minute": "m", "hour": "h", "day": "d", "week": "w", "year": "y"}
#: From any day of a calendar there is a date so far away.
_LONGEST = timedelta(days=36_500)


def _percent(value: Any) -> Any:
    """Read `5%` as 5.0."""
    if isinstance(value, str) and value.strip().endswith("%"):
        with suppress(ValueError):
            return float(value.strip()[:-1])
    return value


def parse_duration(value: Any) -> timedelta:
    """Read `2h`, `90 days`, `1 year` (365 days). Raises `ValueError` that says what to write."""
    if isinstance(value, timedelta):
        return value
    words = str(value).strip().lower()
    number = words.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = words[len(number) :].strip()
    unit = _WORDS.get(unit.rstrip("s"), unit)
    if not (number.isascii() and number.isdigit()) or unit not in {*_UNITS, "y"}:  # `²` is a digit, and no number
        raise ValueError("write a number and a unit: `30m`, `2h`, `90 days`, `2 weeks`, `1 year`")
    with suppress(ValueError, OverflowError):  # thousands of figures; beyond all dates
        found = timedelta(days=365 * int(number)) if unit == "y" else timedelta(**{_UNITS[unit]: int(number)})
        if found <= _LONGEST:
            return found
    raise ValueError("no time here is longer than 100 years: write for example `90 days`")


_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_PER = re.compile(r"(\d{1,9}) ?(?:/|per) ?(s|sec|second|m|min|minute|h|hour|d|day)")


@dataclass(frozen=True, slots=True)
class Pace:
    """So many messages in a second, minute, hour or day (*unit* s, m, h or d)."""

    number: int
    unit: str

    @property
    def per_second(self) -> float:
        """Messages in a second."""
        return self.number / _SECONDS[self.unit]

    def __str__(self) -> str:
        return f"{self.number}/{'min' if self.unit == 'm' else self.unit}"


def parse_rate(value: Any) -> Pace:
    """Read `20/s`, `600/min`, `5000 per day`. Raises `ValueError` that says what to write."""
    if isinstance(value, Pace):
        return value
    found = _PER.fullmatch(str(value).strip().lower())
    if not found or not int(found[1]):
        raise ValueError("write messages and a unit: `20/s`, `600/min`, `1000/h`, `50000/day`")
    return Pace(int(found[1]), found[2][0])


Rate = Annotated[
    Pace,
    BeforeValidator(parse_rate),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["20/s", "600/min", "1000/h", "50000/day"]}),
]
Percent = Annotated[float, BeforeValidator(_percent), Field(ge=0, le=100)]
Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(lambda d: f"{int(d.total_seconds() // 60)}m", return_type=str),
    Field(json_schema_extra={"type": "string", "examples": ["30m", "2h", "90 days", "1 year"]}),
]


class Strict(BaseModel):
    """Refuses keys it does not know: a misspelt key must not be silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
