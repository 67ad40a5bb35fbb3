"""What came in, read again by today's code: for support, after a connector or a rule was mended.

Nothing counts twice. An event that was acted upon is a duplicate; one that was not understood, or whose contact nobody
knew, is taken in as if it came now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from vinculo.db.tables import inbound, webhook
from vinculo.errors import UsageError, VinculoError, did_you_mean
from vinculo.feedback.collect import Needs
from vinculo.feedback.mail import read_mail, receive_mail
from vinculo.feedback.mishap import FAILED
from vinculo.feedback.receive import receive
from vinculo.model import Event
from vinculo.project import Project

#: The sources of mail, whose raw form is the whole mail.
MAIL = ("imap", "lmtp", "maildir", "smtp")


@dataclass(frozen=True, slots=True)
class Received:
    """A request or a mail that came in: `webhook` or `mail`, its number there, its door, and what became of it."""

    what: str
    id: int
    door: str
    at: datetime
    outcome: str
    size: int


def received(db: sa.Connection, *, door: str = "", since: datetime | None = None, limit: int = 0) -> list[Received]:
    """Return what came in and can be read again, newest first: at *door* (a channel, `smtp` …), from *since* on."""
    w, i = webhook.c, inbound.c
    requests = sa.select(
        sa.literal("webhook").label("what"), w.id, w.channel.label("door"), w.received_at, w.outcome,
        sa.func.length(w.body).label("size"),
    ).where(sa.func.length(w.body) > 0)  # fmt: skip
    mails = sa.select(
        sa.literal("mail"), sa.func.min(i.id), i.source, i.received_at, sa.func.max(i.outcome), sa.func.length(i.raw)
    ).where(i.source.in_(MAIL), sa.func.length(i.raw) > 0).group_by(i.source, i.received_at, i.raw)  # fmt: skip
    both = sa.union_all(requests, mails).subquery()
    ask = sa.select(both).order_by(both.c.received_at.desc(), both.c.what, both.c.id.desc())
    ask = ask.where(both.c.door == door) if door else ask
    ask = ask.where(both.c.received_at >= since) if since else ask
    return [Received(*row) for row in db.execute(ask.limit(limit) if limit else ask)]


def replay(rt: Needs, *, door: str = "", since: datetime | None = None) -> Counter[str]:
    """Read again what came in at *door*, or at every door, oldest first; return how many events had which outcome.

    `unreadable` counts what today's code cannot read either. Raises `UsageError` for a door that is none.
    """
    outcomes: Counter[str] = Counter()
    for one in _waiting(rt, door, since):
        outcomes.update(_mail(rt, one) if one.what == "mail" else _webhook(rt, one))
    return outcomes


def rehearse_replay(rt: Needs, *, door: str = "", since: datetime | None = None) -> Counter[str]:
    """Return as what kinds of events `replay` would read what came in; `unreadable` as there. Changes nothing."""
    kinds: Counter[str] = Counter()
    for one in _waiting(rt, door, since):
        try:
            kinds.update(event.kind.value for event in _events(rt, one))
        except Exception:  # noqa: BLE001 - a connector may raise anything
            kinds["unreadable"] += 1
    return kinds


def require_door(project: Project, door: str) -> None:
    """Raise `UsageError` if nothing could have come in at *door*; "" is every door."""
    known = {*MAIL, *project.settings.channels}
    if door and door not in known:
        raise UsageError(f"There is no door `{door}`", did_you_mean(door, known))


def _waiting(rt: Needs, door: str, since: datetime | None) -> Iterator[Received]:
    require_door(rt.project, door)
    with rt.read() as db:
        found = received(db, door=door, since=since)
    return reversed(found)


def _events(rt: Needs, one: Received) -> Sequence[Event]:
    """What today's code reads in it."""
    if one.what == "mail":
        return read_mail(rt, _raw(rt, one), source=one.door, at=one.at)
    with rt.read() as db:
        row = db.execute(sa.select(webhook.c.headers, webhook.c.body).where(webhook.c.id == one.id)).one()
    return rt.connector(one.door).read_webhook(row.headers, row.body, one.at)


def _raw(rt: Needs, one: Received) -> bytes:
    with rt.read() as db:
        return db.scalar(sa.select(inbound.c.raw).where(inbound.c.id == one.id)) or b""


def _mail(rt: Needs, one: Received) -> Iterator[str]:
    try:
        yield from receive_mail(rt, _raw(rt, one), source=one.door, at=one.at)
    except (VinculoError, sa.exc.DBAPIError):
        raise
    except Exception:  # noqa: BLE001 - today's code fails on it too; the others are read all the same
        yield "unreadable"
        return
    if one.outcome == FAILED:
        with rt.begin() as db:
            db.execute(sa.update(inbound).where(inbound.c.id == one.id).values(outcome="read"))


def _webhook(rt: Needs, one: Received) -> Iterator[str]:
    try:
        events = _events(rt, one)
    except Exception:  # noqa: BLE001 - a connector may raise anything; the others are read all the same
        yield "unreadable"
        return
    with rt.begin() as db:
        for event in events:
            yield receive(db, event, signer=rt.signer, now=rt.now(), project=rt.project, webhook_id=one.id, again=True)
        db.execute(sa.update(webhook).where(webhook.c.id == one.id).values(outcome="read"))
