"""`vinculo why`, `pause`, `resume`, `cancel`, `resolve`: ask the ledger, and steer it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vinculo.cli import output

if TYPE_CHECKING:
    import sqlalchemy as sa

    from vinculo.audience import Trace
    from vinculo.ledger import Claim, Decision, Doubt
    from vinculo.runtime import Runtime

CampaignArgument = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Name of a campaign, as in plan/calendar.")]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    for command in (why, pause, resume, cancel, resolve):
        app.command()(command)


# ── why ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def why(
    contact: Annotated[str, typer.Argument(metavar="CONTACT", help="Key, alias or address of a contact, or `#id`.")],
    campaign: CampaignArgument,
    as_json: output.JsonFlag = False,
) -> None:
    """Tell what CONTACT got of CAMPAIGN in each occurrence, and why, or why not; then, rule by rule, what holds now."""
    from vinculo import contacts, history, ledger
    from vinculo.runtime import open_runtime

    with open_runtime() as rt, rt.read() as db:
        contact_id = contacts.require(db, contact)
        away = history.away_until(db, contact_id, rt.now().date())
        verdicts = ledger.why(db, contact_id, campaign)
        gone = campaign not in rt.project.campaigns and bool(
            verdicts or campaign in rt.project.own or ledger.counts(db, campaign) or ledger.standing(db, campaign)
        )
        found = None if gone else _trace(rt, db, campaign, contact_id)
        missed = "" if gone else _missed(rt, db, campaign)
    words = "" if verdicts else _never(rt, campaign, contact_id, found)
    answer = {
        "contact": contact,
        "campaign": campaign,
        "occurrences": verdicts,
        "words": words,
        "missed": missed,
        "away_until": away,
        "trace": found,
    }
    plain = answer | {"occurrences": [asdict(one) for one in verdicts], "trace": asdict(found) if found else None}
    output.answer(plain, as_json=as_json, text=lambda: _show(answer))


def _show(answer: dict[str, Any]) -> None:
    for one in answer["occurrences"]:
        place = f" ({one.channel} {one.address})" if one.address else ""
        output.line(f"{one.occurrence}  {one.state}{place}")
        output.line(f"    {one.words}" + (f" {one.response}" if one.response else ""))
        if one.rests_on:
            output.line(f"    {one.rests_on}")
    for words in filter(None, (answer["words"], answer["missed"])):
        output.line(words)
    found: Trace | None = answer["trace"]
    if found:
        output.line(f"Rule by rule, as of {found.at:%Y-%m-%d %H:%M} UTC:")
        output.table(["rule", "outcome", "found"], [[one.rule, one.outcome, one.words] for one in found.steps])
    if answer["away_until"]:
        output.line(f"An automatic answer says: away until {answer['away_until']}. A hint; nothing was decided by it.")


def _trace(rt: Runtime, db: sa.Connection, campaign: str, contact_id: int) -> Trace:
    """What each rule says of an occurrence that would be planned now."""
    from zoneinfo import ZoneInfo

    from vinculo import audience, run
    from vinculo.model import Moment, Occurrence

    file = run.read_definition(rt, run.definition(rt, campaign))
    now, home = rt.now(), rt.project.settings.company.timezone
    local = now.astimezone(ZoneInfo(home)).replace(tzinfo=None)
    date, moment = Occurrence(campaign, local, home), Moment(now, local.date())
    zones = dict.fromkeys((home, *_clocks(db, contact_id)), now)
    return audience.trace(db, rt.project, file, date, moment, contact_id, zones=zones)


def _missed(rt: Runtime, db: sa.Connection, campaign: str) -> str:
    """Why today's occurrence of the calendar is not sent to anybody, if it would be the second of its day."""
    from datetime import time, timedelta
    from zoneinfo import ZoneInfo

    from vinculo import audience, contacts, schedule

    file, home = rt.project.campaigns[campaign], rt.project.settings.company.timezone
    if file.when is None:
        return ""
    today = datetime.combine(rt.now().astimezone(ZoneInfo(home)).date(), time(), ZoneInfo(home))
    zones, end = contacts.zones(db), today + timedelta(days=1)
    found = schedule.occurrences(campaign, file.when, default_zone=home, start=today, end=end, zones=zones)
    again = (audience.repeat(db, file, one, home=home, zones=zones) for one in found)
    return next((f"{one.key} is not sent: {told.words}" for one, told in zip(found, again, strict=True) if told), "")


