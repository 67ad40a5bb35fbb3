"""Campaigns: the results of each, and a hand on the brake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from vinculo import ledger, report, run
from vinculo.db.tables import control, occurrence
from vinculo.errors import NotFound
from vinculo.project.answers import OURS
from vinculo.project.schema import Campaign
from vinculo.report import Report
from vinculo.web.addressee import form_of
from vinculo.web.console.frame import render
from vinculo.web.place import Place, place

#: Who decided, in the ledger's words.
BY = "console"


@dataclass(frozen=True, slots=True)
class Listed:
    """A campaign of the calendar, or one that was sent, or stopped before it was, and has no file."""

    name: str
    campaign: Campaign | None
    occurrences: int
    last: datetime | None
    standing: str


async def index(request: Request) -> Response:
    """Every campaign of the calendar and of the ledger."""
    here = place(request)
    return render(request, "campaigns.html", here="campaigns", campaigns=await here.off_loop(_listed, here))


def _listed(here: Place) -> list[Listed]:
    o = occurrence.c
    ask = sa.select(o.campaign, sa.func.count(), sa.func.max(o.due_at)).group_by(o.campaign)
    with here.read() as db:
        ran = {name: (number, last) for name, number, last in db.execute(ask)}
        stand = db.scalars(sa.select(control.c.campaign))
        names = sorted({*here.project.campaigns, *ran, *stand} - OURS)  # answers are in the inbox
        return [
            Listed(name, here.project.campaigns.get(name), *ran.get(name, (0, None)), ledger.standing(db, name))
            for name in names
        ]


async def page(request: Request) -> Response:
    """The results of a campaign, or of its `?occurrence=`."""
    here, name = place(request), request.path_params["name"]
    found = await here.off_loop(_found, here, name, request.query_params.get("occurrence", ""))
    return render(request, "campaign.html", here="campaigns", title=name, **found)


def _found(here: Place, name: str, wanted: str) -> dict[str, Any]:
    o = occurrence.c
    with here.read() as db:
        ask = sa.select(o.occurrence, o.state, o.due_at, o.approved_by).where(o.campaign == name)
        occurrences = db.execute(ask.order_by(o.due_at.desc(), o.occurrence).limit(100)).all()
        if not _knows(here, db, name):
            raise HTTPException(404)
        return {
            "campaign": here.project.campaigns.get(name),
            "occurrences": occurrences,
            "occurrence": wanted,
            "standing": ledger.standing(db, name),
            "because": ledger.cause(db, name),
            "report": _report(db, name, wanted),
        }


def _knows(here: Place, db: sa.Connection, name: str) -> bool:
    """Whether there is such a campaign. One that was stopped before anybody was planned only stands still."""
    ran = sa.select(occurrence.c.campaign).where(occurrence.c.campaign == name).limit(1)
    return name in here.project.campaigns or bool(ledger.standing(db, name) or db.scalar(ran))


def _report(db: sa.Connection, name: str, wanted: str) -> Report | None:
    try:
        return report.campaign_report(db, name, wanted)
    except NotFound:
        return None


# ── the brake ────────────────────────────────────────────────────────────────────────────────────────────────────
async def pause(request: Request) -> Response:
    """Hand over nothing more of the campaign until it is resumed."""
    return await _act(request, lambda db, name, now: ledger.pause(db, name, now, BY))


async def resume(request: Request) -> Response:
    """Go on with the campaign."""
    return await _act(request, ledger.resume)


async def approve(request: Request) -> Response:
    """Let a held occurrence go out."""
    return await _decide(request, approved=True)


async def reject(request: Request) -> Response:
    """Do not let a held occurrence go out."""
    return await _decide(request, approved=False)


async def _act(request: Request, act: Callable[[sa.Connection, str, datetime], object]) -> Response:
    here, name = place(request), request.path_params["name"]

    def write() -> str:
        with here.rt.begin() as db:
            if not _knows(here, db, name):  # a name that nobody has is not paused
                raise HTTPException(404)
            act(db, name, here.now())
            return f"/campaigns/{name}" if _knows(here, db, name) else "/campaigns"

    return RedirectResponse(await here.off_loop(write), status_code=303)


async def _decide(request: Request, *, approved: bool) -> Response:
    here, name = place(request), request.path_params["name"]
    wanted = (await form_of(request, fields=10)).get("occurrence", "")
    try:
        await here.off_loop(run.decide, here.rt, name, wanted, approved, BY)
    except NotFound:
        raise HTTPException(404) from None
    return RedirectResponse(f"/campaigns/{name}", status_code=303)
