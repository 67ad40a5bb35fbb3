"""The month: every occurrence on its day, those to come from the calendar's files, those that were from the ledger."""

from __future__ import annotations

import calendar
import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from vinculo import audience, contacts, schedule
from vinculo.db.tables import occurrence
from vinculo.model import Occurrence
from vinculo.project.answers import OURS
from vinculo.project.schema import Campaign
from vinculo.web.console.frame import render
from vinculo.web.place import Place, place

#: No clock on earth is further from UTC.
_FURTHEST = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class Entry:
    """An occurrence in its place: the wall clock of its zone, which is each contact's own with *contact_zone*."""

    at: datetime
    campaign: str
    key: str
    kind: str
    state: str
    contact_zone: bool


async def page(request: Request) -> Response:
    """The month `?month=2026-12`, else this one."""
    here = place(request)
    today = here.now().astimezone(ZoneInfo(here.project.settings.company.timezone)).date()
    first = _month(request.query_params.get("month", "")) or today.replace(day=1)
    days = await here.off_loop(_entries, here, first)
    weeks = calendar.Calendar(firstweekday=calendar.MONDAY).monthdatescalendar(first.year, first.month)
    return render(
        request,
        "calendar.html",
        here="calendar",
        first=first,
        weeks=weeks,
        days=days,
        today=today,
        before=(first - timedelta(days=1)).replace(day=1),
        after=(first + timedelta(days=31)).replace(day=1),
    )


def _month(text: str) -> date | None:
    found = re.fullmatch(r"(20\d\d)-(0[1-9]|1[0-2])", text, re.ASCII)
    return date(int(found[1]), int(found[2]), 1) if found else None


def _entries(here: Place, first: date) -> Mapping[date, list[Entry]]:
    """The month's occurrences by day. One in the ledger is shown as the ledger has it."""
    start = datetime.combine(first, time(), UTC) - _FURTHEST
    end = datetime.combine(first + timedelta(days=calendar.monthrange(first.year, first.month)[1]), time(), UTC)
    with here.read() as db:
        planned = _of_ledger(here, db, first, start, end + _FURTHEST)
        taken = {(one.campaign, one.at.date()) for one in planned}
        entries = {(one.campaign, one.key): one for one in _of_files(here, db, start, end + _FURTHEST, taken)}
        entries |= {(one.campaign, one.key): one for one in planned}
    days: dict[date, list[Entry]] = defaultdict(list)
    for entry in sorted(entries.values(), key=lambda one: (one.at, one.campaign)):
        if (entry.at.year, entry.at.month) == (first.year, first.month):
            days[entry.at.date()].append(entry)
    return days


def _of_files(
    here: Place, db: sa.Connection, start: datetime, end: datetime, taken: Collection[tuple[str, date]]
) -> list[Entry]:
    """Those to come. *taken*: campaigns with days of which the ledger has an occurrence: another may be not sent."""
    home, zones = here.project.settings.company.timezone, contacts.zones(db)

    def state(campaign: Campaign, one: Occurrence) -> str:
        asked = (campaign.name, one.local.date()) in taken
        return "missed" if asked and audience.repeat(db, campaign, one, home=home, zones=zones) else "upcoming"

    return [
        Entry(one.local, name, one.key, campaign.kind, state(campaign, one), one.zone == "contact")
        for name, campaign in here.project.campaigns.items()
        if campaign.active and campaign.when is not None
        for one in schedule.occurrences(
            name, campaign.when, default_zone=home, start=max(start, here.now()), end=end, zones=zones
        )
    ]


def _of_ledger(here: Place, db: sa.Connection, first: date, start: datetime, end: datetime) -> list[Entry]:
    """Those of the month by their name, whenever they were due: one brought forward was sent before its day."""
    home, o = ZoneInfo(here.project.settings.company.timezone), occurrence.c
    mine = o.occurrence.startswith(f"{first:%Y-%m}-") | ((o.due_at >= start) & (o.due_at < end))
    ask = sa.select(o.campaign, o.occurrence, o.state, o.due_at, o.definition)
    return [
        Entry(
            _wall_clock(row.occurrence) or row.due_at.astimezone(home).replace(tzinfo=None),
            row.campaign,
            row.occurrence,
            str(row.definition.get("kind", "")),
            row.state,
            row.occurrence.endswith("[contact]"),
        )
        for row in db.execute(ask.where(mine, o.campaign.not_in(OURS)))
    ]


def _wall_clock(key: str) -> datetime | None:
    """The wall clock that an occurrence is named by; None for a name of another form."""
    try:
        return datetime.fromisoformat(key.partition("[")[0])
    except ValueError:
        return None
