"""An event is stored raw, once; matched with its delivery; then the function of its kind acts (`reaction.ON`)."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo import history, ledger
from vinculo.feedback import match
from vinculo.feedback.case import Case
from vinculo.feedback.leaving import leave_by_address
from vinculo.feedback.match import Sent
from vinculo.feedback.reaction import ON
from vinculo.model import Event, EventKind, storable
from vinculo.project import Project
from vinculo.signing import Signer

#: What of an event is text, or holds some.
_SAID = ("id", "channel", "key", "message_id", "contact", "address", "status", "reason", "url", "topic", "text", "data")
#: The provider says that it did not send.
_NO_PROOF = frozenset({EventKind.REJECTED, EventKind.FAILED})


def receive(  # noqa: PLR0913 - whence it came, and what it may do
    db: sa.Connection, event: Event, *, signer: Signer, now: datetime, project: Project | None = None,
    webhook_id: int | None = None, again: bool = False,
) -> str:  # fmt: skip
    """Take in *event* and return its outcome: `handled`, `unmatched`, `duplicate` or `ignored`.

    Call it inside a transaction: the raw event and its effects are kept together, or not at all. Without a *project*
    nobody is answered, nor told that a wish to be let alone was heard. *webhook_id*: the request that it came in.
    *again*: read anew, so that one which led to nothing is no duplicate.
    """
    event = _kept(event if event.id else replace(event, id=_digest(event)))
    stored = history.store(db, event, now, webhook_id)
    if stored is None and again:
        stored = history.unsettled(db, event)
    if stored is None:
        return "duplicate"
    react = ON.get(event.kind)
    if react is None:
        history.settle(db, stored, "ignored")
        return "ignored"
    found = match.find(db, event, signer)
    # A provider's clock may run ahead; a withdrawal from the future would beat a consent given tomorrow.
    at = min(event.at, now)
    if found is None:
        outcome = "handled" if leave_by_address(db, event, at, now) else "unmatched"
        history.settle(db, stored, outcome)
        return outcome
    if found.sent and found.sure and event.kind not in _NO_PROOF:
        _prove(db, found.sent, now)
    react(Case(db, event, found, at, now, signer, project))
    delivery_id = found.sent.id if found.sent else None
    history.settle(db, stored, "handled", contact_id=found.contact_id, delivery_id=delivery_id)
    return "handled"


def _prove(db: sa.Connection, sent: Sent, now: datetime) -> None:
    """What came back proves that the message went out: if that was in doubt, it is no longer."""
    if ledger.evidence(db, sent.id, now) is not None:
        history.sent(db, [sent.id], now)


def _kept(event: Event) -> Event:
    """Return *event* as both databases take it, whatever a provider says."""
    said = {name: getattr(event, name) for name in _SAID}
    kept = {name: _plain(value) for name, value in said.items()}
    return event if kept == said else replace(event, **kept)


def _plain(said: Any) -> Any:
    if isinstance(said, str):
        return said if said.isprintable() else storable(said)
    if isinstance(said, Mapping):
        return {_plain(str(name)): _plain(each) for name, each in said.items()}
    if isinstance(said, list | tuple):
        return [_plain(each) for each in said]
    if isinstance(said, int | float) and not -sys.float_info.max <= said <= sys.float_info.max:
        return None  # also what is no number: PostgreSQL ends what compares it
    return said


def _digest(event: Event) -> str:
    return hashlib.sha256(event.raw or repr(event).encode()).hexdigest()
