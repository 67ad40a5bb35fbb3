"""What would go out: the occurrences to come, planned for real by the code that sends, counted, and taken back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from vinculo import audience, contacts, ledger, schedule, traffic
from vinculo.db.tables import delivery
from vinculo.errors import VinculoError
from vinculo.ledger import Place
from vinculo.model import CampaignKind, DeliveryState, Occurrence
from vinculo.project import Project
from vinculo.project.schema import Campaign

#: Rows that reach nobody, though they were in the segment.
_LEFT_OUT = (DeliveryState.SKIPPED, DeliveryState.CANCELLED, DeliveryState.REJECTED, DeliveryState.EXPIRED)
#: An occurrence that nobody has run is shown as late for so long, or for its own `late: within`.
_LATE = timedelta(days=1)
_KEY = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})\[([^\]]+)\]")


@dataclass(frozen=True, slots=True)
class PlannedOccurrence:
    """One occurrence: whom it would reach (contacts by channel) and whom not (contacts by reason).

    *state*: `upcoming`; `late` (its time is over and no run took it); `held` and `open` (in the ledger: *sent* so far);
    `paused` or `cancelled` (its campaign is); `missed` (it is not sent; *note* says why, *values* what the console says
    of it). *approval*: a person must still approve it. *error*: why it could not be worked out; then nothing is
    counted, and *phrase* with *values* is how the console calls it, as of `VinculoError`. *days*: on how many days
    it leaves, under rates and daily caps. *note*: what a person should know of that, or why its campaign is paused.
    """

    campaign: str
    occurrence: str
    kind: str
    description: str
    local: datetime
    zone: str
    due_at: datetime
    last_at: datetime
    priority: int
    state: str
    approval: bool = False
    segment: int = 0
    sent: int = 0
    reach: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    error: str = ""
    phrase: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    days: int = 1
    note: str = ""


def forecast(
    db: sa.Connection, project: Project, *, start: datetime, days: int, zones: Collection[str] | None = None
) -> list[PlannedOccurrence]:
    """Every occurrence of the next *days* days from *start* on, and what is held or open in the ledger, by time.

    Of two at the same time the higher priority goes first. Each is planned into the ledger at its own time, so that
    frequency caps see those before it, and at the end all of it is rolled back. *zones*: the contacts' zones; without,
    they are asked for. *db* must be able to write; on SQLite it is the only writer meanwhile.
    """
    places = contacts.zones(db) if zones is None else zones
    trial = db.begin_nested()
    try:
        standing = [_standing(db, project, place) for place in ledger.open_occurrences(db)]
        coming = sorted(_coming(db, project, start, start + timedelta(days=days), places), key=_order)
        rows = standing + [_rehearse(db, project, one, start, places) for one in coming]
        rows = _spread(db, project, start, sorted(rows, key=_order))
    finally:
        trial.rollback()
    return rows


def recounted(db: sa.Connection, rows: Iterable[PlannedOccurrence]) -> list[PlannedOccurrence]:
    """*rows* of an earlier forecast; what is held or open in the ledger has its numbers of now, and nothing is written.

    Beside them somebody approves: who was erased or said no since does not stand among those whom it reaches.
    """
    there = {(place.campaign, place.occurrence) for place in ledger.open_occurrences(db)}
    return [_counted(db, row) if (row.campaign, row.occurrence) in there else row for row in rows]


def _order(row: PlannedOccurrence) -> tuple[Any, ...]:
    return row.due_at, -row.priority, row.campaign, row.occurrence


# ── what is in the ledger ────────────────────────────────────────────────────────────────────────────────────────
def _standing(db: sa.Connection, project: Project, place: Place) -> PlannedOccurrence:
    """An occurrence that is held or open, with what became of it so far. Its file may have changed, or be gone."""
    home = project.settings.company.timezone
    found = _KEY.fullmatch(place.occurrence)
    local = datetime.fromisoformat(found[1]) if found else place.due_at.astimezone(ZoneInfo(home)).replace(tzinfo=None)
    last = db.scalar(sa.select(sa.func.max(delivery.c.due_at)).where(*_of(place.campaign, place.occurrence)))
    row = PlannedOccurrence(
        campaign=place.campaign,
        occurrence=place.occurrence,
        kind=str(place.definition.get("kind", "")),
        description=str(place.definition.get("description", "")),
        local=local,
        zone=found[2] if found else home,
        due_at=place.due_at,
        last_at=last or place.due_at,
        priority=int(place.definition.get("priority", 0)),
        state=ledger.standing(db, place.campaign) or place.state,
        approval=place.state == "held",
    )
    return _counted(db, row)


# ── what is to come ──────────────────────────────────────────────────────────────────────────────────────────────
def _coming(
    db: sa.Connection, project: Project, start: datetime, end: datetime, zones: Collection[str]
) -> Iterator[PlannedOccurrence]:
    for campaign in project.campaigns.values():
        if not campaign.active or campaign.when is None:
            continue
        for occurrence in _occurrences(project, campaign, start, end, zones):
            if ledger.place(db, campaign.name, occurrence.key) is None:
                row = _upcoming(db, project, campaign, occurrence, start, zones)
                yield _missed(row, db, project, campaign, occurrence, zones)


def _occurrences(
    project: Project, campaign: Campaign, start: datetime, end: datetime, zones: Collection[str]
) -> list[Occurrence]:
    """Those of the window, after the one before it if that is late and not long over."""
    assert campaign.when is not None
    home = project.settings.company.timezone
    begin = start - max(_LATE, campaign.late.within)
    found = schedule.occurrences(campaign.name, campaign.when, default_zone=home, start=begin, end=end, zones=zones)
    over = [one for one in found if schedule.span(one, [home, *zones])[0] < start]
    return found[max(0, len(over) - 1) :]


def _upcoming(
    db: sa.Connection, project: Project, campaign: Campaign, one: Occurrence, start: datetime, zones: Collection[str]
) -> PlannedOccurrence:
    first, last = schedule.span(one, [project.settings.company.timezone, *zones])
    return PlannedOccurrence(
        campaign=campaign.name,
        occurrence=one.key,
        kind=CampaignKind(campaign.kind).value,
        description=campaign.description,
        local=one.local,
        zone=one.zone,
        due_at=first,
        last_at=last,
        priority=campaign.priority,
        state=ledger.standing(db, campaign.name) or ("late" if first < start else "upcoming"),
        approval=campaign.approval == "required" or (first < start and campaign.late.else_ == "ask"),
    )


def _missed(
    row: PlannedOccurrence, db: sa.Connection, project: Project, campaign: Campaign, one: Occurrence,
    zones: Collection[str],
) -> PlannedOccurrence:  # fmt: skip
    """*row*, told as not to be sent if it would be the second of its day."""
    again = audience.repeat(db, campaign, one, home=project.settings.company.timezone, zones=zones)
    if again is None:
        return row
    values = {"earlier": again.earlier, "command": again.command}
    return replace(row, state="missed", approval=False, note=f"not sent: {again.words}", values=values)


def _rehearse(
    db: sa.Connection, project: Project, row: PlannedOccurrence, start: datetime, zones: Collection[str]
) -> PlannedOccurrence:
    """Plan *row* as a run at its time would. One that cannot be planned says why and stops nothing else."""
    if row.state == "missed":
        return row
    try:
        with db.begin_nested():  # PostgreSQL takes no statement after a failed one
            campaign, occurrence = project.campaigns[row.campaign], Occurrence(row.campaign, row.local, row.zone)
            audience.enter(db, project, campaign, occurrence, max(start, row.due_at), zones=zones)
            return _counted(db, row)
    except VinculoError as error:
        return replace(row, error=str(error).strip(), phrase=error.phrase, values=error.values)
    except sa.exc.DBAPIError as error:
        said = str(error.orig or error).strip()
        segment = project.campaigns[row.campaign].segment
        return replace(row, error=said, phrase="segment_refused", values={"segment": segment, "error": said})


# ── how long it takes ────────────────────────────────────────────────────────────────────────────────────────────
def _spread(
    db: sa.Connection, project: Project, start: datetime, rows: Iterable[PlannedOccurrence]
) -> list[PlannedOccurrence]:
    """Say of each occurrence on how many days it leaves: those before it take their part of rates and caps."""
    outlook = traffic.Outlook(db, project.settings.limits)
    zone = ZoneInfo(project.settings.company.timezone)
    spread = []
    for row in rows:
        first = max(start, row.due_at).astimezone(zone).date()
        days = outlook.days(db, row.campaign, row.occurrence, first)
        cause = ledger.cause(db, row.campaign)
        notes = [row.note] if row.note else []
        notes += [f"the campaign is {row.state}: {cause}"] if cause and row.state in {"paused", "cancelled"} else []
        notes += [_slow(db, row, first, days, zone)] if days > 1 else []
        spread.append(replace(row, days=days, note="; ".join(notes)))
    return spread


def _slow(db: sa.Connection, row: PlannedOccurrence, first: date, days: int, zone: ZoneInfo) -> str:
    last = first + timedelta(days=days - 1)
    waits = delivery.c.state.in_([DeliveryState.PLANNED, DeliveryState.DEFERRED])
    end = db.scalar(sa.select(sa.func.min(delivery.c.expires_at)).where(*_of(row.campaign, row.occurrence), waits))
    late = end is not None and end < datetime.combine(last, time(), zone)
    return f"leaves on {days} days, until {last}" + (f"; what is left at {end:%Y-%m-%d %H:%M} UTC expires" * late)


# ── counting ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _of(campaign: str, occurrence: str) -> tuple[sa.ColumnElement[bool], ...]:
    return delivery.c.campaign == campaign, delivery.c.occurrence == occurrence


def _counted(db: sa.Connection, row: PlannedOccurrence) -> PlannedOccurrence:
    """The same row with the ledger's numbers."""
    d = delivery.c
    columns = d.state, d.reason, d.channel
    query = sa.select(*columns, sa.func.count()).where(*_of(row.campaign, row.occurrence)).group_by(*columns)
    reach: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    sent = 0
    for state, reason, channel, number in db.execute(query):
        if state in _LEFT_OUT:
            left_out[reason if state == DeliveryState.SKIPPED else state] += number
        else:
            reach[channel] += number
            sent += number if state == DeliveryState.ACCEPTED else 0
    total = reach.total() + left_out.total()
    return replace(
        row, segment=total, sent=sent, reach=dict(sorted(reach.items())), left_out=dict(left_out.most_common())
    )
