"""Money, dates and numbers as the contact's language writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context, Undefined

from vinculo.model import Money

#: Results that are kept: a campaign has few prices and dates.
_KEPT = 4_096


@cache
def locale(language: str, country: str) -> Any:
    """Return Babel's locale for *language* as *country* writes it; English where neither is known."""
    from babel import Locale, UnknownLocaleError

    tag = language.replace("-", "_") or "en"
    for name in (f"{tag}_{country.upper()}" if "_" not in tag and country else tag, tag, tag.partition("_")[0]):
        try:
            return Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse("en")


@pass_context
def money(context: Context, amount: Any, currency: str = "") -> Any:
    """Write an amount of money. A whole number counts minor units (cents), as everywhere in Vinculo."""
    if isinstance(amount, Undefined):
        return amount
    if isinstance(amount, Mapping):
        amount = Money(int(amount["minor"]), str(amount["currency"]))
    if isinstance(amount, Money):
        amount, currency = amount.amount, currency or amount.currency
    if isinstance(amount, int):
        amount = Money(amount, "").amount
    return _money(str(amount), currency or context["company"]["currency"], *_of(context))


@pass_context
def day(context: Context, value: Any, form: str = "long") -> Any:
    """Write a date: `short`, `medium`, `long` (1 de dezembro de 2026), `full`, or a pattern such as `d 'de' MMMM`."""
    if isinstance(value, Undefined) or value is None:
        return value
    when = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(when, date):
        raise TypeError(f"{value!r} is not a date")
    return _day(when, form, *_of(context))


@pass_context
def number(context: Context, value: Any, digits: int | None = None) -> Any:
    """Write a number with the language's separators; *digits* after the decimal sign, or as many as it has."""
    if isinstance(value, Undefined):
        return value
    pattern = None if digits is None else "#,##0" + ("." + "0" * min(digits, 20) if digits else "")
    return _number(str(value), pattern, *_of(context))


def _of(context: Context) -> tuple[str, str]:
    return context["language"], context["contact"]["country"]


@lru_cache(maxsize=_KEPT)
def _money(amount: str, currency: str, language: str, country: str) -> str:
    from babel.numbers import format_currency

    return format_currency(Decimal(amount), currency, locale=locale(language, country))


@lru_cache(maxsize=_KEPT)
def _day(when: date, form: str, language: str, country: str) -> str:
    from babel.dates import format_date

    return format_date(when, format=form, locale=locale(language, country))


@lru_cache(maxsize=_KEPT)
def _number(value: str, pattern: str | None, language: str, country: str) -> str:
    from babel.numbers import format_decimal

    return format_decimal(Decimal(value), format=pattern, locale=locale(language, country))


FILTERS: Mapping[str, Callable[..., Any]] = {"money": money, "date": day, "number": number}
