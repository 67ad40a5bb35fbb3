"""The answer that a person writes in the inbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from vinculo import contacts
from vinculo.conversation.acting import found, line, named
from vinculo.conversation.listening import WAITING, Row
from vinculo.conversation.posting import Way, post, way_to
from vinculo.db.tables import conversation, turn
from vinculo.errors import UsageError
from vinculo.model import Occurrence
from vinculo.project import Project
from vinculo.project.answers import BY_HAND

#: Characters of an answer: nobody reads more, and a form of `web.LARGEST_FORM` carries them in whatever script.
LONGEST = 5_000


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer on its way. *again*: the form came a second time, and nothing was done."""

    conversation: int
    turn: int
    delivery: int
    occurrence: str
    channel: str
    address: str
    again: bool = False


def answer(  # noqa: PLR0913 - what is answered, by whom, and which form it came with
    db: sa.Connection, project: Project, number: int, text: str, *, who: str, now: datetime, form: str,
    most: Callable[[str], int | None] = lambda _: None,
) -> Answered:  # fmt: skip
    """Answer conversation *number* with *text*; the contact is now the one to speak.

    *form* names this answer: posted twice, it goes out once. *most*: the longest text that a channel carries.
    Raises `NotFound`; `UsageError` when there is nothing to say, or no address to say it to.
    """
    row = found(db, number)
    before = _before(db, row, form)
    if before is not None:
        return before
    way = _way(db, project, row)
    text, longest = text.replace("\r\n", "\n").strip(), min(LONGEST, most(way.channel) or LONGEST)
    if not text or len(text) > longest:
        raise UsageError(
            f"The answer has {len(text):,} characters",
            f"Write at least one and at most {longest:,}: nothing was sent.",
            phrase="answer_long", length=len(text), most=longest,
        )  # fmt: skip
    made = line(
        db, row, "answered", named(who), now, text=text, channel=way.channel, address=way.address, said_in=_form(form)
    )
    local = now.astimezone(ZoneInfo(project.settings.company.timezone)).replace(tzinfo=None)
    occurrence = Occurrence(BY_HAND, local, f"#{made}")
    sent = post(db, occurrence, row.contact_id, way, now, template=BY_HAND)
    assert sent is not None  # the occurrence is this answer's own
    db.execute(sa.update(turn).where(turn.c.id == made).values(delivery_id=sent))
    _answered(db, row, now)
    return Answered(number, made, sent, occurrence.key, way.channel, way.address)


def _form(form: str) -> str:
    return f"form/{form}"


def _before(db: sa.Connection, row: Row, form: str) -> Answered | None:
    t = turn.c
    ask = sa.select(t.id, t.delivery_id, t.channel, t.address).where(t.contact_id == row.contact_id)
    made = db.execute(ask.where(t.said_in == _form(form), t.conversation_id == row.id)).one_or_none()
    if made is None:
        return None
    return Answered(row.id, made.id, made.delivery_id or 0, "", made.channel, made.address, again=True)


def _way(db: sa.Connection, project: Project, row: Row) -> Way:
    """Where the contact wrote from last, else where it is reached on that channel."""
    owner = contacts.living(db, row.contact_id)
    t = turn.c
    last = sa.select(t.channel, t.address).where(t.conversation_id == row.id, t.kind == "received")
    said = db.execute(last.order_by(t.id.desc()).limit(1)).one_or_none()
    channel, wished = (said.channel, said.address) if said else (row.channel, "")
    way = way_to(db, project, owner, channel or "email", wished) if owner is not None else None
    if way is None:
        raise UsageError(
            f"There is no address on {channel or 'email'} that may be written to",
            "It is suppressed, or the contact has none, or no connector serves the channel; call, and close it here.",
            phrase="no_way",
        )
    return way


def _answered(db: sa.Connection, row: Row, now: datetime) -> None:
    values = {"state": WAITING, "owed_at": None, "closed_at": None, "changed_at": max(row.changed_at, now)}
    first = {"answered_at": now} if row.answered_at is None else {}
    db.execute(sa.update(conversation).where(conversation.c.id == row.id).values(**values, **first))
