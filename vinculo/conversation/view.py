"""The inbox: which conversations there are, and what was said in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from vinculo.conversation.clock import due
from vinculo.conversation.listening import CLOSED, OPEN, WAITING
from vinculo.db.tables import contact, conversation, delivery, turn
from vinculo.errors import NotFound
from vinculo.project import Project

__all__ = ["CLOSED", "OPEN", "WAITING", "Line", "Turn", "inbox", "owner_column", "owners", "thread"]
_SUMMARY = 160


@dataclass(frozen=True, slots=True)
class Line:
    """A conversation in a list. *due*: when its next target is over: the first answer's, else the end of the matter."""

    id: int
    contact_id: int
    name: str
    state: str
    channel: str
    topic: str
    campaign: str
    subject: str
    intent: str
    negative: bool
    owner: str
    opened_at: datetime
    answered_at: datetime | None
    owed_at: datetime | None
    changed_at: datetime
    closed_at: datetime | None
    due: datetime | None
    late: bool
    last: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A line of a conversation. *delivery_state*: what became of our answer; of others "" ."""

    id: int
    at: datetime
    kind: str
    author: str
    text: str
    subject: str
    channel: str
    address: str
    delivery_id: int | None
    delivery_state: str
    delivery_reason: str


def inbox(  # noqa: PLR0913 - the filters of a list, all by name
    db: sa.Connection, project: Project, now: datetime, *, states: Sequence[str] = (OPEN, WAITING), owner: str = "",
    contact_id: int | None = None, number: int | None = None, limit: int = 100, first: int = 0,
) -> list[Line]:  # fmt: skip
    """Return the conversations in *states*, those longest owed an answer first, then the newest.

    *owner*: only those that this person answers, by name or because nobody else does.
    """
    c, person = conversation.c, owner_column(project)
    name = sa.func.trim(contact.c.given_name.concat(" ").concat(contact.c.family_name))
    ask = sa.select(
        *c, sa.func.coalesce(sa.func.nullif(name, ""), contact.c.key).label("name"), person.label("person"), _last()
    ).join(contact, contact.c.id == c.contact_id)
    ask = ask.where(c.state.in_(states)) if number is None else ask.where(c.id == number)
    ask = ask.where(c.contact_id == contact_id) if contact_id is not None else ask
    ask = ask.where(person == owner) if owner else ask
    owed = sa.case((c.state == OPEN, 0), else_=1), sa.case((c.state == OPEN, c.owed_at)), c.changed_at.desc(), c.id
    return [_line(row, project, now) for row in db.execute(ask.order_by(*owed).limit(limit).offset(first))]


def thread(db: sa.Connection, project: Project, number: int, now: datetime) -> tuple[Line, list[Turn]]:
    """Return conversation *number* and all that was said and done in it, oldest first. Raises `NotFound`."""
    lines = inbox(db, project, now, number=number) if 0 < number < 2**63 else []
    if not lines:
        raise NotFound(f"There is no conversation {number}", "`vinculo inbox list` shows them.")
    t, d = turn.c, delivery.c
    columns = t.id, t.at, t.kind, t.author, t.text, t.subject, t.channel, t.address, t.delivery_id
    ours = sa.and_(d.id == t.delivery_id, t.kind != "received")
    ask = sa.select(*columns, sa.func.coalesce(d.state, ""), sa.func.coalesce(d.reason, ""))
    rows = db.execute(ask.outerjoin_from(turn, delivery, ours).where(t.conversation_id == number).order_by(t.at, t.id))
    return lines[0], [Turn(*row) for row in rows]


def owner_column(project: Project) -> sa.ColumnElement[str]:
    """Who answers: whoever took it or was handed it, else the contact's owner, else the topic's, else the company's.

    An owner who is a contact by its key, as staff is, is called by name.
    """
    c, answers, staff = conversation.c, project.answers, contact.alias("staff")
    called = sa.func.trim(staff.c.given_name.concat(" ").concat(staff.c.family_name))
    named = sa.select(sa.func.nullif(called, "")).where(staff.c.key == contact.c.owner, contact.c.owner != "")
    desks: list[Any] = [(c.topic == topic, answers.owner_of(topic)) for topic in answers.topics]
    topic = sa.case(*desks, else_=answers.owner) if desks else sa.literal(answers.owner)
    theirs = named.correlate(contact).scalar_subquery(), sa.func.nullif(contact.c.owner, "")
    return sa.func.coalesce(sa.func.nullif(c.owner, ""), *theirs, topic)


def owners(db: sa.Connection, project: Project) -> list[str]:
    """Return who answers conversations that are not closed."""
    c, person = conversation.c, owner_column(project)
    ask = sa.select(person).join_from(conversation, contact, contact.c.id == c.contact_id)
    return sorted(name for name in db.scalars(ask.where(c.state != CLOSED).distinct()) if name)


def _last() -> sa.Label[str]:
    t = turn.c
    said = sa.select(t.text).where(t.conversation_id == conversation.c.id, t.kind.in_(["received", "answered"]))
    newest = said.order_by(t.id.desc()).limit(1).scalar_subquery()
    return sa.func.coalesce(newest, "").label("last")


def _line(row: sa.Row[Any], project: Project, now: datetime) -> Line:
    answers, zone = project.answers, project.settings.company.timezone
    target = answers.target_of(row.topic)
    until: datetime | None = None
    if row.state != CLOSED:
        owes_first = row.answered_at is None and row.owed_at is not None
        allowed: timedelta = target.first_response if owes_first else target.resolution
        until = due(row.opened_at, allowed, answers.hours, zone)
    facts = {name: getattr(row, name) for name in Line.__dataclass_fields__ if name in conversation.c}
    return Line(
        **{**facts, "negative": bool(row.negative), "owner": row.person}, name=row.name, due=until,
        late=until is not None and until < now, last=" ".join(row.last.split())[:_SUMMARY],
    )  # fmt: skip