def _clocks(db: sa.Connection, contact_id: int) -> Collection[str]:
    """The contact's own zone; where nothing is known of where it lives, all in which contacts do."""
    from vinculo import contacts

    found = contacts.load(db, [contact_id]).get(contact_id)
    if found is None or found.country:
        return [found.timezone] if found else []
    return [found.timezone] if found.timezone else contacts.zones(db)


def _never(rt: Runtime, campaign: str, contact_id: int, found: Trace | None) -> str:
    """Why there is no row: not in the segment, or nothing planned yet and what would become of the contact now.

    Without *found* only the ledger has the campaign: a form's, one of ours, or one whose file is gone.
    """
    from vinculo import optin

    if topic := optin.campaigns(rt.project).get(campaign):
        asks = f"`{campaign}` asks who has said yes to `{topic}` to confirm it (`confirm` in plan/policy.yaml)."
        return f"{asks} The contact was not asked."
    if found is None:
        return f"The contact is in no occurrence of `{campaign}`."
    segment = rt.project.campaigns[campaign].segment
    if not found.state:
        remedy = f"`vinculo segment explain {segment} #{contact_id}` tells why."
        return f"Not in the segment `{segment}`, so no occurrence concerns the contact. {remedy}"
    would = "get it" if found.state == "planned" else f"be left out: {found.reason}"
    return f"In the segment `{segment}`, but in no occurrence so far. Planned now, the contact would {would}."


# ── pause, resume, cancel ────────────────────────────────────────────────────────────────────────────────────────
def pause(campaign: CampaignArgument, dry_run: output.DryRunFlag = False, as_json: output.JsonFlag = False) -> None:
    """Hand over nothing more of CAMPAIGN until it is resumed."""
    _steer("paused", campaign, dry_run=dry_run, as_json=as_json)


def resume(campaign: CampaignArgument, dry_run: output.DryRunFlag = False, as_json: output.JsonFlag = False) -> None:
    """Go on with a paused CAMPAIGN; after a cancellation, allow new occurrences."""
    _steer("resumed", campaign, dry_run=dry_run, as_json=as_json)


def cancel(campaign: CampaignArgument, dry_run: output.DryRunFlag = False, as_json: output.JsonFlag = False) -> None:
    """Hand over nothing more of CAMPAIGN, and cancel every delivery that waits."""
    _steer("cancelled", campaign, dry_run=dry_run, as_json=as_json)


def _steer(what: str, campaign: str, *, dry_run: bool, as_json: bool) -> None:
    from vinculo import ledger
    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt, rt.begin() as db:
        waiting, before = _known(rt, db, campaign), ledger.standing(db, campaign)
        if not dry_run:
            _say(db, what, campaign, rt)
    stays = what == "paused" and before == "cancelled"
    result = {"campaign": campaign, "state": before if stays else what, "waiting": waiting, "dry_run": dry_run}
    words = "stays cancelled" if stays else f"{'would be' if dry_run else 'is'} {what}"
    if what == "resumed" and not before:
        words = "is neither paused nor cancelled"
    fate = "cancelled with it" if what == "cancelled" else "waiting"
    output.answer(
        result, as_json=as_json, text=lambda: output.line(f"{campaign} {words}; deliveries {fate}: {waiting:,}")
    )


def _known(rt: Runtime, db: sa.Connection, campaign: str) -> int:
    """How many deliveries of *campaign* are not handed over. Raises `UsageError` for a name that nobody knows."""
    from vinculo import ledger
    from vinculo.errors import UsageError, did_you_mean

    counts = ledger.counts(db, campaign)
    known = campaign in rt.project.campaigns or campaign in rt.project.own
    if not counts and not known and not ledger.standing(db, campaign):
        raise UsageError(f"There is no campaign `{campaign}`", did_you_mean(campaign, rt.project.campaigns))
    return sum(number for (state, _), number in counts.items() if state in {"planned", "deferred", "claimed"})


def _say(db: sa.Connection, what: str, campaign: str, rt: Runtime) -> None:
    from vinculo import ledger

    if what == "paused":
        ledger.pause(db, campaign, rt.now(), "vinculo pause")
    elif what == "resumed":
        ledger.resume(db, campaign, rt.now())
    else:
        ledger.cancel(db, campaign, rt.now())


