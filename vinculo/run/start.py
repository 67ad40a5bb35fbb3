"""What flows and the command line call: primitives in, plain data out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from vinculo import audience, contacts, ledger, schedule
from vinculo.errors import ProjectError, UsageError, did_you_mean
from vinculo.model import DeliveryState, Occurrence
from vinculo.project.schema import Campaign
from vinculo.run.needs import Needs, Stop, never, require_whole
from vinculo.run.occurrence import begin, finish
from vinculo.schedule import When

YEAR = timedelta(days=366)


def definition(rt: Needs, campaign: str) -> dict[str, Any]:
    """The campaign of the calendar as plain data.

    Raises `NotReady` while a file is wrong on which all rest, `ProjectError` with what is wrong in its own,
    `UsageError` for an unknown one.
    """
    require_whole(rt.project)
    if wrong := [each for each in rt.project.problems if each.concerns("plan/calendar", campaign)]:
        raise ProjectError(wrong)
    found = rt.project.campaigns.get(campaign)
    if found is None:
        raise UsageError(f"There is no campaign `{campaign}`", did_you_mean(campaign, rt.project.campaigns))
    return found.model_dump(mode="json", by_alias=True)


def read_definition(rt: Needs, data: Mapping[str, Any]) -> Campaign:
    """Turn plain data into a campaign. Raises `UsageError` that names every wrong or unknown value."""
    try:
        campaign = Campaign.model_validate(dict(data))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise UsageError(f"This is no campaign: {wrong}") from None
    project = rt.project
    for word, name, known in (
        ("segment", campaign.segment, project.segments),
        ("template", campaign.template, project.templates),
        ("topic", campaign.topic, project.policy.topics),
    ):
        if name not in known:
            raise UsageError(f"There is no {word} `{name}`", did_you_mean(name, known))
    return campaign


def standing_for(rt: Needs, campaign: Campaign, at: datetime, *, adhoc: bool = False) -> Occurrence | None:
    """The occurrence for which a run at *at* stands: of the calendar, or (*adhoc*, or without `when`) the day's.

    One a day and name: who starts a form twice, or whose run Prefect starts twice, writes to nobody twice.
    """
    home = rt.project.settings.company.timezone
    if adhoc or campaign.when is None:
        with rt.read() as db:
            return audience.by_hand(db, campaign.name, at, home=home)
    with rt.read() as db:
        zones = contacts.zones(db)
    return schedule.standing_for(campaign.name, campaign.when, at, default_zone=home, zones=zones)


def pick(rt: Needs, campaign: Campaign, at: datetime | None = None) -> Occurrence:
    """The occurrence that a person means who says "run it now", or "the one of *at*".

    Now means the latest that is due and not yet too late, else the next, brought forward: so the calendar's own run
    finds it done. Raises `UsageError` when there is none.
    """
    now = rt.now()
    current = standing_for(rt, campaign, at or now)
    if campaign.when is None and current is not None:
        return current
    if at is not None and current is None:
        raise UsageError(
            f"{campaign.name} has no occurrence at or before {at:%Y-%m-%d %H:%M} UTC", "Give a later time."
        )
    with rt.read() as db:
        zones = contacts.zones(db)
    home = rt.project.settings.company.timezone
    if current and (at or schedule.span(current, [home, *zones])[1] + campaign.late.within >= now):
        return current
    coming = schedule.occurrences(
        campaign.name, campaign.when or When(), default_zone=home, start=now, end=now + YEAR, zones=zones
    )
    if not coming:
        raise UsageError(f"{campaign.name} has no occurrence within a year", "Mend `when:` in its file.")
    return coming[0]


def start(
    rt: Needs, data: Mapping[str, Any], at: datetime, *, adhoc: bool = False, stop: Stop = never
) -> dict[str, Any]:
    """Plan the occurrence that *at* stands for; return what a flow goes on with, and the audience funnel.

    *adhoc*: a send of its own, once a day and name. *stop*: whether to give up, as for `begin`. Raises `UsageError` for
    *data* that is no campaign, and for an ad hoc send with the name of one of the calendar.
    """
    campaign = read_definition(rt, data)
    if adhoc and campaign.name in rt.project.campaigns:
        raise UsageError(f"`{campaign.name}` is a campaign of the calendar", "Give this send another name.")
    occurrence = standing_for(rt, campaign, at, adhoc=adhoc)
    if occurrence is None:
        return _nothing(f"{campaign.name} has no occurrence at or before {at:%Y-%m-%d %H:%M} UTC")
    by_hand = adhoc or campaign.when is None
    if by_hand and _too_late(rt, campaign, occurrence, at):
        return _nothing(f"{campaign.name} was meant for {at:%Y-%m-%d %H:%M} UTC: that is too long ago")
    if by_hand and _is_cancelled(rt, campaign, occurrence):
        return _nothing(f"{campaign.name} is cancelled: `vinculo resume {campaign.name}` allows new occurrences")
    settings, again = rt.project.settings, list[str]()

    def repeats(db: sa.Connection, zones: Collection[str]) -> bool:
        """Whether it would be the second of its day; a run of the hour of before may begin at the same moment."""
        words = _by_another(db, rt, occurrence, at) if by_hand else _repeat(db, rt, campaign, occurrence, zones)
        again.extend([words] if words else [])
        return bool(words)

    begin(rt, campaign, occurrence, due_now=by_hand, stop=stop, unless=repeats)
    if again:
        return _nothing(f"Not sent: {again[0]}")
    with rt.read() as db:
        place = ledger.place(db, campaign.name, occurrence.key)
        if place is None:
            return _nothing(f"Nobody is in the segment {campaign.segment}: there was nothing to plan")
        counts = ledger.counts(db, campaign.name, occurrence.key)
        return {
            "campaign": campaign.name,
            "occurrence": occurrence.key,
            "slug": slug(campaign.name, occurrence.key),
            "held": place.state == "held",
            "workers": settings.limits.workers,
            "web_url": settings.web.url,
            "contacts": sum(counts.values()),
            "funnel": funnel(counts),
        }


def _by_another(db: sa.Connection, rt: Needs, occurrence: Occurrence, at: datetime) -> str:
    """Why what a person sends at *at* is not sent, if it was planned meanwhile where the company has another zone."""
    one = audience.by_hand(db, occurrence.campaign, at, home=rt.project.settings.company.timezone)
    words = f"{one.campaign} is on its way, planned by hand on {one.local:%Y-%m-%d} ({one.zone})"
    return words if one != occurrence else ""


def _repeat(db: sa.Connection, rt: Needs, campaign: Campaign, occurrence: Occurrence, zones: Collection[str]) -> str:
    """Why an occurrence of the calendar is not sent, if it would be the second of its day."""
    found = audience.repeat(db, campaign, occurrence, home=rt.project.settings.company.timezone, zones=zones)
    return found.words if found else ""


def _too_late(rt: Needs, campaign: Campaign, occurrence: Occurrence, at: datetime) -> bool:
    """Whether a send by hand begins too long after *at*. One that is planned has begun: an approval may take days."""
    if campaign.late.else_ != "skip" or at + campaign.late.within >= rt.now():
        return False
    with rt.read() as db:
        return ledger.place(db, campaign.name, occurrence.key) is None


def _is_cancelled(rt: Needs, campaign: Campaign, occurrence: Occurrence) -> bool:
    """Whether planning a send by hand now would cancel it for good, with nobody having meant that."""
    with rt.read() as db:
        planned = ledger.place(db, campaign.name, occurrence.key) is not None
        return not planned and ledger.standing(db, campaign.name) == "cancelled"


def _nothing(reason: str) -> dict[str, Any]:
    return {"occurrence": "", "reason": reason}


def slug(campaign: str, occurrence: str) -> str:
    """A short name of an occurrence that may stand in URLs and artifact keys."""
    day = occurrence[:10]
    return f"{campaign.replace('_', '-')}-{day}-{hashlib.sha256(occurrence.encode()).hexdigest()[:6]}"


def funnel(counts: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
    """The audience step by step: the whole segment, each reason for leaving somebody out, and who remains."""
    left_out = {reason: n for (state, reason), n in counts.items() if state == DeliveryState.SKIPPED}
    total = sum(counts.values())
    rows: list[dict[str, Any]] = [{"step": "segment", "contacts": total}]
    rows += [{"step": f"left out: {reason}", "contacts": left_out[reason]} for reason in sorted(left_out)]
    return [*rows, {"step": "to be sent", "contacts": total - sum(left_out.values())}]


def decide(rt: Needs, campaign: str, occurrence: str, approved: bool, by: str) -> bool:  # noqa: FBT001 - the decision
    """Open a held occurrence for sending, or cancel it; *by* is kept with it."""
    with rt.begin() as db:
        if approved:
            ledger.approve(db, campaign, occurrence, by or "somebody", rt.now())
        else:
            ledger.reject(db, campaign, occurrence, by or "somebody", rt.now())
    return approved


def conclude(rt: Needs, campaign: str, occurrence: str) -> dict[str, Any]:
    """Finish the occurrence if nothing of it is open; return its states, and in words what it waits for."""
    finished = finish(rt, campaign, occurrence)
    with rt.read() as db:
        counts = ledger.counts(db, campaign, occurrence)
        due = ledger.next_due(db, campaign, occurrence)
        standing, cause = ledger.standing(db, campaign), ledger.cause(db, campaign)
    states: Counter[str] = Counter()
    for (state, _), number in counts.items():
        states[state] += number
    rows = sorted((state, reason, number) for (state, reason), number in counts.items())
    return {
        "finished": finished,
        "states": dict(states),
        "rows": rows,
        "words": _words(states, due) + _stopped(standing, cause),
    }


def _stopped(standing: str, cause: str) -> str:
    """Why the campaign stands still, if it does."""
    if not standing:
        return ""
    return f"; the campaign is {standing}" + (f" ({cause})" if cause else "") + ": `vinculo resume` lets it go on"


def _words(states: Mapping[str, int], due: datetime | None) -> str:
    parts = [f"{number:,} {state.replace('_', ' ')}" for state, number in sorted(states.items())]
    waits = f"; the next is due {due:%Y-%m-%d %H:%M} UTC" if due else ""
    return ", ".join(parts) + waits


def conclude_open(rt: Needs) -> list[str]:
    """Finish every open occurrence of which nothing is open any more; return their keys."""
    with rt.read() as db:
        waiting = ledger.open_occurrences(db)
    return [f"{one.campaign} {one.occurrence}" for one in waiting if finish(rt, one.campaign, one.occurrence)]


def share_done(rt: Needs, campaign: str, occurrence: str, of: int) -> float:
    """How much of the occurrence's *of* rows is settled for good, from 0 to 1."""
    with rt.read() as db:
        return 1 - ledger.open_rows(db, campaign, occurrence) / of
