"""A report as one HTML file that needs nothing else: it can be mailed, kept and printed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from vinculo.model import Money
from vinculo.report.campaign import Report
from vinculo.report.words import words
from vinculo.stats import Interval


def render(report: Report, *, language: str, now: datetime) -> str:
    """Return *report* as HTML in *language* (pt, en or es)."""
    from babel.dates import format_datetime
    from jinja2 import Environment, FileSystemLoader

    known = words(language)
    locale = _locale(language)
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)
    environment.filters.update(
        word=lambda name: known.get(name, name.replace("_", " ")),
        number=lambda value: _number(value, locale),
        percent=lambda value: percent(value, locale),
        money=lambda minor, currency: _money(minor, currency, locale),
        range=lambda interval: _range(interval, locale),
        points=_points,
    )
    made = format_datetime(now, "long", locale=locale)
    return environment.get_template("report.html").render(report=report, language=locale, made=made)


def _locale(language: str) -> str:
    short = language.partition("-")[0].lower()
    return short if short in {"pt", "es"} else "en"


def _number(value: int, locale: str) -> str:
    from babel.numbers import format_decimal

    return format_decimal(value, locale=locale)


def percent(share: float, locale: str) -> str:
    """Return a share of 1 with one decimal as *locale* (pt, en or es) writes it: 8.9%, 8,9%, 8,9 % on one line."""
    from babel.numbers import format_percent

    return format_percent(share, format="#,##0.0\u00a0%" if locale == "es" else "#,##0.0%", locale=locale)


def _money(minor: float, currency: str, locale: str) -> str:
    from babel.numbers import format_currency

    amount = Money(round(minor), currency).amount
    return format_currency(amount, currency, locale=locale) if currency else _number(round(minor), locale)


def _points(interval: Interval) -> str:
    """A net promoter score, -100 to 100, with its range."""
    return f"{100 * interval.estimate:+.0f} ({100 * interval.low:+.0f} … {100 * interval.high:+.0f})"


def _range(interval: Interval, locale: str) -> str:
    return f"{percent(interval.estimate, locale)} ({percent(interval.low, locale)} … {percent(interval.high, locale)})"
