"""What the web brings, written in groups: what came in while the last commit was under way shares the next one.

When that is much, the next one waits a moment longer. Who was just answered comes again, and a commit costs as much for
a hundred as for fifty; and the loop and the writer, which share one interpreter, take turns instead of getting in each
other's way.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa

from vinculo import feedback
from vinculo.db import failure
from vinculo.feedback import Glance, Hit, Webhook
from vinculo.model import Event
from vinculo.project import Project
from vinculo.signing import Signer

log = logging.getLogger(__name__)
#: So many requests share a commit at most.
LARGEST_GROUP = 500
#: So often what was ended in favour of others is begun: of these so often it gives way itself.
_TRIES, _GIVES_WAY = 4, 2
#: After a group of so many the next one gathers for so long, in seconds.
LARGE_GROUP, GATHERING = 32, 0.002

#: Half as long as PostgreSQL waits before it looks for a circle, and ends one of those in it.
_SHORT_WAIT = sa.text("SET LOCAL lock_timeout = '500ms'")


class Needs(Protocol):
    """What the writer needs of the runtime."""

    project: Project

    @property
    def signer(self) -> Signer: ...
    def now(self) -> datetime: ...
    def begin(self) -> AbstractContextManager[sa.Connection]: ...


_Given = Sequence[Event] | Hit | Glance | Webhook


class _Waiting(NamedTuple):
    given: _Given
    tell: Callable[[Any], None]


_Group = list[_Waiting]


class Writer:
    """One thread that writes, so that SQLite's one writer is never waited for by the event loop."""

    def __init__(self, rt: Needs) -> None:
        self._rt, self._rules = rt, feedback.TrackingRules(rt.project.settings.tracking)
        #: What came in since the writer was given something to do; and whether it has.
        self._coming: _Group = []
        self._busy = False
        self._groups: queue.SimpleQueue[_Group | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is waiting, then end."""
        while self._coming:
            self._hand_over()
        self._groups.put(None)
        self._thread.join(30)

    def put(self, given: _Given, tell: Callable[[Any], None]) -> None:
        """Take in *given*; once it is durable *tell* is called, in the loop, with what it led to, or with an error."""
        self._coming.append(_Waiting(given, tell))
        if not self._busy:
            self._busy = True
            self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self._hand_over)  # with what else comes in this turn of the loop

    def _hand_over(self) -> None:
        if self._coming:
            group, self._coming = self._coming[:LARGEST_GROUP], self._coming[LARGEST_GROUP:]
            self._groups.put(group)

    def _written_group(self, group: _Group, answers: Sequence[Any]) -> None:
        """Answer a whole group at once, for to wake the loop costs more than to answer; and go on with the next."""
        gathers = len(group) >= LARGE_GROUP and len(self._coming) < LARGEST_GROUP
        if gathers:
            self._loop.call_later(GATHERING, self._go_on)
        for one, said in zip(group, answers, strict=True):
            try:
                one.tell(said)
            except Exception:
                log.exception("A request that is stored could not be answered")  # the others are
        if not gathers:
            self._go_on()

    def _go_on(self) -> None:
        self._busy = bool(self._coming)
        if self._busy:
            self._hand_over()

    async def store(self, *events: Event) -> list[str]:
        """Take in *events* and return their outcomes once they are durable. Raises what the database raises."""
        outcomes: list[str] = await self._written(events)
        return outcomes

    async def webhook(self, given: Webhook) -> list[str]:
        """Take in a provider's request; as `store`."""
        outcomes: list[str] = await self._written(given)
        return outcomes

    async def take(self, given: Hit | Glance) -> str:
        """Take in *given* and return where its link leads, if it is one, once it is durable. Raises as `store`."""
        leads: str = await self._written(given)
        return leads

    def _written(self, given: _Given) -> asyncio.Future[Any]:
        answer = asyncio.get_running_loop().create_future()
        self.put(given, partial(_answer, answer))
        return answer

    def _work(self) -> None:
        while (group := self._groups.get()) is not None:
            answers = self._write(group)
            with suppress(RuntimeError):  # the loop has ended; what came is stored all the same
                self._loop.call_soon_threadsafe(self._written_group, group, answers)

    def _write(self, group: _Group, tries: int = 1) -> list[Any]:
        """Store *group* and return the answers, or what was raised instead.

        What gave way to others, or was ended in a circle, is done again, one by one and, at last, as long as it takes.
        """
        try:
            return self._receive(group, gives_way=tries <= _GIVES_WAY)
        except Exception as error:
            if tries < _TRIES and failure.is_waiting(error):
                return [answer for one in group for answer in self._write([one], tries + 1)]
            away = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError)
            if len(group) > 1 and not away:  # one bad event must not cost the others their commit
                return [answer for one in group for answer in self._write([one])]
            log.exception("%d requests could not be stored", len(group))
            return [error] * len(group)

    def _receive(self, group: _Group, *, gives_way: bool) -> list[Any]:
        rt = self._rt
        with rt.begin() as db:
            if gives_way and any(not isinstance(each.given, Hit | Glance) for each in group):
                _give_way(db)
            hits = [each.given for each in group if isinstance(each.given, Hit)]
            leads = iter(feedback.receive_hits(db, hits, self._rules, rt.now()) if hits else ())
            feedback.count(db, [each.given for each in group if isinstance(each.given, Glance)], self._rules)
            return [next(leads) if isinstance(each.given, Hit) else self._outcomes(db, each.given) for each in group]

    def _outcomes(self, db: sa.Connection, given: Sequence[Event] | Glance | Webhook) -> list[str] | str:
        rt, now = self._rt, self._rt.now()
        if isinstance(given, Glance):
            return ""
        if isinstance(given, Webhook):
            return feedback.receive_webhook(db, given, signer=rt.signer, now=now, project=rt.project)
        return [feedback.receive(db, event, signer=rt.signer, now=now, project=rt.project) for event in given]


def _give_way(db: sa.Connection) -> None:
    """Let PostgreSQL end this transaction, and not a worker's, should each wait for the other's rows.

    Who leaves locks rows of the ledger, person by person and so in no order; a worker locks them by their numbers.
    """
    if db.dialect.name == "postgresql":
        db.execute(_SHORT_WAIT)


def _answer(waits: asyncio.Future[Any], said: Any) -> None:
    if waits.done():  # the visitor hung up
        return
    if isinstance(said, Exception):
        waits.set_exception(said)
    else:
        waits.set_result(said)
