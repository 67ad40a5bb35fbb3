"""`vinculo contacts export` and `erase`: what a contact may ask of us (GDPR Art. 15, 17, 20; LGPD Art. 18)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vinculo.cli import output
from vinculo.cli.given import KeyArgument
from vinculo.errors import UsageError

if TYPE_CHECKING:
    from vinculo.runtime import Runtime

_BESIDE = "Yours to clear: files that were imported, mailboxes on other servers, backups, and exports you made."
_JOURNAL = (
    "PostgreSQL's journal still holds what was deleted: a replica or the archive is yet to read files of it, "
    "`wal_keep_size` keeps them, or this role is no superuser. Erase the same again later, by # and id, with --rewrite."
)


def register(group: typer.Typer) -> None:
    """Add the commands to the group `contacts`."""
    group.command("export")(export)
    group.command("erase")(erase)


def export(
    key: KeyArgument,
    as_json: Annotated[bool, typer.Option("--json", help="It is JSON in any case.")] = True,  # noqa: ARG001 - as said
) -> None:
    """Print everything we hold on the contact KEY, as JSON; `vinculo schema export` says what is in it."""
    from vinculo import contacts
    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt, rt.read() as db:
        answer = contacts.export(db, contacts.require(db, key), rt.now())
    output.answer(answer, as_json=True, text=lambda: None)


def erase(
    keys: Annotated[list[str], typer.Argument(metavar="KEY", help="Keys, addresses, or # and ids.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    rewrite: Annotated[
        bool, typer.Option("--rewrite", help="PostgreSQL: write the tables anew, so that no freed page keeps a byte.")
    ] = False,
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Forget the contacts KEY … for good. Counts stay; their addresses can never be written to again."""
    from vinculo import contacts
    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt:
        with rt.read() as db:
            ids = list(dict.fromkeys(contacts.require(db, key) for key in keys))
        files, forgotten = 0, True
        if not dry_run:
            _confirm(ids, yes=yes)
            files, forgotten = _erase(rt, ids, rewrite=rewrite)
    named = ", ".join(f"#{number}" for number in ids)
    said = f"Would erase {named}. {output.UNCHANGED}" if dry_run else f"Erased {named}. {_files(files)}{_BESIDE}"
    answer: dict[str, Any] = {"erased": ids, "files": files, "dry_run": dry_run}
    output.answer(answer, as_json=as_json, text=lambda: output.line(said))
    if rewrite and not forgotten:
        output.note(_JOURNAL)


def _erase(rt: Runtime, ids: list[int], *, rewrite: bool) -> tuple[int, bool]:
    """Erase in one transaction, clear the project's own files, and make the database forget; return how many files,
    and whether it has.

    What came in has been read before, so that the transaction is short.
    """
    from vinculo import contacts

    seen = contacts.forget_raw(rt.engine, ids)
    with rt.begin() as db:
        traces = contacts.traces(db, ids)
        for number in ids:
            contacts.erase(db, number, rt.now(), seen)
    files = contacts.sweep(rt.project, traces)
    return files, contacts.scrub(rt.engine, rewrite=rewrite)


def _files(number: int) -> str:
    return f"{number} file{'s' * (number != 1)} of the project cleared. " if number else ""


def _confirm(ids: list[int], *, yes: bool) -> None:
    named = ", ".join(f"#{number}" for number in ids)
    if not yes and not (sys.stdin.isatty() and typer.confirm(f"Erase {named} for good?", err=True)):
        raise UsageError("Nothing was erased", "Say --yes: it cannot be undone.")
