"""What would go out: every occurrence of the next days, worked out by the code that sends.

Working it out takes seconds where there are a hundred thousand contacts, and on SQLite nobody else writes meanwhile.
So what was worked out is shown for a while, with its time; what is decided in between has it worked out anew. What is
in the ledger already, held or under way, is counted each time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from vinculo import plan
from vinculo.db.tables import control, occurrence, rate
from vinculo.plan import PlannedOccurrence
from vinculo.web.console.frame import render, whole
from vinculo.web.place import Place, place

OFFERED = (1, 7, 14, 30)
_MOST_DAYS = 92
#: For so long a plan is shown without being worked out anew.
_FRESH = timedelta(minutes=10)


class Worked(NamedTuple):
    """A plan: when it was worked out, and on what decisions."""

    at: datetime
    decided: list[Any]
    rows: list[PlannedOccurrence]


async def page(request: Request) -> Response:
    """The plan of the next `?days=`; with `?anew=yes`, worked out at this moment."""
    here, days = place(request), whole(request, "days", 7, 1, _MOST_DAYS)
    async with here.planning:  # on SQLite a plan is the only writer: one at a time is enough
        decided = await here.off_loop(_decided, here)
        found = here.plans.get(days)
        if found is None or "anew" in request.query_params or not _holds(found, here.now(), decided):
            found = here.plans[days] = await here.off_loop(_forecast, here, days, decided)
            rows = found.rows
        else:
            rows = await here.off_loop(_recounted, here, found)
    shown = [_row(row) for row in rows]
    return render(request, "plan.html", here="plan", rows=shown, days=days, offered=OFFERED, at=found.at)


def _holds(found: Worked, now: datetime, decided: list[Any]) -> bool:
    return found.at <= now < found.at + _FRESH and found.decided == decided


def _decided(here: Place) -> list[Any]:
    """What people and runs decide on: what is paused, which occurrences there are and how they stand, which rates."""
    o = occurrence.c
    asked = (
        sa.select(control.c.campaign, control.c.state, control.c.reason).order_by(control.c.campaign),
        sa.select(o.state, sa.func.count(), sa.func.max(o.planned_at)).group_by(o.state).order_by(o.state),
        sa.select(rate.c.name, rate.c.changed_at).order_by(rate.c.name),
    )
    with here.read() as db:
        return [tuple(row) for ask in asked for row in db.execute(ask)]


def _forecast(here: Place, days: int, decided: list[Any]) -> Worked:
    now = here.now()
    with here.rt.begin() as db:
        return Worked(now, decided, plan.forecast(db, here.project, start=now, days=days))


def _recounted(here: Place, found: Worked) -> list[PlannedOccurrence]:
    with here.read() as db:
        return plan.recounted(db, found.rows)


def _row(row: PlannedOccurrence) -> dict[str, Any]:
    reached = sum(row.reach.values())
    return {"at": row, "reached": reached, "left": sum(row.left_out.values()), "held": row.state == "held"}
