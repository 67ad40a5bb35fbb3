"""What a person does with a conversation besides answering: take it, hand it over, close it, open it again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo.conversation.listening import CLOSED, OPEN, Row
from vinculo.db.tables import conversation, turn
from vinculo.errors import NotFound, UsageError

_LONGEST_NAME = 80


def take(db: sa.Connection, number: int, who: str, now: datetime) -> None:
    """Let *who* answer from now on. Taking what is one's own changes nothing."""
    _own(db, number, who, who, now, kind="taken")


def hand_over(db: sa.Connection, number: int, to: str, who: str, now: datetime, note: str = "") -> None:
    """Let *to* answer from now on, with a *note* for them that the contact never sees."""
    _own(db, number, to, who, now, kind="handed_over", text=note)


def close(db: sa.Connection, number: int, who: str, now: datetime, note: str = "") -> None:
    """Nothing more is owed. Closing what is closed changes nothing."""
    row = found(db, number)
    if row.state != CLOSED:
        _change(db, row, now, state=CLOSED, owed_at=None, closed_at=now)
        line(db, row, "closed", who, now, text=note)


def reopen(db: sa.Connection, number: int, who: str, now: datetime) -> None:
    """Owe an answer again. Opening what is open changes nothing."""
    row = found(db, number)
    if row.state != OPEN:
        _change(db, row, now, state=OPEN, owed_at=now, closed_at=None)
        line(db, row, "reopened", who, now)


def found(db: sa.Connection, number: int) -> Row:
    """Return conversation *number*, locked. Raises `NotFound`."""
    ask = sa.select(conversation).where(conversation.c.id == number).with_for_update()
    row = db.execute(ask).one_or_none() if 0 < number < 2**63 else None
    if row is None:
        raise NotFound(f"There is no conversation {number}", "`vinculo inbox list` shows them.")
    return row


def line(db: sa.Connection, row: Row, kind: str, who: str, now: datetime, **more: Any) -> int:
    """Write a line into the conversation *row* and return its number."""
    values = {"contact_id": row.contact_id, "conversation_id": row.id, "at": now, "kind": kind, "author": who, **more}
    made: int = db.execute(sa.insert(turn).values(values).returning(turn.c.id)).scalar_one()
    return made


def named(who: str) -> str:
    """Return a person's name as it is kept. Raises `UsageError` for none."""
    name = " ".join(who.split())
    if not name or len(name) > _LONGEST_NAME:
        remedy = f"Give the name of a person or a team, at most {_LONGEST_NAME} letters."
        raise UsageError("Nobody is named", remedy, phrase="nobody_named", most=_LONGEST_NAME)
    return name


def _own(db: sa.Connection, number: int, owner: str, who: str, now: datetime, **words: str) -> None:
    row, owner = found(db, number), named(owner)
    if row.owner != owner:
        _change(db, row, now, owner=owner)
        line(db, row, who=named(who), now=now, address=owner, **words)


def _change(db: sa.Connection, row: Row, now: datetime, **values: Any) -> None:
    values["changed_at"] = max(row.changed_at, now)
    db.execute(sa.update(conversation).where(conversation.c.id == row.id).values(values))
