"""`vinculo score`, and what `contacts show` says of a contact's scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vinculo.cli import output
from vinculo.cli.given import moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from vinculo.loyalty import Standing
    from vinculo.runtime import Runtime
    from vinculo.scoring import Change, Fitted, Scored
    from vinculo.scoring.purchasing import Past
    from vinculo.stats import Interval

_AT = "As of this moment instead of now: shown, and not stored."
_STORE = "Store what --at finds, in the place of newer scores."
_EXPECT = "Also tell the purchases to expect from such a past: see docs/scores.md."


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("score")(score)


def score(
    at: Annotated[str, typer.Option("--at", metavar="DATE", help=_AT)] = "",
    store: Annotated[bool, typer.Option("--store", help=_STORE)] = False,
    expect: Annotated[str, typer.Option("--expect", metavar="X,TX,T,WEEKS", help=_EXPECT)] = "",
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Score every contact: recency, frequency, value, engagement, stage, what to expect; bring points up to date."""
    from vinculo.errors import UsageError
    from vinculo.runtime import open_runtime

    asked = _past(expect)
    # Segments and messages read what is stored as of today: a look at the past is kept nowhere, as a dry run is.
    look = dry_run or bool(at and not store)
    with open_runtime() as rt:
        when = moment(at, rt.project.settings.company.timezone) if at else rt.now()
        if when > rt.now() and not dry_run:
            raise UsageError(f"`{at}` lies in the future", "What would be then, if nobody did anything: --dry-run.")
        fitted, points = _rehearsed(rt, when) if look else _scored(rt, when)
    expected = fitted.purchasing.expected(*asked) if asked and fitted.purchasing else None
    answer = {"fitted": fitted, "points": points, "dry_run": look} | ({"expected": expected} if asked else {})
    output.answer(answer, as_json=as_json, text=lambda: _tell(fitted, points, expected, dry_run=look))
    if fitted.unrated:
        raise typer.Exit(1)


def _past(text: str) -> tuple[Past, float] | None:
    """Read `X,TX,T,WEEKS`. Raises `UsageError`."""
    from vinculo.errors import UsageError
    from vinculo.scoring.purchasing import Past

    if not text:
        return None
    try:
        x, last, age, weeks = (float(each) for each in text.split(","))
    except ValueError:
        x, last, age, weeks = -1.0, 0.0, 0.0, 0.0
    if not (x >= 0 and x == int(x) and 0 <= last <= age < 10_000 and 0 < weeks < 10_000):
        remedy = "Write days with a purchase after the first, weeks to the last, to now, and to come: 2,30.43,38.86,39."
        raise UsageError(f"`{text}` is no past", remedy)
    return Past(int(x), last, age), weeks


def _scored(rt: Runtime, when: datetime) -> tuple[Fitted, int]:
    from vinculo import loyalty, scoring

    rules = scoring.Rules.of(rt.project)
    at_once = 1 if rt.engine.dialect.name == "sqlite" else 2  # SQLite has one writer
    fitted = scoring.run_in_spans(rt.begin, when, rules, at_once=at_once)
    with rt.begin() as db:
        return fitted, loyalty.earn(db, rt.project.loyalty, when, rules.currency) if rt.project.loyalty else 0


def _rehearsed(rt: Runtime, when: datetime) -> tuple[Fitted, int]:
    """Do it all beside what is stored."""
    from vinculo import loyalty, scoring

    rules, points = scoring.Rules.of(rt.project), rt.project.loyalty
    with scoring.aside(rt.engine, rules) as db:
        fitted = scoring.run(db, when, rules, tell=False)
        return fitted, loyalty.earn(db, points, when, rules.currency, keep=False) if points else 0


def _tell(fitted: Fitted, points: int, expected: float | None, *, dry_run: bool) -> None:
    output.table(["stage", "contacts"], list(fitted.stages.items()))
    output.line(
        f"{fitted.contacts:,} scored, {fitted.moved:,} moved to another stage, "
        f"{fitted.changed:,} changed in stage or RFM; {points:,} new rows of points."
    )
    buying, spending = fitted.purchasing, fitted.spending
    if buying:
        output.line(f"BG/NBD: {_parameters(fitted, buying, 'r', 'alpha', 'a', 'b')}")
        output.line(f"  log-likelihood {buying.log_likelihood:.1f} on {buying.contacts:,} buyers, in weeks")
    if spending:
        output.line(f"Gamma-gamma: {_parameters(fitted, spending, 'p', 'q', 'v')}, in {fitted.currency}")
    if expected is not None:
        output.line(f"Expected purchases: {expected:.3f}")
    for each in fitted.notes:
        output.line(each)
    if dry_run:
        output.line(output.UNCHANGED)


def _parameters(fitted: Fitted, model: object, *names: str) -> str:
    """`r 0.243 ± 0.013`: each parameter with its standard error."""
    told = []
    for name in names:
        error = f" ± {fitted.errors[name]:.3f}" if name in fitted.errors else ""
        told.append(f"{name} {getattr(model, name):.3f}{error}")
    return "  ".join(told)


def standing(worth: Scored | None, currency: str) -> dict[str, str]:
    """What `contacts show` says of a contact's scores, by name; nothing of one that was not scored yet."""
    from vinculo.model import Money

    if worth is None:
        return {}

    def money(minor: float) -> str:
        return f"{Money(round(minor), currency).amount:,}"

    unrated = f", and {worth.unrated} without a rate" if worth.unrated else ""
    changes = [f"{each.at:%Y-%m-%d} {_change(each)}" for each in worth.changes[:3]]
    return {
        "RFM": worth.rfm,
        "engagement": f"{worth.engagement:g} of 100" if worth.engagement else "",
        "bought": f"{worth.frequency} times for {money(worth.value)} {currency}{unrated}" if worth.frequency else "",
        "will again": _range(worth.alive, lambda share: f"{share:.0%}"),
        "in a year": _range(worth.expected, lambda number: f"{number:.2f}", " purchases"),
        "worth": _range(worth.lifetime, money, f" {currency}"),
        "next by": f"{worth.next_at:%Y-%m-%d}" if worth.next_at else "",
        "changed": ", ".join(changes),
    }


def points(earned: Standing | None) -> dict[str, str]:
    """What `contacts show` says of a contact's points; nothing where there is no programme."""
    return {} if earned is None else {"points": ", ".join(filter(None, (f"{earned.points:,}", earned.tier)))}


def _change(each: Change) -> str:
    before, after = each.stage if each.moved else each.rfm
    return f"{before or '–'} → {after or '–'}"


def _range(interval: Interval | None, said: Callable[[float], str], unit: str = "") -> str:
    if interval is None:
        return ""
    alone = interval.low == interval.high
    return said(interval.estimate) + unit + ("" if alone else f" ({said(interval.low)} to {said(interval.high)})")
