"""A report in a few lines: for the demo's table, Prefect's artifacts, and a file to hand on."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from vinculo.db.tables import occurrence
from vinculo.model import Money
from vinculo.report.campaign import Report
from vinculo.report.html import render
from vinculo.report.words import words


def headline(report: Report, language: str = "en") -> list[tuple[str, str]]:
    """The figures that a person asks for first, each with its name."""
    named = words(language)
    revenue = ", ".join(f"{Money(minor, name).amount:,} {name}" for name, minor in report.effect.revenue.items())
    rows = [(named[name], f"{number:,}") for name, number in report.funnel.items()]
    for name, seen in (("opened", report.opened), ("clicked", report.clicked)):
        rows.append((named[name], f"{seen.human:,} (+{seen.proxy:,} proxy, +{seen.machine:,} machine)"))
    rows += [(named[kind], f"{number:,}") for kind, number in report.answers.items()]
    return [*rows, (named["revenue"], revenue or "–")]


def markdown(report: Report, language: str = "en") -> str:
    """The headline as a Markdown table."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in headline(report, language))
    return f"## {report.campaign} {report.occurrence}\n\n| | |\n|---|--:|\n{rows}\n"


def recent(db: sa.Connection, now: datetime, days: int) -> list[str]:
    """The campaigns that had an occurrence in the last *days* days."""
    o = occurrence.c
    ask = sa.select(o.campaign).distinct().where(o.due_at > now - timedelta(days=days), o.due_at <= now)
    return list(db.scalars(ask.order_by(o.campaign)))


def publish(report: Report, folder: Path, *, language: str, now: datetime) -> Path:
    """Write the report as one HTML file into *folder*; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.campaign}-{now:%Y-%m-%d}.html"
    path.write_text(render(report, language=language, now=now), encoding="utf-8")
    return path
