"""`vinculo db`: the database's tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from vinculo.cli import output

if TYPE_CHECKING:
    from pathlib import Path

    from vinculo.project import Project


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    group = typer.Typer(no_args_is_help=True, help="Make the database, bring it up to date, adopt a copy.")
    group.command("upgrade")(upgrade)
    group.command("current")(current)
    group.command("adopt")(adopt)
    group.command("facts")(facts)
    app.add_typer(group, name="db")


def upgrade(
    backup: Annotated[bool, typer.Option("--backup", help="First copy a SQLite database beside itself.")] = False,
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Make the database or bring it up to date, and make the secret key if there is none. Safe to repeat."""
    from vinculo import db, private
    from vinculo.runtime import open_runtime

    with open_runtime(need_database=False, whole=False) as rt:
        if not dry_run:
            private.make_folder(rt.project.root / "var")
        copy = db.backup(rt.engine, rt.now()) if backup and not dry_run else None
        before = db.found(rt.engine) if dry_run else db.upgrade(rt.engine)
        secret = None if dry_run else _secret(rt.project)
        place = rt.engine.url.render_as_string(hide_password=True)
    result = {"database": place, "before": before, "now": db.HEAD, "backup": copy, "secret": secret, "dry_run": dry_run}
    output.answer(result, as_json=as_json, text=lambda: _show(result))


def _secret(project: Project) -> Path | None:
    """Make the secret key unless one is configured; return the new file."""
    from vinculo.errors import NotReady
    from vinculo.project import make_secret

    try:
        _ = project.settings.secret_key
    except NotReady:
        return make_secret(project.root)
    return None


def _show(result: Mapping[str, object]) -> None:
    if result["backup"]:
        output.line(f"copied to {result['backup']}")
    if result["before"] == result["now"]:
        output.line(f"{result['database']} is up to date (revision {result['now']})")
    else:
        output.line(f"{result['database']}: revision {result['before'] or 'none'} → {result['now']}")
    if result["dry_run"]:
        output.line(output.UNCHANGED)
    if result["secret"]:
        output.line(f"made the secret key {result['secret']}: back it up, links in old mail need it")


def adopt(
    sure: Annotated[
        bool, typer.Option("--i-am-the-only-copy", help="No other copy of this database sends, now or later.")
    ] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Let a database that was copied, or restored from a backup, send again. What it does not know may go out twice."""
    from vinculo.db import instance
    from vinculo.errors import UsageError
    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt:
        beside = instance.noted_in(rt.project.root)
        with rt.read() as connection:
            trouble = instance.trouble(connection, beside)
        if trouble and not sure:
            raise UsageError(
                f"Nothing is sent: {trouble}",
                "Stop whatever uses another copy; what was sent after this one was made may be sent again. Then say "
                "`vinculo db adopt --i-am-the-only-copy`.",
            )
        if trouble:
            with rt.begin() as connection:
                epoch = instance.adopt(connection)
            instance.remember(beside, epoch)
    words = f"adopted: {trouble}" if trouble else "this database may send: there was nothing to adopt"
    output.answer({"adopted": bool(trouble), "reason": trouble}, as_json=as_json, text=lambda: output.line(words))


def current(as_json: output.JsonFlag = False) -> None:
    """Show the database's revision and ours; exit 3 when the database must be upgraded first."""
    from vinculo import db
    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt, rt.read() as connection:
        result = {"database": rt.engine.url.render_as_string(hide_password=True), "revision": db.current(connection)}
    output.answer(
        {**result, "known": db.HEAD}, as_json=as_json, text=lambda: output.line(f"{result['revision']} (of {db.HEAD})")
    )


def facts(
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Work them out anew from the history.")] = False,
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Compare the maintained facts with the history; exit 1 when one is wrong. Segments ask them for what was done."""
    from vinculo import facts
    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt, rt.begin() as connection:
        wrong = sum(1 for _ in facts.differing(connection))
        number = facts.rebuild(connection) if rebuild and not dry_run else facts.count(connection)
    result = {"facts": number, "wrong": wrong, "rebuilt": rebuild and not dry_run, "dry_run": dry_run}
    output.answer(result, as_json=as_json, text=lambda: _show_facts(result))
    if wrong and not result["rebuilt"]:
        raise typer.Exit(1)


def _show_facts(result: Mapping[str, object]) -> None:
    output.line(f"{result['wrong']} of {result['facts']} facts are not what the history gives")
    if result["rebuilt"]:
        output.line(f"worked out anew: {result['facts']} facts")
    elif result["wrong"]:
        output.note("Mend them with `vinculo db facts --rebuild`.")
    if result["dry_run"]:
        output.line(output.UNCHANGED)
