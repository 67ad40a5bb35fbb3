"""The first page: the figures of today, what waits for a person, what comes next, what came back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from vinculo import audience, contacts, ledger, report, schedule
from vinculo.db import tables
from vinculo.errors import UsageError
from vinculo.model import Direction
from vinculo.report import Standing
from vinculo.web.console.frame import render
from vinculo.web.place import Place, place

#: How far ahead the page looks, in days, and how many lines each list has.
AHEAD, LINES = 14, 8
#: Of fewer lines that belong to messages all are looked at.
_FEW = 2_000


@dataclass(frozen=True, slots=True)
class Coming:
    """An occurrence of the calendar that is still to come: from when on, and the hour that its file says."""

    at: datetime
    local: datetime
    zone: str
    campaign: str
    kind: str
    description: str


async def page(request: Request) -> Response:
    """Today at a glance."""
    here = place(request)
    found = await here.off_loop(_found, here)
    return render(request, "overview.html", here="overview", days=AHEAD, **found)


def _found(here: Place) -> dict[str, Any]:
    with here.read() as db:
        return {
            "figures": _figures(here, db),
            "held": [one for one in ledger.open_occurrences(db) if one.state == "held"],
            "paused": _paused(db),
            "coming": _coming(here, db),
            "came": _came(db),
            **_objectives(here, db),
        }


def _paused(db: sa.Connection) -> list[Any]:
    """The campaigns that are paused, and why; by hand, for no reason that is told."""
    c = tables.control.c
    return list(db.execute(sa.select(c.campaign, c.reason).where(c.state == "paused").order_by(c.campaign)))


def _objectives(here: Place, db: sa.Connection) -> dict[str, Any]:
    """Where the objectives stand; one that cannot be measured says why, and stops nothing else."""
    standings: list[Standing] = []
    unmeasured: list[tuple[str, str]] = []
    for name, wanted in here.project.objectives.items():
        try:
            standings += report.objectives(db, {name: wanted}, here.project.campaigns, here.now())
        except UsageError as error:
            unmeasured.append((name, str(error)))
    return {"objectives": standings, "unmeasured": unmeasured}


def _figures(here: Place, db: sa.Connection) -> dict[str, int]:
    return {
        "contacts": contacts.how_many(db),
        "sent": ledger.sent_since(db, here.now() - timedelta(days=7)),
        **ledger.unsettled(db),
        "suppressed": db.scalar(sa.select(sa.func.count()).select_from(tables.suppression)) or 0,
    }


def _coming(here: Place, db: sa.Connection) -> list[Coming]:
    """What the calendar brings next, less what is in the ledger already, brought forward or waiting to be approved.

    Less, too, what would be the second of its day.
    """
    home, now, zones = here.project.settings.company.timezone, here.now(), contacts.zones(db)
    rows = [
        (schedule.span(one, [home, *zones])[0], name, one)
        for name, campaign in here.project.campaigns.items()
        if campaign.active and campaign.when is not None
        for one in schedule.occurrences(
            name, campaign.when, default_zone=home, start=now, end=now + timedelta(days=AHEAD), zones=zones
        )
    ]
    files = here.project.campaigns
    new = (
        (at, name, one)
        for at, name, one in sorted(rows, key=lambda row: row[:2])
        if ledger.place(db, name, one.key) is None and not audience.repeat(db, files[name], one, home=home, zones=zones)
    )
    return [
        Coming(at, one.local, one.zone, name, files[name].kind, files[name].description)
        for at, name, one in islice(new, LINES)
    ]


def _came(db: sa.Connection) -> list[Any]:
    i, c = tables.interaction.c, tables.contact.c
    name = sa.func.trim(c.given_name.concat(" ").concat(c.family_name)).label("name")
    ask = sa.select(i.at, i.kind, i.channel, i.campaign, i.summary, i.contact_id, name).join_from(
        tables.interaction, tables.contact, c.id == i.contact_id
    )
    mine = ask.where(i.direction == Direction.IN.value, i.delivery_id.is_not(None))
    few = _few(db)
    mine = mine if few is None else mine.where(i.id.in_(few))
    return list(db.execute(mine.order_by(i.id.desc()).limit(LINES)))


def _few(db: sa.Connection) -> list[int] | None:
    """The newest lines that came back, while there are few; None: there are many, so that the newest are near.

    Of a company that has sent nothing yet, and has brought its shop's history, the whole of it would be read.
    """
    i = tables.interaction.c
    # In the order of their index, so that it is what is read.
    ours = sa.select(i.id, i.direction).where(i.delivery_id.is_not(None)).order_by(i.delivery_id).limit(_FEW)
    if len(db.execute(ours.with_only_columns(i.delivery_id)).all()) == _FEW:
        return None
    return sorted(row.id for row in db.execute(ours) if row.direction == Direction.IN)[-LINES:]
