"""`vinculo limits`: how fast messages may leave, seen and set while they leave."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from vinculo.cli import output

if TYPE_CHECKING:
    from vinculo.traffic import Limit

Place = Annotated[
    str, typer.Argument(metavar="NAME", help='A channel (email), a mail domain (gmail.com), or "*": each other domain.')
]
Speed = Annotated[str, typer.Argument(metavar="RATE", help="Messages in a time: 20/s, 600/min, 1000/h, 50000/day.")]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    group = typer.Typer(help="How fast messages may leave: show, set, clear.", no_args_is_help=True)
    for command, name in ((show, "show"), (set_rate, "set"), (clear, "clear")):
        group.command(name)(command)
    app.add_typer(group, name="limits")


def show(as_json: output.JsonFlag = False) -> None:
    """Show what holds each channel and mail domain back, who said so, and what rests and why."""
    from vinculo import traffic
    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt, rt.read() as db:
        found = traffic.limits(db, rt.project, rt.now())
    output.answer([asdict(one) for one in found], as_json=as_json, text=lambda: _show(found))


def set_rate(
    name: Place, rate: Speed, dry_run: output.DryRunFlag = False, as_json: output.JsonFlag = False
) -> None:  # fmt: skip
    """Let no more than RATE leave for NAME, from all workers together, within seconds; over vinculo.toml."""
    from vinculo import traffic
    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt, rt.begin() as db:
        trial = db.begin_nested()
        bucket = traffic.set_rate(db, rt.project, name, rate, _operator(), rt.now())
        (limit,) = [one for one in traffic.limits(db, rt.project, rt.now()) if one.name == bucket]
        trial.rollback() if dry_run else trial.commit()
    said = f"{limit.name} {'would be' if dry_run else 'is'} held to {_speed(limit.allowed)}."
    result = {"name": limit.name, "rate": limit.allowed, "dry_run": dry_run}
    output.answer(result, as_json=as_json, text=lambda: output.line(said))


def clear(name: Place, dry_run: output.DryRunFlag = False, as_json: output.JsonFlag = False) -> None:
    """Take back the rate that was set for NAME, and forget how it was slowed: vinculo.toml holds again."""
    from vinculo import traffic
    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt, rt.begin() as db:
        trial = db.begin_nested()
        there = traffic.clear(db, rt.project, name, rt.now())
        trial.rollback() if dry_run else trial.commit()
    verb = "Would be cleared" if dry_run else "Cleared"
    said = f"{verb}: {name}. vinculo.toml holds." if there else f"Nothing was set for {name}: vinculo.toml holds."
    result = {"name": name, "cleared": there, "dry_run": dry_run}
    output.answer(result, as_json=as_json, text=lambda: output.line(said))


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "operator"


def _show(found: list[Limit]) -> None:
    if not found:
        output.line("Nothing is held back: no rate, no daily cap, and nobody asked us to slow down.")
        return
    headers = ("channel or domain", "allowed", "now", "said by", "today", "rests until")
    output.table(headers, [_cells(one) for one in found])
    for one in found:
        if one.reason:
            output.line(f"{one.name}: {one.reason}")


def _cells(one: Limit) -> tuple[str, ...]:
    today = f"{one.spent:,} of {one.cap:,}" if one.cap is not None else ""
    until = f"{one.until:%Y-%m-%d %H:%M:%S} UTC" if one.until else ""
    return one.name, _speed(one.allowed), _speed(one.rate), one.origin or "its replies", today, until


def _speed(rate: float | None) -> str:
    """A rate in the unit in which a person can picture it."""
    if rate is None:
        return "free"
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3600), ("day", 86_400)):
        if rate * seconds >= 1 or unit == "day":
            return f"{round(rate * seconds, 1):,g}/{unit}"
    raise AssertionError(rate)
