"""Events from the web, written in groups: what came in while the last commit was under way shares the next one."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple, Protocol

import sqlalchemy as sa

from vinculo import feedback
from vinculo.model import Event
from vinculo.signing import Signer

log = logging.getLogger(__name__)
#: So many events share a commit at most.
LARGEST_GROUP = 500


class Needs(Protocol):
    """What the writer needs of the runtime."""

    @property
    def signer(self) -> Signer: ...
    def now(self) -> datetime: ...
    def begin(self) -> AbstractContextManager[sa.Connection]: ...


class _Waiting(NamedTuple):
    events: Sequence[Event]
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[list[str]]


class Writer:
    """One thread that writes, so that SQLite's one writer is never waited for by the event loop."""

    def __init__(self, rt: Needs) -> None:
        self._rt = rt
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is waiting, then end."""
        self._waiting.put(None)
        self._thread.join(30)

    async def store(self, *events: Event) -> list[str]:
        """Take in *events* and return their outcomes once they are durable. Raises what the database raises."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[str]] = loop.create_future()
        self._waiting.put(_Waiting(events, loop, answer))
        return await answer

    def _work(self) -> None:
        while (first := self._waiting.get()) is not None:
            group, more = [first], True
            while more and len(group) < LARGEST_GROUP and not self._waiting.empty():
                one = self._waiting.get()
                more = one is not None
                if one is not None:
                    group.append(one)
            self._write(group)
            if not more:
                return

    def _write(self, group: Sequence[_Waiting]) -> None:
        try:
            outcomes = self._receive(group)
        except Exception as error:
            away = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError)
            if len(group) > 1 and not away:  # one bad event must not cost the others their commit
                for one in group:
                    self._write([one])
                return
            log.exception("%d requests could not be stored", len(group))
            for one in group:
                _tell(one, error=error)
        else:
            for one, outcome in zip(group, outcomes, strict=True):
                _tell(one, outcome)

    def _receive(self, group: Sequence[_Waiting]) -> list[list[str]]:
        with self._rt.begin() as db:
            now, signer = self._rt.now(), self._rt.signer
            return [[feedback.receive(db, event, signer=signer, now=now) for event in one.events] for one in group]


def _tell(one: _Waiting, outcome: list[str] | None = None, *, error: Exception | None = None) -> None:
    def set_answer() -> None:
        if one.answer.done():  # the visitor hung up
            return
        if error is not None:
            one.answer.set_exception(error)
        else:
            one.answer.set_result(outcome or [])

    try:
        one.loop.call_soon_threadsafe(set_answer)
    except RuntimeError:  # the loop has ended; the event is stored all the same
        return
