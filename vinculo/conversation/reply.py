"""What an answer of ours answers, for whoever renders it: today, or again after a crash."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import conversation, turn
from vinculo.inbox import subject_of
from vinculo.render import Reply

#: The lines of a conversation that went out.
OUT = ("answered", "automatic", "confirmed")


def replies(db: sa.Connection, deliveries: Collection[int]) -> dict[int, Reply]:
    """Return what each of *deliveries* answers; one whose words were erased is missing."""
    ask = sa.select(turn).where(turn.c.delivery_id.in_(deliveries), turn.c.kind.in_(OUT))
    return {row.delivery_id: _reply(db, row) for row in db.execute(ask)}


def _reply(db: sa.Connection, row: sa.Row[Any]) -> Reply:
    if row.kind != "answered":
        template = row.author if row.kind == "automatic" else ""
        subject, mail, thread = subject_of(row.subject), row.message_id, tuple(row.thread.split())
        return Reply(row.at, row.text, template, True, subject, mail, thread)
    t = turn.c
    before = sa.select(turn).where(t.conversation_id == row.conversation_id, t.kind == "received", t.id < row.id)
    last = db.execute(before.order_by(t.id.desc()).limit(1)).one_or_none()
    if last is None:
        matter = db.scalar(sa.select(conversation.c.subject).where(conversation.c.id == row.conversation_id))
        return Reply(row.at, row.text, subject=subject_of(matter or ""))
    return Reply(
        row.at, row.text, subject=subject_of(last.subject), message_id=last.message_id,
        thread=tuple(last.thread.split()), quoted=last.text, quoted_at=last.at,
    )  # fmt: skip
