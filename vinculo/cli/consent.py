"""`vinculo consent`: what a contact said, as of any moment; ask, withdraw, and what is implied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from vinculo.cli import output
from vinculo.cli.given import KeyArgument, moment

if TYPE_CHECKING:
    from datetime import datetime

    from vinculo.proof import Answer

_Channel = Annotated[str, typer.Argument(metavar="CHANNEL", help="email, sms, …")]
_At = Annotated[
    str, typer.Option("--at", metavar="TIME", help="As of then: 2026-12-01, or 2026-12-01T09:00. Without: now.")
]


def register(app: typer.Typer) -> None:
    """Add the group of commands to *app*."""
    group = typer.Typer(
        no_args_is_help=True, help="May we write? What a contact said, as of any moment, with its proof."
    )
    for command in (show, ask, withdraw, imply):
        group.command()(command)
    app.add_typer(group, name="consent")


def show(key: KeyArgument, at: _At = "", as_json: output.JsonFlag = False) -> None:
    """Show what KEY said of each channel and topic, which answer held at that moment, and every record up to it."""
    from vinculo import contacts, proof
    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt, rt.read() as db:
        when = moment(at, rt.project.settings.company.timezone) if at else rt.now()
        contact = contacts.require(db, key)
        answers, records = proof.answers(db, contact, when), list(proof.records(db, contact, when))
        refused = proof.refused(db, contact)
    suppressed = [{"channel": channel, "address": value, "reason": reason} for channel, value, reason in refused]
    answer = {"contact": contact, "at": when, "answers": answers, "suppressed_now": suppressed, "records": records}
    output.answer(answer, as_json=as_json, text=lambda: _tell(when, answers, records, suppressed))


def _tell(when: datetime, answers: list[Answer], records: list[Answer], suppressed: list[dict[str, str]]) -> None:
    output.line(f"As of {when:%Y-%m-%d %H:%M} UTC")
    for one in suppressed:
        output.line(f"  {one['channel']}: {one['address']} is suppressed now ({one['reason']}); that beats every yes.")
    if not answers:
        output.line("  nothing was said yet: no message but service messages.")
        return
    rows = [[one.channel, one.topic or "everything", _word(one), *_proof(one)] for one in answers]
    output.table(
        ["channel", "topic", "answer", "since (UTC)", "source", "basis", "until (UTC)", "text", "record"], rows
    )
    output.line(f"{len(records)} record{'s' * (len(records) > 1)}, oldest first:")
    lines = [[one.channel, one.topic or "everything", "yes" if one.granted else "no", *_proof(one)] for one in records]
    output.table(["channel", "topic", "said", "at (UTC)", "source", "basis", "until (UTC)", "text", "record"], lines)


def _word(one: Answer) -> str:
    return "yes" if one.live else "expired" if one.granted else "no"


def _proof(one: Answer) -> list[Any]:
    until = f"{one.expires_at:%Y-%m-%d %H:%M}" if one.expires_at else ""
    return [f"{one.at:%Y-%m-%d %H:%M}", one.source, one.legal_basis, until, one.text_hash[:12], f"#{one.id}"]


def ask(
    key: KeyArgument,
    channel: _Channel,
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="A topic of policy.yaml's `confirm`.")],
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Ask KEY by a message to confirm a yes (double opt-in). Nothing is a yes before it is confirmed."""
    from vinculo import contacts, optin
    from vinculo.runtime import open_runtime

    with open_runtime() as rt, rt.begin() as db:
        contact = contacts.require(db, key)
        became = optin.ask(db, rt.project, contact, channel, topic, rt.now(), source="console")
        if dry_run:
            db.rollback()
    said = {
        "asked": "The message that asks is in the ledger: the `deliver` flow sends it, where `vinculo up` runs.",
        "live": "The contact says yes already.",
        "limited": "Not asked: it was asked today, or as often as plan/policy.yaml allows.",
        "unreachable": f"Not asked: no address on {channel} may be written to.",
        "unable": f"Not asked: the template that asks has no part for {channel}, or no connector serves it.",
    }[became.value]
    result = {"contact": contact, "outcome": became.value, "dry_run": dry_run}
    output.answer(
        result, as_json=as_json, text=lambda: output.line(f"{said} {output.UNCHANGED if dry_run else ''}".strip())
    )


def withdraw(
    key: KeyArgument,
    channel: _Channel,
    topic: Annotated[
        str, typer.Argument(metavar="TOPIC", help="One topic; without it: every topic of the channel.")
    ] = "",
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Record that KEY said no, by whatever way it told you. What still waits for it is not sent."""
    from vinculo import consent, contacts
    from vinculo.errors import UsageError, did_you_mean
    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt, rt.begin() as db:
        contact = contacts.require(db, key)
        if topic and topic not in rt.project.policy.topics:
            raise UsageError(f"There is no topic `{topic}`", did_you_mean(topic, rt.project.policy.topics))
        if channel not in {*rt.project.settings.channels, *consent.channels(db, contact)}:
            raise UsageError(f"There is no channel `{channel}`", did_you_mean(channel, rt.project.settings.channels))
        now = rt.now()
        consent.withdraw(db, contact, channel, topic, now, source="console", heard=now)
        if dry_run:
            db.rollback()
    result = {"contact": contact, "channel": channel, "topic": topic, "dry_run": dry_run}
    said = f"#{contact} {'would say' if dry_run else 'says'} no to {topic or 'everything'} on {channel}."
    output.answer(result, as_json=as_json, text=lambda: output.line(said))


def imply(dry_run: output.DryRunFlag = False, as_json: output.JsonFlag = False) -> None:
    """Record the yes that plan/policy.yaml (`implied`) sees in what contacts did; each ends by itself."""
    from vinculo import proof
    from vinculo.runtime import open_runtime

    with open_runtime() as rt, rt.begin() as db:
        number = proof.imply(db, rt.project.policy, rt.now())
        if dry_run:
            db.rollback()
    said = f"{number:,} implied consents {'would be' if dry_run else 'were'} recorded."
    output.answer({"recorded": number, "dry_run": dry_run}, as_json=as_json, text=lambda: output.line(said))
