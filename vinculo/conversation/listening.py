"""What a contact said opens a conversation, or goes on with one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import contact, conversation, delivery, turn
from vinculo.inbox import plain, subject_of

OPEN, WAITING, CLOSED = "open", "waiting", "closed"
#: What somebody wants who must be answered by a person, and what wants no answer at all.
_ASKS = frozenset({"complaint", "moved", "price", "question"})
_SETTLED = frozenset({"stop", "thanks"})
#: A matter without any mark of its own is taken for the same one only so long.
RECENT = timedelta(days=30)
#: A closed conversation is opened again by an answer to it within this time; later it is another matter.
_AGAIN = timedelta(days=60)
#: So few words, and no question: "ok", "até terça".
_NOD = 3
Row = sa.Row[Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What a contact said. *key* names it: said again, through whatever door, it is the same.

    *delivery_id* is the message of ours that it answers, *message_id* and *thread* are the mail's own and its
    References, newest last. *unprompted*: it answers nothing. *negative*: a reproach, which closes the door to
    promotions until somebody has dealt with it.
    """

    contact_id: int
    at: datetime
    key: str
    text: str
    channel: str = ""
    address: str = ""
    subject: str = ""
    topic: str = ""
    campaign: str = ""
    delivery_id: int | None = None
    message_id: str = ""
    thread: tuple[str, ...] = ()
    intents: Collection[str] = ()
    negative: bool = False
    unprompted: bool = False


def hear(db: sa.Connection, said: Said) -> int | None:
    """Open a conversation for what a contact *said*, or go on with the one it belongs to; return its number.

    None when it wants no answer, as "thank you" does, and belongs to none. Said twice it counts once. Call it in a
    transaction.
    """
    _alone(db, said.contact_id)
    before = known(db, said.contact_id, said.key)
    if before is not None:
        number: int | None = before.conversation_id
        return number
    wants = wants_answer(said)
    found = _continued(db, said)
    if found is None and not wants:
        return None
    number = _open(db, said) if found is None else _go_on(db, found, said, wants=wants)
    row = {
        "contact_id": said.contact_id, "conversation_id": number, "at": said.at, "kind": "received", "text": said.text,
        "subject": said.subject, "channel": said.channel, "address": said.address, "message_id": said.message_id,
        "thread": " ".join(said.thread), "delivery_id": said.delivery_id, "said_in": said.key,
    }  # fmt: skip
    db.execute(sa.insert(turn).values(row))
    return number


def known(db: sa.Connection, contact_id: int, key: str) -> Row | None:
    """Return the line that was written for *key*, if one was."""
    ask = sa.select(turn.c.conversation_id).where(turn.c.contact_id == contact_id, turn.c.said_in == key)
    return db.execute(ask).first()


def wants_answer(said: Said) -> bool:
    """Tell whether somebody should answer: to leave one unanswered is worse than to close one with nothing to say."""
    wanted = set(said.intents)
    if said.negative or wanted & _ASKS:
        return True
    if wanted & _SETTLED or not said.text.strip():
        return False
    return said.unprompted or len(plain(said.text).split()) > _NOD


def complains(intents: Collection[str], tone: str) -> bool:
    """Tell whether it is negative feedback: a complaint, or a reproach that is not thanks."""
    return "complaint" in intents or (tone == "negative" and "thanks" not in intents)


def _mine(said: Said) -> sa.ColumnElement[bool]:
    return turn.c.contact_id == said.contact_id


def _alone(db: sa.Connection, contact_id: int) -> None:
    """Two mails of one contact at the same time must see each other: else they open two conversations."""
    db.execute(sa.select(contact.c.id).where(contact.c.id == contact_id).with_for_update(key_share=True)).all()


def _continued(db: sa.Connection, said: Said) -> Row | None:
    """Find the conversation by what it answers: our answer, a mail of the thread; else by channel and matter."""
    c, t = conversation.c, turn.c
    named = [t.delivery_id == said.delivery_id] if said.delivery_id is not None else []
    mails = [*said.thread[-20:], *([said.message_id] if said.message_id else [])]
    named += [t.message_id.in_(mails)] if mails else []
    if named:
        ask = sa.select(conversation).join(turn, t.conversation_id == c.id).where(_mine(said), sa.or_(*named))
        alive = sa.or_(c.state != CLOSED, c.closed_at > said.at - _AGAIN)
        found = db.execute(ask.where(alive).order_by(c.id.desc()).limit(1)).first()
        if found is not None:
            return found
    mine = sa.select(conversation).where(c.contact_id == said.contact_id, c.channel == said.channel)
    mine = mine.where(c.state != CLOSED, c.changed_at > said.at - RECENT).order_by(c.id.desc())
    matter = subject_of(said.subject).casefold()
    for row in db.execute(mine).all():
        if _same_matter(row, said, matter):
            return row
    return None


def _same_matter(row: Row, said: Said, matter: str) -> bool:
    """A channel without subjects has one conversation at a time; on others the subject decides, or the campaign."""
    if not matter and not row.subject:
        return True
    if said.campaign and row.campaign:
        return bool(said.campaign == row.campaign)
    return bool(matter) and matter == subject_of(row.subject).casefold()


def _open(db: sa.Connection, said: Said) -> int:
    first = next((name for name in ("complaint", "price", "question", "moved") if name in said.intents), "")
    row = {
        "contact_id": said.contact_id, "state": OPEN, "channel": said.channel, "topic": said.topic or _topic(db, said),
        "campaign": said.campaign, "subject": said.subject, "intent": first, "negative": said.negative,
        "opened_at": said.at, "owed_at": said.at, "changed_at": said.at,
    }  # fmt: skip
    made: int = db.execute(sa.insert(conversation).values(row).returning(conversation.c.id)).scalar_one()
    return made


def _topic(db: sa.Connection, said: Said) -> str:
    if said.delivery_id is None:
        return ""
    return db.scalar(sa.select(delivery.c.topic).where(delivery.c.id == said.delivery_id)) or ""


def _go_on(db: sa.Connection, row: Row, said: Said, *, wants: bool) -> int:
    """What wants an answer opens it again; what does not leaves it as it is."""
    values: dict[str, Any] = {"changed_at": max(row.changed_at, said.at)}
    if said.negative:
        values["negative"] = True
    if wants:
        owed = row.owed_at if row.state == OPEN and row.owed_at is not None else said.at
        values |= {"state": OPEN, "owed_at": owed, "closed_at": None}
    db.execute(sa.update(conversation).where(conversation.c.id == row.id).values(values))
    number: int = row.id
    return number