# ── resolve ──────────────────────────────────────────────────────────────────────────────────────────────────────
def resolve(  # noqa: PLR0913, PLR0917 - each is one option
    ids: Annotated[list[int] | None, typer.Argument(metavar="ID", help="Ids from the list.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Settle all that are listed.")] = False,
    accepted: Annotated[bool, typer.Option("--accepted", help="They were accepted.")] = False,
    resend: Annotated[bool, typer.Option("--resend", help="Send them again; they may arrive twice.")] = False,
    write_off: Annotated[bool, typer.Option("--write-off", help="Give them up.")] = False,
    campaign: Annotated[str, typer.Option(metavar="NAME", help="Only those of this campaign.")] = "",
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """List the deliveries in doubt, or settle them by --accepted, --resend or --write-off."""
    from vinculo import ledger
    from vinculo.runtime import open_runtime

    decision = _decision(accepted=accepted, resend=resend, write_off=write_off)
    _require_which(decision, ids or [], every=every)
    with open_runtime(whole=False) as rt, rt.begin() as db:
        doubts = _chosen(ledger.in_doubt(db, campaign), ids or [])
        stay, had = list[int](), 0
        if decision:
            trial = db.begin_nested()
            settled = ledger.resolve(db, [one.id for one in doubts], decision, rt.now())
            _remember(rt, db, settled if decision == "accepted" else [], doubts)
            stay = sorted({one.id for one in doubts} & {one.id for one in ledger.in_doubt(db, campaign)})
            had = ledger.had(db, stay)
            trial.rollback() if dry_run else trial.commit()
    rows = [asdict(one) for one in doubts]
    result = {"decision": decision, "dry_run": dry_run, "deliveries": rows, "still_in_doubt": stay}
    output.answer(result, as_json=as_json, text=lambda: _list(doubts, decision, len(stay), had, dry_run=dry_run))


def _decision(*, accepted: bool, resend: bool, write_off: bool) -> Decision | None:
    from vinculo.errors import UsageError

    choices: dict[Decision, bool] = {"accepted": accepted, "resend": resend, "write_off": write_off}
    chosen = [name for name, given in choices.items() if given]
    if len(chosen) > 1:
        raise UsageError("More than one decision was given", "Give one of --accepted, --resend, --write-off.")
    return chosen[0] if chosen else None


def _require_which(decision: Decision | None, ids: list[int], *, every: bool) -> None:
    """A decision is about deliveries that somebody has named: forgotten ids must not settle all there are."""
    from vinculo.errors import UsageError

    if decision and not (ids or every):
        raise UsageError("Which of them was not said", "Give their ids, or --all for all that `vinculo resolve` lists.")
    if every and (ids or not decision):
        raise UsageError("--all stands for ids, beside a decision", "Give a decision, and either ids or --all.")


def _chosen(doubts: list[Doubt], ids: list[int]) -> list[Doubt]:
    from vinculo.errors import NotFound

    missing = sorted(set(ids) - {one.id for one in doubts})
    if missing:
        raise NotFound(f"Not in doubt: {', '.join(map(str, missing))}", "`vinculo resolve` lists what is.")
    return [one for one in doubts if not ids or one.id in ids]


def _remember(rt: Runtime, db: sa.Connection, accepted: list[Claim], doubts: list[Doubt]) -> None:
    """What was accepted after all was sent when it was handed over, not when somebody found out."""
    from vinculo import history

    since = {one.id: one.since for one in doubts}
    for claim in accepted:
        history.sent(db, [claim.id], since[claim.id] or rt.now())


def _list(doubts: list[Doubt], decision: str | None, stay: int, had: int, *, dry_run: bool) -> None:
    if not doubts:
        output.line("Nothing is in doubt.")
        return
    headers = ["id", "campaign", "occurrence", "contact", "channel", "handed over", "answer"]
    output.table(
        headers,
        [[str(d.id), d.campaign, d.occurrence, d.contact, d.channel, _minute(d.since), d.response] for d in doubts],
    )
    if decision:
        verb = "Would be settled" if dry_run else "Settled"
        output.line(f"{verb} as {decision.replace('_', ' ')}: {len(doubts) - stay:,}.")
        for number, why in (
            (stay - had, "their occurrence is cancelled"),
            (had, "their contact has it, or may have it, as one that was merged with it"),
        ):
            if number:  # nothing of it is sent any more
                output.line(f"In doubt as before, for {why}: {number:,}. Say --accepted or --write-off.")
    else:
        output.line("Settle them with --accepted, --resend or --write-off, and their ids or --all.")


def _minute(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else ""
