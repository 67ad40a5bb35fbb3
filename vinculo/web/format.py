"""Numbers, dates and our words in the reader's language, as filters of the pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal
from jinja2 import pass_context
from jinja2.runtime import Context

from vinculo import schedule
from vinculo.model import Money
from vinculo.report import html
from vinculo.report.words import words
from vinculo.schedule import When
from vinculo.web.words import NAMES, how_often, phrases, term


@pass_context
def word(context: Context, name: str) -> str:
    """Our word for a state, a reason, a kind."""
    return term(str(name), context["language"])


@pass_context
def kind(context: Context, name: str) -> str:
    """Our word for a kind of interaction: what was done."""
    found = phrases().get(f"kind.{name}")
    return found[context["language"]] if found else str(name).replace("_", " ")


@pass_context
def reason(context: Context, name: str) -> str:
    """The report's word for a figure or a reason, else our own."""
    return words(context["language"]).get(str(name)) or term(str(name), context["language"])


@pass_context
def rule(context: Context, when: When) -> str:
    """A campaign's `when` in words."""
    return schedule.describe(when, context["language"])


@pass_context
def channel(context: Context, name: str) -> str:
    """A channel as people call it; one of a connector of your own by its name."""
    said = phrases().get(f"common.{name}")
    return said[context["language"]] if said else name


@pass_context
def number(context: Context, value: float) -> str:
    """1,234 or 1.234; at most one decimal."""
    return format_decimal(value, format="#,##0.#", locale=context["language"])


@pass_context
def percent(context: Context, share: float) -> str:
    """A share of 1 with one decimal."""
    return html.percent(share, context["language"])


@pass_context
def money(context: Context, minor: float, currency: str) -> str:
    """Minor units of a currency."""
    return format_currency(Money(round(minor), currency).amount, currency, locale=context["language"])


@pass_context
def moment(context: Context, at: datetime, style: str = "d MMM y HH:mm") -> str:
    """An instant on the company's clock."""
    return format_datetime(at.astimezone(ZoneInfo(context["zone"])), style, locale=context["language"])


@pass_context
def wall_clock(context: Context, at: datetime, style: str = "EEE d MMM, HH:mm") -> str:
    """A wall clock's time, as it stands there."""
    return format_datetime(at, style, locale=context["language"])


@pass_context
def day(context: Context, at: date, style: str = "d MMM y") -> str:
    """A date; the wall clock's, without a zone."""
    return format_date(at, style, locale=context["language"])


@pass_context
def said(context: Context, texts: Mapping[str, str], otherwise: str = "") -> str:
    """What a file says in several languages, in the reader's; else in the company's, else in any."""
    for language in (context["language"], context["company"].language, context["company"].language[:2]):
        if texts.get(language):
            return texts[language]
    return next(iter(texts.values()), otherwise)


@pass_context
def choice(context: Context, value: str, name: str) -> str:
    """What a contact chose as the preference *name*, in words."""
    match name:
        case "pause_until":
            return moment(context, datetime.fromisoformat(value), "d MMM y")
        case "frequency":
            return how_often(value, context["language"])
        case "channel":
            return channel(context, value)
    return NAMES.get(value, value)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "word": word,
    "kind": kind,
    "reason": reason,
    "rule": rule,
    "channel": channel,
    "number": number,
    "percent": percent,
    "money": money,
    "moment": moment,
    "wall_clock": wall_clock,
    "day": day,
    "said": said,
    "choice": choice,
}
