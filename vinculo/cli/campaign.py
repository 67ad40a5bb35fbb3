"""`vinculo run`: send an occurrence now, in this process, or a test of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vinculo.cli import output

if TYPE_CHECKING:
    from vinculo.model import Occurrence
    from vinculo.project import Campaign
    from vinculo.runtime import Runtime


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("run")(run_campaign)


def run_campaign(
    campaign: Annotated[str, typer.Argument(help="Name of a file in plan/calendar, without `.yaml`.")],
    at: Annotated[str, typer.Option(help="The occurrence due at or before this time, e.g. 2026-12-01T09:00.")] = "",
    to: Annotated[list[str] | None, typer.Option(help="Send a marked test here instead; never counted.")] = None,
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Send the current occurrence of CAMPAIGN now: the latest that is due, else the next, brought forward."""
    from vinculo import run
    from vinculo.runtime import open_runtime

    with open_runtime() as rt:
        definition = run.definition(rt, campaign)
        if to:
            sent = run.test_send(rt, definition, to)
            output.answer({"tests": sent}, as_json=as_json, text=lambda: output.line(f"{sent} test messages sent"))
            return
        one = run.read_definition(rt, definition)
        occurrence = run.pick(rt, one, _moment(at, rt.project.settings.company.timezone) if at else None)
        result = _preview(rt, one, occurrence) if dry_run else _send(rt, one, occurrence)
    output.answer(result, as_json=as_json, text=lambda: _show(result))


def _moment(text: str, home: str) -> datetime:
    """Read a time; without a zone it is the company's wall clock."""
    from zoneinfo import ZoneInfo

    from vinculo.errors import UsageError

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"`{text}` is no time", "Write it like 2026-12-01T09:00 or 2026-12-01T12:00Z.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(home))).astimezone(UTC)


def _preview(rt: Runtime, campaign: Campaign, occurrence: Occurrence) -> dict[str, Any]:
    from vinculo import run

    counts = run.rehearse(rt, campaign, occurrence)
    return {"campaign": campaign.name, "occurrence": occurrence.key, "dry_run": True, "funnel": run.funnel(counts)}


def _send(rt: Runtime, campaign: Campaign, occurrence: Occurrence) -> dict[str, Any]:
    import os
    import socket

    from vinculo import run

    worker = f"{socket.gethostname()}/{os.getpid()}"
    states = run.run_occurrence(rt, campaign, occurrence, worker=worker, due_now=True)
    return {"campaign": campaign.name, "occurrence": occurrence.key, "states": dict(states)}


def _show(result: dict[str, Any]) -> None:
    output.line(f"{result['campaign']} {result['occurrence']}")
    if "funnel" in result:
        output.table(["step", "contacts"], [(row["step"], row["contacts"]) for row in result["funnel"]])
    else:
        output.table(["state", "deliveries"], sorted(result["states"].items()))
