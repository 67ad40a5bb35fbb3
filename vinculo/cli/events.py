"""`vinculo events import`: purchases, visits and other events from files."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from vinculo.cli import output
from vinculo.cli.given import FileArgument, MapOption, pairs

if TYPE_CHECKING:
    from vinculo.contacts import ImportedEvents
    from vinculo.runtime import Runtime

DoorOption = Annotated[
    str, typer.Option(metavar="DOOR", help="Only this door: a channel, or smtp, lmtp, maildir, imap.")
]
SinceOption = Annotated[str, typer.Option(metavar="DATE", help="From this day on, e.g. 2026-12-01; without it: all.")]


def register(app: typer.Typer) -> None:
    """Add the group of commands to *app*."""
    group = typer.Typer(no_args_is_help=True, help="Purchases, visits and other events.")
    group.command("import")(import_)
    group.command("judge")(judge)
    group.command("received")(received)
    group.command("replay")(replay)
    app.add_typer(group, name="events")


def import_(
    file: FileArgument,
    mapping: MapOption = None,
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Append the events in FILE to the histories of their contacts, each once however often FILE is imported."""
    from vinculo import contacts
    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt, output.progress(file, show=not as_json) as advance:
        company = rt.project.settings.company
        rules = contacts.EventRules(
            now=rt.now(),
            currency=company.currency,
            country=company.country,
            zone=company.timezone,
            mapping=pairs(mapping),
            dry_run=dry_run,
            progress=advance,
        )
        done = contacts.import_events(rt.engine, file, rules)
    output.answer(asdict(done), as_json=as_json, text=lambda: _tell(done))
    if done.failed:
        raise typer.Exit(1)


def judge(
    since: SinceOption = "",
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Judge again who opened and clicked, a person or a machine, by today's rule and by what happened around it."""
    from vinculo import feedback
    from vinculo.runtime import open_runtime

    with open_runtime() as rt, rt.begin() as db:
        trial = db.begin_nested()
        changed = feedback.judge_again(db, since=_day(since, rt))
        if dry_run:
            trial.rollback()
    told = "\n".join(f"{number} {change}" for change, number in sorted(changed.items()))
    output.answer(dict(changed), as_json=as_json, text=lambda: output.line(told or "Nothing changes."))


def received(
    door: DoorOption = "",
    since: SinceOption = "",
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="The newest so many.")] = 50,
    as_json: output.JsonFlag = False,
) -> None:
    """List what came in and can be read again: providers' requests of the last 30 days, and mails."""
    from vinculo import feedback
    from vinculo.runtime import open_runtime

    with open_runtime() as rt, rt.read() as db:
        feedback.require_door(rt.project, door)
        found = feedback.received(db, door=door, since=_day(since, rt), limit=limit)
    headers = ["what", "number", "door", "received", "outcome", "bytes"]
    rows = [[one.what, one.id, one.door, f"{one.at:%Y-%m-%d %H:%M:%SZ}", one.outcome, one.size] for one in found]
    output.answer(found, as_json=as_json, text=lambda: output.table(headers, rows))


def replay(
    door: DoorOption = "",
    since: SinceOption = "",
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Read again what came in, by today's code: what was not understood, or matched nobody, may be now."""
    from vinculo import feedback
    from vinculo.runtime import open_runtime

    with open_runtime() as rt:
        again = feedback.rehearse_replay if dry_run else feedback.replay
        outcomes = dict(again(rt, door=door, since=_day(since, rt)))
    told = "\n".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items())) or "Nothing came in."
    told += f"\nThat is what they would be read as. {output.UNCHANGED}" if dry_run and outcomes else ""
    output.answer({**outcomes, "dry_run": dry_run}, as_json=as_json, text=lambda: output.line(told))


def _day(since: str, rt: Runtime) -> datetime | None:
    from vinculo.cli.given import moment

    return moment(since, rt.project.settings.company.timezone) if since else None


def _tell(done: ImportedEvents) -> None:
    output.line(f"{done.file}: {done.read_as}")
    output.tell_thousands(done.thousands)
    counts = {"added": done.added, "known already": done.known, "wrong": done.failed}
    output.line(output.counted(done.rows, counts))
    output.tell_errors(done.failed, done.errors_file, dry_run=done.dry_run)
