"""The command line: parse, call, print. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import io
import sys

import typer

from vinculo.cli import (
    campaign,
    consent,
    contacts,
    conversation,
    db,
    doctor,
    events,
    inbox,
    ledger,
    limits,
    output,
    plan,
    project,
    report,
    score,
    segment,
    service,
    template,
)

app = typer.Typer(
    name="vinculo",
    help="Run a company's relationship plan: who hears from it, what, on which channel, when, and what came back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for area in (
    *(project, db, doctor, service),  # a project and its installation
    *(contacts, consent, events, segment),  # who
    *(template, plan, campaign, ledger, limits),  # what and when
    *(inbox, conversation, report, score),  # what came back
):
    area.register(app)


def main() -> None:
    """Run the command line; exit 0 done, 1 a problem found, 2 wrong usage or file, 3 something is not there."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal without our letters gets them spelt, not a traceback
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(output.guard(app))
