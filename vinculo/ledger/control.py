"""Pause, resume and cancel a campaign. They take hold at the next message: `submit` asks last."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo.db.insert import insert
from vinculo.db.tables import control
from vinculo.ledger.planning import cancel_occurrence


def pause(db: sa.Connection, campaign: str, now: datetime, reason: str = "") -> None:
    """Hand over nothing more of *campaign* until `resume`. A cancelled campaign stays cancelled.

    The last reason counts: who resumes the run because of which it was paused does not undo what somebody said since.
    """
    _say(db, campaign, "paused", now, reason, {"reason": reason}, where=control.c.state == "paused")


def cancel(db: sa.Connection, campaign: str, now: datetime, reason: str = "") -> int:
    """Hand over nothing more of *campaign*, and cancel what waits; return how many rows. `resume` allows new ones."""
    _say(db, campaign, "cancelled", now, reason, {"state": "cancelled", "at": now, "reason": reason})
    return cancel_occurrence(db, campaign, "", now, reason or "the campaign was cancelled")


def resume(db: sa.Connection, campaign: str, now: datetime, *, only: str = "") -> bool:
    """Go on with *campaign*; what was cancelled stays cancelled. False: it was neither paused nor cancelled.

    *only*: no more than the pause with this reason is undone. One statement: somebody else may say more meanwhile.
    """
    del now
    said = [control.c.campaign == campaign]
    if only:
        said += [control.c.state == "paused", control.c.reason == only]
    return bool(db.execute(sa.delete(control).where(*said)).rowcount)


def _say(  # noqa: PLR0913 - what is said, and what becomes of what was said before
    db: sa.Connection, campaign: str, state: str, now: datetime, reason: str, again: dict[str, Any], *,
    where: sa.ColumnElement[bool] | None = None,
) -> None:  # fmt: skip
    """One statement: whoever says something else at the same moment comes before it or after it (PostgreSQL)."""
    said = insert(db, control).values(campaign=campaign, state=state, at=now, reason=reason)
    db.execute(said.on_conflict_do_update(index_elements=["campaign"], set_=again, where=where))
