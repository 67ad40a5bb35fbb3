"""`vinculo plan` and `vinculo apply`: what would go out, and Prefect's schedules made equal to the calendar."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from vinculo.cli import output

if TYPE_CHECKING:
    from vinculo.plan import PlannedOccurrence


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("plan")(plan)
    app.command("apply")(apply)


def plan(
    days: Annotated[int, typer.Option(min=1, max=366, metavar="N", help="How many days ahead.")] = 14,
    as_json: output.JsonFlag = False,
) -> None:
    """Show each occurrence to come: whom it would reach, and whom not and why. Nothing is changed."""
    from vinculo.plan import forecast
    from vinculo.runtime import open_runtime

    with open_runtime() as rt, rt.begin() as db:
        rows = forecast(db, rt.project, start=rt.now(), days=days)
    output.answer(rows, as_json=as_json, text=lambda: _show(rows, days))
    if any(row.error for row in rows):
        raise typer.Exit(1)


def _show(rows: list[PlannedOccurrence], days: int) -> None:
    if not rows:
        output.line(f"Nothing in the next {days} days.")
        return
    headers = ("when", "campaign", "kind", "state", "segment", "reach", "left out")
    output.table(headers, [_cells(row) for row in rows])
    for row in rows:
        if row.error or row.note:
            output.note(f"{row.campaign} {row.occurrence}: {row.error or row.note}")


def _cells(row: PlannedOccurrence) -> tuple[str | int, ...]:
    when = f"{row.local:%a %Y-%m-%d %H:%M} {row.zone}"
    state = row.state + (", needs approval" if row.approval else "") + (f", {row.sent:,} sent" if row.sent else "")
    if row.error:
        return when, row.campaign, row.kind, "cannot be worked out", 0, "", ""
    return when, row.campaign, row.kind, state, row.segment, _numbers(row.reach), _numbers(row.left_out)


def _numbers(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {number:,}" for name, number in counts.items())


def apply(
    dry_run: output.DryRunFlag = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="The deployments are ours: our database moved.")
    ] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Make Prefect's deployments and schedules equal to the calendar: add, change, remove. Twice changes nothing."""
    from vinculo.errors import UsageError
    from vinculo.project import find_root, load
    from vinculo.project.prefect import VARIABLE, password

    root = find_root()
    settings = load(root).settings
    if not (root / "flows" / "apply.py").exists():
        raise UsageError(f"There is no flows/apply.py in {root}", "`vinculo init` lays one.")
    flags = ["--dry-run"] * dry_run + ["--take-over"] * take_over + ["--json"] * as_json
    # A process of its own: importing Prefect costs seconds that no other command should pay.
    home = os.environ.get("PREFECT_HOME", str(root / "var" / "prefect"))
    ours = {"PREFECT_API_URL": settings.prefect.api_url, "PREFECT_HOME": home, "DO_NOT_TRACK": "1"}
    if secret := password(os.environ):
        ours[VARIABLE] = secret
    done = subprocess.run(
        [sys.executable, "-m", "flows.apply", *flags], cwd=root, env={**os.environ, **ours}, check=False
    )
    raise typer.Exit(done.returncode)
