"""`vinculo classify`: what a mail that came back is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vinculo.cli import output
from vinculo.errors import UsageError

if TYPE_CHECKING:
    from vinculo.inbox import Mail


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command()(classify)


def classify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A mail as it came (.eml).", show_default=False)],
    as_json: output.JsonFlag = False,
) -> None:
    """Say what a mail is: bounce, complaint, automatic answer, unsubscription or reply; and what it says of whom."""
    from vinculo import inbox

    try:
        raw = file.read_bytes()
    except OSError as error:
        raise UsageError(f"Cannot read {file}: {error.strerror}", "Give a file that holds one mail.") from None
    mail = inbox.classify(raw)
    output.answer(asdict(mail), as_json=as_json, text=lambda: _print(mail))


def _print(mail: Mail) -> None:
    output.line(f"{mail.kind}   {mail.subject}".rstrip())
    for name, value in (("from", mail.sender), ("date", mail.date), ("reason", mail.reason), ("type", mail.feedback)):
        if value:
            output.line(f"{name:<8} {value}")
    if mail.recipients:
        bounced = mail.kind == "bounce"  # a complaint is neither hard nor soft
        hard = [("hard" if r.hard else "soft") if bounced else "" for r in mail.recipients]
        rows = [(r.address, r.action, how, r.status, r.reason) for r, how in zip(mail.recipients, hard, strict=True)]
        output.table(("recipient", "action", "", "status", "reason"), rows)
    if mail.text and mail.kind != "bounce":
        output.line()
        output.line(mail.text)
