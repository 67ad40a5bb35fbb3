"""The doors that have to be asked: Maildir, IMAP, the connectors' polls. Each remembers how far it got."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Protocol

from vinculo.connector import Connector
from vinculo.db.note import keep_note, noted
from vinculo.errors import UsageError, did_you_mean
from vinculo.feedback import mail
from vinculo.feedback.mishap import guarded, take_in
from vinculo.feedback.receive import receive
from vinculo.inbox import poll_imap, poll_maildir
from vinculo.model import Event


class Needs(mail.Needs, Protocol):
    """What collecting needs; `runtime.Runtime` is one."""

    def connector(self, channel: str) -> Connector: ...


def doors(rt: Needs) -> list[str]:
    """The doors that are set up: `maildir`, `imap`, and a channel's name for each connector that can be polled."""
    listen = rt.project.settings.listen
    boxes = [name for name, setting in (("maildir", listen.maildir), ("imap", listen.imap)) if setting]
    polled = [name for name in rt.project.settings.channels if _polls(rt.connector(name))]
    return [*boxes, *sorted(polled)]


def _polls(connector: Connector) -> bool:
    return type(connector).poll is not Connector.poll


def collect(rt: Needs, door: str) -> Counter[str]:
    """Fetch what waits at *door* and return how many events had which outcome. Raises `NotReady`, `UsageError`.

    Each mail is stored in a transaction of its own before it is marked as seen: whatever happens, none is lost, and
    one that is fetched twice counts once. What our code fails on is kept raw, with the outcome `failed`.
    """
    outcomes: Counter[str] = Counter()

    def handle(raw: bytes, source: str) -> None:
        outcomes.update(take_in(rt, raw, source=source))

    listen = rt.project.settings.listen
    if door == "maildir" and listen.maildir:
        poll_maildir(rt.project.root / Path(listen.maildir), handle)
    elif door == "imap" and listen.imap:
        _keep(rt, door, poll_imap(listen.imap, _cursor(rt, door), handle))
    elif door in rt.project.settings.channels:
        outcomes.update(_poll(rt, door))
    else:
        raise UsageError(f"There is no door `{door}`", did_you_mean(door, doors(rt)))
    return outcomes


def _poll(rt: Needs, channel: str) -> list[str]:
    events, cursor = rt.connector(channel).poll(_cursor(rt, channel))
    outcomes = [outcome for event in events for outcome in _taken(rt, event)]
    _keep(rt, channel, cursor)
    return outcomes


def _taken(rt: Needs, event: Event) -> list[str]:
    def work() -> list[str]:
        with rt.begin() as db:
            return [receive(db, event, signer=rt.signer, now=rt.now(), project=rt.project)]

    return guarded(rt, event.source, event.raw or repr(event).encode("utf-8", "replace"), work)


def _cursor(rt: Needs, door: str) -> str:
    with rt.read() as db:
        return noted(db, f"cursor/{door}") or ""


def _keep(rt: Needs, door: str, cursor: str) -> None:
    with rt.begin() as db:
        keep_note(db, f"cursor/{door}", cursor)
