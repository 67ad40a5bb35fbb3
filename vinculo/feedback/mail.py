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
    events = read_mail(rt, raw, source=source, at=at or now)
    with rt.begin() as db:
        again = at is not None
        return [receive(db, event, signer=rt.signer, now=now, project=rt.project, again=again) for event in events]


def read_mail(rt: Needs, raw: bytes, *, source: str, at: datetime) -> list[Event]:
    """Return the events of a mail, in their place beside what we sent. To render that may itself write: no transaction
    of the caller's may be open.
    """
    return [_placed(rt, event) for event in inbox.to_events(raw, source=source, received_at=at, signer=rt.signer)]


def _placed(rt: Needs, event: Event) -> Event:
    """Find the message that *event* answers if no id names it, and take our own words out of the contact's."""
    if "returned" in event.data:
        return _vouched(rt, event)
    by_subject = event.kind is EventKind.UNSUBSCRIBED and "by_subject" in event.data
    if event.kind not in _WRITTEN and not by_subject:
        return event
    found = _sent(rt, event.delivery) if event.delivery is not None else _same_subject(rt, event)
    if found is None or (by_subject and not _repeats(event, found[1])):
        return event
    if by_subject:  # the words are ours, as they stand in an answer of a telephone that writes no `Re:`
        data = {name: value for name, value in event.data.items() if name != "by_subject"}
        event = replace(event, kind=EventKind.REPLIED, data=data)
    number, message = found
    told = {} if event.delivery is not None else {"answers": number}
    return replace(event, text=without(event.text, message.text), data={**event.data, **told})


def _same_subject(rt: Needs, event: Event) -> tuple[int, Message] | None:
    """The newest message to the writer's address that had the subject which the reply repeats; else none at all."""
    if event.kind is EventKind.INBOUND or not event.address:
        return None
    with rt.read() as db:
        numbers = [sent.id for sent in newest(db, event, _LOOKED_AT)]
    looked_at = (found for number in numbers if (found := _sent(rt, number)) is not None)
    return next((found for found in looked_at if _repeats(event, found[1])), None)


def _repeats(event: Event, message: Message) -> bool:
    return _is_same(subject_of(str(event.data["subject"])), message.subject)


def _vouched(rt: Needs, event: Event) -> Event:
    """Find the message that a report without a name of ours speaks of, by what only who handled it knows.

    That is the subject of what came back, or what our provider called it when it took the message.
    """
    if event.delivery is not None or not event.address:
        return event
    with rt.read() as db:
        recent = newest(db, event, _LOOKED_AT)
    for sent in recent:
        if _is_queued(sent.response, event.raw) or _came_back(_sent(rt, sent.id), str(event.data["returned"])):
            return replace(event, data={**event.data, "answers": sent.id})
    return event


def _is_queued(response: str, raw: bytes) -> bool:
    return any(name.encode() in raw for name in _QUEUED.findall(response))


def _came_back(found: tuple[int, Message] | None, subject: str) -> bool:
    return found is not None and _is_same(subject, found[1].subject)


def _is_same(subject: str, ours: str) -> bool:
    """Tell whether *subject* says something, and that is *ours*: lines are folded anew on the way."""
    return bool(subject.strip()) and subject.casefold().split() == ours.casefold().split()


def _sent(rt: Needs, number: int) -> tuple[int, Message] | None:
    """What we sent, as the templates of today make it; one that they cannot make any more is not there."""
    try:
        message = rt.sent(number)
    except VinculoError:
        return None
    return None if message is None else (number, message)
