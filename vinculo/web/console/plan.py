"""What would go out: every occurrence of the next days, worked out by the code that sends."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from vinculo import plan
from vinculo.plan import PlannedOccurrence
from vinculo.web.console.frame import render, whole
from vinculo.web.place import Place, place

OFFERED = (1, 7, 14, 30)
_MOST_DAYS = 92


async def page(request: Request) -> Response:
    """The plan of the next `?days=`."""
    here, days = place(request), whole(request, "days", 7, 1, _MOST_DAYS)
    async with here.planning:  # on SQLite a plan is the only writer: one at a time is enough
        rows = await here.off_loop(_forecast, here, days)
    return render(request, "plan.html", here="plan", rows=[_row(row) for row in rows], days=days, offered=OFFERED)


def _forecast(here: Place, days: int) -> list[PlannedOccurrence]:
    with here.rt.begin() as db:
        return plan.forecast(db, here.project, start=here.now(), days=days)


def _row(row: PlannedOccurrence) -> dict[str, Any]:
    reached = sum(row.reach.values())
    return {"at": row, "reached": reached, "left": sum(row.left_out.values()), "held": row.state == "held"}
