"""A provider's request, kept as it came beside its events, so that it counts once and can be read again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from vinculo.db.insert import insert
from vinculo.db.tables import webhook
from vinculo.feedback.receive import receive
from vinculo.model import Event
from vinculo.project import Project
from vinculo.signing import Signer

#: How long requests are kept: longer than a provider looks back, and than support asks.
KEPT = timedelta(days=30)
#: So many requests of a channel that cannot be read are kept at once.
MOST_UNREADABLE = 1_000
#: How the headers of a signed webhook begin (standardwebhooks.com, and as it was before).
_NAMES = ("webhook", "svix")
#: What is in the name of a header that opens doors, or would let a request be sent again, at whatever provider.
_SECRET = re.compile(r"authorization|cookie|signature|secret|token|password|api-?key")


class Webhook(NamedTuple):
    """A genuine request for *channel*: what its connector read in it; None if it could not."""

    channel: str
    headers: Mapping[str, str]
    body: bytes
    events: Sequence[Event] | None


def receive_webhook(
    db: sa.Connection, given: Webhook, *, signer: Signer, now: datetime, project: Project | None = None
) -> list[str]:
    """Take in *given* and return the outcome of each of its events: `duplicate` for all when it has come before.

    One that could not be read is kept, and has none. Call it inside a transaction.
    """
    if given.events is None:
        _keep_unreadable(db, given, now)
        return []
    number = _keep(db, given, "read", now)
    if number is None:
        return ["duplicate"] * len(given.events)
    db.execute(sa.delete(webhook).where(webhook.c.received_at < now - KEPT))
    return [receive(db, event, signer=signer, now=now, project=project, webhook_id=number) for event in given.events]


def _keep(db: sa.Connection, given: Webhook, outcome: str, now: datetime) -> int | None:
    """Keep the request and return its number; None if one like it was read already."""
    row = {
        "channel": given.channel,
        "digest": _digest(given),
        "received_at": now,
        "headers": {name: value for name, value in given.headers.items() if not _SECRET.search(name.lower())},
        "body": given.body,
        "outcome": outcome,
    }
    again = {"outcome": outcome} if outcome == "read" else {"received_at": webhook.c.received_at}
    statement = insert(db, webhook).values(row)
    kept = statement.on_conflict_do_update(
        index_elements=["channel", "digest"], set_=again, where=webhook.c.outcome == "unreadable"
    )
    number: int | None = db.scalar(kept.returning(webhook.c.id))
    return number


def _keep_unreadable(db: sa.Connection, given: Webhook, now: datetime) -> None:
    w = webhook.c
    there = sa.select(sa.func.count()).where(w.channel == given.channel, w.outcome == "unreadable")
    if (db.scalar(there) or 0) < MOST_UNREADABLE:
        _keep(db, given, "unreadable", now)


def _digest(given: Webhook) -> str:
    """What makes a request the same as another: its body, and its id where it has one."""
    named = next((given.headers[f"{name}-id"] for name in _NAMES if f"{name}-id" in given.headers), "")
    return hashlib.sha256(named.encode() + b"\0" + given.body).hexdigest()
