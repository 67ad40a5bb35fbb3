"""Pause, resume and cancel a campaign. They take hold at the next message: `submit` asks last."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from vinculo.db.insert import insert
from vinculo.db.tables import control
from vinculo.ledger.planning import cancel_occurrence


def pause(db: sa.Connection, campaign: str, now: datetime, reason: str = "") -> None:
    """Hand over nothing more of *campaign* until `resume`. A cancelled campaign stays cancelled.

    The last reason counts: who resumes the run because of which it was paused does not undo what somebody said since.
    """
    _say(db, campaign, "paused", now, reason)


def cancel(db: sa.Connection, campaign: str, now: datetime, reason: str = "") -> int:
    """Hand over nothing more of *campaign*, and cancel what waits; return how many rows. `resume` allows new ones."""
    db.execute(sa.delete(control).where(control.c.campaign == campaign))
    _say(db, campaign, "cancelled", now, reason)
    return cancel_occurrence(db, campaign, "", now, reason or "the campaign was cancelled")


def resume(db: sa.Connection, campaign: str, now: datetime) -> bool:
    """Go on with *campaign*; what was cancelled stays cancelled. False: it was neither paused nor cancelled."""
    del now
    return bool(db.execute(sa.delete(control).where(control.c.campaign == campaign)).rowcount)


def _say(db: sa.Connection, campaign: str, state: str, now: datetime, reason: str) -> None:
    row = {"campaign": campaign, "state": state, "at": now, "reason": reason}
    said = insert(db, control).values(row)
    again = said.on_conflict_do_update(
        index_elements=["campaign"], set_={"reason": reason}, where=control.c.state == state
    )
    db.execute(again)
