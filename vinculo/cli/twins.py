"""`vinculo contacts duplicates`, `merge`, `unmerge`: contacts that are one person, and those that are not after all."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vinculo.cli import output
from vinculo.errors import UsageError

ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="WORDS", help="Why: needed; kept with who was merged, and exported.")
]
_MOST = 1_000


def register(group: typer.Typer) -> None:
    """Add the commands to the group `contacts`."""
    group.command("duplicates")(duplicates)
    group.command("merge")(merge)
    group.command("unmerge")(unmerge)


def duplicates(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Only what this contact shares with others.")] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=1, metavar="N", help="At most so many values of each kind.")
    ] = _MOST,
    as_json: output.JsonFlag = False,
) -> None:
    """List the contacts that share an address, a telephone number or another system's identifier."""
    from vinculo import contacts
    from vinculo.runtime import open_runtime

    with open_runtime() as rt, rt.read() as db:
        contact_id = contacts.require(db, key) if key else None
        found = contacts.duplicates(db, limit, contact_id)
    output.answer(found, as_json=as_json, text=lambda: _tell(found))


def _tell(found: list[Any]) -> None:
    if not found:
        output.line("No two contacts share an address, a number or an identifier.")
        return
    output.table(
        ["what", "value", "contacts"],
        [[each.by, each.value, " ".join(f"#{number}" for number in each.contacts)] for each in found],
    )
    one, other, *_ = found[0].contacts
    output.note(f"If two are one person: vinculo contacts merge '#{one}' '#{other}' --reason 'same {found[0].by}'")


def merge(
    kept: Annotated[str, typer.Argument(metavar="A", help="The contact that stays.")],
    joined: Annotated[str, typer.Argument(metavar="B", help="The contact that becomes part of A.")],
    reason: ReasonOption = "",
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Merge two contacts that are one person: all of B moves to A; of two answers about consent the stricter holds.

    `unmerge B` undoes it.
    """
    from vinculo import contacts
    from vinculo.runtime import open_runtime

    why = _why(reason, "they are one person: --reason 'same mailbox'")
    with open_runtime() as rt, rt.begin() as db:
        one, other = contacts.require(db, kept), contacts.require(db, joined)
        if one == other and kept.strip() != joined.strip() and contacts.identity(db, one).joined:
            raise UsageError(
                f"`{kept}` and `{joined}` are one contact already, #{one}",
                f"`vinculo contacts show '#{one}'` lists what was merged.",
            )
        contacts.merge(db, one, other, rt.now(), why)
        if dry_run:
            db.rollback()
    said = f"#{other} would become part of #{one}." if dry_run else f"#{other} is now part of #{one}."
    _answer({"kept": one, "joined": other}, said, dry_run=dry_run, as_json=as_json)


def unmerge(
    joined: Annotated[str, typer.Argument(metavar="B", help="The contact that became part of another.")],
    reason: ReasonOption = "",
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Undo the merge of B: each contact has again what it had; what came since stays with the one that stayed."""
    from vinculo import contacts
    from vinculo.runtime import open_runtime

    why = _why(reason, "they are two after all: --reason 'sisters'")
    with open_runtime() as rt, rt.begin() as db:
        one, other = contacts.part(db, joined, rt.now(), why)
        if dry_run:
            db.rollback()
    said = f"#{other} would be taken out of #{one}." if dry_run else f"#{other} is a contact of its own again."
    _answer({"kept": one, "parted": other}, said, dry_run=dry_run, as_json=as_json)


def _why(reason: str, example: str) -> str:
    """Return *reason*: who asks years later why two were one person finds it."""
    if not (words := " ".join(reason.split())):
        raise UsageError("There is no reason", f"Say why {example}. It is kept, and exported.")
    return words


def _answer(answer: dict[str, Any], said: str, *, dry_run: bool, as_json: bool) -> None:
    words = f"{said} {output.UNCHANGED}" if dry_run else said
    output.answer(answer | {"dry_run": dry_run}, as_json=as_json, text=lambda: output.line(words))
