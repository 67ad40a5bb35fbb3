"""The values of conditions: read from a file's plain data, or refused with what to write instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from vinculo.errors import did_you_mean
from vinculo.fields import LANGUAGE, parse_duration
from vinculo.model import decimals
from vinculo.segment.read.field import Field, Kind

#: How a day, an amount and a share are written.
DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
AMOUNT = r"-?[0-9]+(\.[0-9]+)?"
SHARE = r"([0-9]+(?:\.[0-9]+)?) ?%?"


class Wrong(ValueError):
    """A value that cannot be; says what to write instead."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy


def operands(field: Field, operator: str, value: Any) -> tuple[str, tuple[Any, ...]]:
    """The operator and its values as the tree has them."""
    match operator:
        case "is":
            if value not in ("missing", "present"):
                raise Wrong(f"`is` cannot be `{value}`", "Write `missing` or `present`.")
            return value, ()
        case "within" | "in_next":
            return operator, (duration(value),)
        case "in":
            if not isinstance(value, list) or not value:
                raise Wrong("`in` needs a list", "Write `{in: [a, b]}`.")
            return operator, tuple(_own_type(one) if field.home == "trait" else value_of(field, one) for one in value)
        case "between":
            return operator, _bounds(field, value)
        case _:
            return operator, (value_of(field, value),)


def _bounds(field: Field, value: Any) -> tuple[Any, Any]:
    if not isinstance(value, list) or len(value) != 2:
        raise Wrong("`between` needs two figures", "Write `{between: [10, 20]}`; both are included.")
    low, high = (value_of(field, one) for one in value)
    if low > high:
        raise Wrong(f"nothing is between {value[0]} and {value[1]}", "Turn the two round.")
    return low, high


def value_of(field: Field, value: Any) -> Any:
    if field.kind == "number":
        return number_of(value)
    if field.kind == "money":
        return minor(value, field.currency)
    if field.kind == "instant":
        return day_or_ago(value)
    if field.kind in {"date", "ahead"}:
        return day_of(value)
    if field.home == "trait" and isinstance(value, bool):
        return value
    text = text_of(value)
    if field.choices and text not in field.choices:
        raise Wrong(f"there is no `{text}`", did_you_mean(text, field.choices))
    if field.pattern and not re.fullmatch(field.pattern, text):
        raise Wrong(f"`{text}` cannot be", f"Write for example `{field.example}`.")
    return _code(text) if field.pattern == LANGUAGE else text


def _code(language: str) -> str:
    """`pt-BR` for `pt_br`: as contacts have it."""
    tongue, _, tail = language.replace("_", "-").partition("-")
    place = tail.capitalize() if len(tail) == 4 else tail.upper()  # a script, or a region
    return f"{tongue.lower()}-{place}" if tail else tongue.lower()


def trait_kind(value: Any) -> Kind:
    """A trait is a number where it is compared with numbers, else text."""
    if isinstance(value, Mapping):
        return "number" if value.keys() & {"at_least", "at_most", "more_than", "less_than", "between"} else "text"
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else "text"


def _own_type(value: Any) -> Any:
    """One of several values of a trait: a flag, a number or a text, as it is written."""
    if isinstance(value, bool):
        return value
    return number_of(value) if isinstance(value, int | float) else text_of(value)


def text_of(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Wrong("the value must be text", "Write it plainly, in quotes if need be.")
    if value == "":
        raise Wrong("the value is empty", "For what is not there write `{is: missing}`.")
    if "\x00" in str(value):
        raise Wrong("the value has a character that no database keeps")
    return str(value)


def names(value: Any, example: str) -> tuple[str, ...]:
    """Read one name, a list of names, or `{in: [names]}`."""
    if isinstance(value, Mapping) and set(value) == {"in"} and isinstance(value["in"], list):
        value = value["in"]
    found = value if isinstance(value, list) else [value]
    if not found:
        raise Wrong("the list is empty", f"Write for example `{example}`.")
    return tuple(text_of(one) for one in found)


def number_of(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > 2**53:  # noqa: PLR0124 - NaN
        raise Wrong(f"`{value}` is no number", "Write figures, without quotes: `3` or `2.5`.")
    return value


def minor(value: Any, currency: str) -> int:
    """Read an amount in major units as minor units of *currency*."""
    digits = decimals(currency)
    figures = str(value) if not isinstance(value, str) or re.fullmatch(AMOUNT, value) else ""
    try:
        amount = Decimal(figures).scaleb(digits) if not isinstance(value, bool) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or amount != int(amount) or abs(amount) > 2**53:
        few = "at most two decimals: `199.90`" if digits == 2 else f"at most {digits} decimals, as {currency} has"
        raise Wrong(f"`{value}` is no amount", f"Write figures with {few}.")
    return int(amount)


def count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000:
        raise Wrong(f"`{value}` is no count", "Write a whole number from 0 on.")
    return value


def day_of(value: Any) -> date:
    try:
        return date.fromisoformat(re.fullmatch(DAY, value)[0])  # type: ignore[index]
    except (TypeError, ValueError):
        raise Wrong(f"`{value}` is no date", "Write it as 2026-12-31.") from None


def day_or_ago(value: Any) -> date | timedelta:
    """Read a day, `2026-12-31`, or how long ago, `90 days ago`."""
    if isinstance(value, str) and value.rstrip().endswith(" ago"):
        return duration(value.rstrip().removesuffix(" ago"))
    try:
        return day_of(value)
    except Wrong as wrong:
        raise Wrong(wrong.message, "Write it as 2026-12-31, or as `90 days ago`.") from None


def duration(value: Any) -> timedelta:
    try:
        found = parse_duration(value)
    except (ValueError, OverflowError) as error:
        raise Wrong(f"`{value}` is no length of time", str(error).capitalize() + ".") from None
    if not timedelta(0) < found <= timedelta(days=36500):
        raise Wrong(f"`{value}` is no length of time that can be", "Write for example `90 days`.")
    return found


def percent(value: Any) -> float:
    written = re.fullmatch(SHARE, str(value))
    percent = float(written[1]) if written else -1
    if not 0 <= percent <= 100:
        raise Wrong(f"`{value}` is no share", "Write for example `10%`.")
    return percent
