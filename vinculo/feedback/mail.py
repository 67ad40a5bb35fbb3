"""A mail that came back: read, put in its place beside what we sent, and taken in."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from vinculo import inbox
from vinculo.errors import VinculoError
from vinculo.feedback.match import newest
from vinculo.feedback.receive import receive
from vinculo.inbox import subject_of, without
from vinculo.model import Event, EventKind, Message
from vinculo.project import Project
from vinculo.signing import Signer

#: So many messages are looked at for the one whose subject a reply repeats.
_LOOKED_AT = 5
_WRITTEN = frozenset({EventKind.REPLIED, EventKind.INBOUND})
#: What servers that take a message call it: a long word of letters and digits. A number may be the second at which they
#: took it, which can be guessed; so can a day, an address, the name of a server.
_QUEUED = re.compile(
    r"(?<![\w.@+-])(?!\d{4}-\d\d-\d\d)(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{10,}(?![\w-]|[\w.+-]*@|\.[A-Za-z])"
)


class Needs(Protocol):
    """What taking in a mail needs; `runtime.Runtime` is one."""

    project: Project

    @property
    def signer(self) -> Signer: ...
    def now(self) -> datetime: ...
    def sent(self, delivery_id: int) -> Message | None: ...
    def begin(self) -> AbstractContextManager[sa.Connection]: ...
    def read(self) -> AbstractContextManager[sa.Connection]: ...


def receive_mail(rt: Needs, raw: bytes, *, source: str, at: datetime | None = None) -> list[str]:
    """Take in a mail that came back, and return the outcome of each of its events (a bounce may have several).

    *at*: it came then, and is read again; what led to nothing is no duplicate.
    """
    now = rt.now()
    events = inbox.to_events(raw, source=source, received_at=at or now, signer=rt.signer)
    # Before the transaction: to render what we sent may itself write.
    placed = [_placed(rt, event) for event in events]
    with rt.begin() as db:
        again = at is not None
        return [receive(db, event, signer=rt.signer, now=now, project=rt.project, again=again) for event in placed]


def _placed(rt: Needs, event: Event) -> Event:
    """Find the message that *event* answers if no id names it, and take our own words out of the contact's."""
    if "returned" in event.data:
        return _vouched(rt, event)
    if event.kind not in _WRITTEN:
        return event
    found = _sent(rt, event.delivery) if event.delivery is not None else _same_subject(rt, event)
    if found is None:
        return event
    number, message = found
    told = {} if event.delivery is not None else {"answers": number}
    return replace(event, text=without(event.text, message.text), data={**event.data, **told})


def _same_subject(rt: Needs, event: Event) -> tuple[int, Message] | None:
    """The newest message to the writer's address that had the subject which the reply repeats; else none at all."""
    wanted = subject_of(str(event.data.get("subject", ""))).casefold()
    if event.kind is not EventKind.REPLIED or not wanted or not event.address:
        return None
    with rt.read() as db:
        numbers = [sent.id for sent in newest(db, event, _LOOKED_AT)]
    looked_at = (found for number in numbers if (found := _sent(rt, number)) is not None)
    return next((found for found in looked_at if found[1].subject.casefold() == wanted), None)


def _vouched(rt: Needs, event: Event) -> Event:
    """Find the message that a report without a name of ours speaks of, by what only who handled it knows.

    That is the subject of what came back, or what our provider called it when it took the message.
    """
    if event.delivery is not None or not event.address:
        return event
    with rt.read() as db:
        recent = newest(db, event, _LOOKED_AT)
    for sent in recent:
        if _is_queued(sent.response, event.raw) or _is_about(_sent(rt, sent.id), str(event.data["returned"])):
            return replace(event, data={**event.data, "answers": sent.id})
    return event


def _is_queued(response: str, raw: bytes) -> bool:
    return any(name.encode() in raw for name in _QUEUED.findall(response))


def _is_about(found: tuple[int, Message] | None, subject: str) -> bool:
    return found is not None and bool(subject) and found[1].subject.casefold().split() == subject.casefold().split()


def _sent(rt: Needs, number: int) -> tuple[int, Message] | None:
    """What we sent, as the templates of today make it; one that they cannot make any more is not there."""
    try:
        message = rt.sent(number)
    except VinculoError:
        return None
    return None if message is None else (number, message)
