"""What the web brings, written in groups: what came in while the last commit was under way shares the next one."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa

from vinculo import feedback
from vinculo.feedback import Glance, Hit, Webhook
from vinculo.model import Event
from vinculo.project import Project
from vinculo.signing import Signer

log = logging.getLogger(__name__)
#: So many requests share a commit at most.
LARGEST_GROUP = 500


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
    answer: asyncio.Future[Any]


_Answers = Sequence[tuple[_Waiting, Any]]


class Writer:
    """One thread that writes, so that SQLite's one writer is never waited for by the event loop."""

    def __init__(self, rt: Needs) -> None:
        self._rt, self._places = rt, feedback.Places(rt.project.settings.tracking)
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
        outcomes: list[str] = await self._written(events)
        return outcomes

    async def webhook(self, given: Webhook) -> list[str]:
        """Take in a provider's request; as `store`."""
        outcomes: list[str] = await self._written(given)
        return outcomes

    async def hit(self, hit: Hit) -> str:
        """Take in *hit* and return where its link leads, once it is durable. Raises as `store`."""
        leads: str = await self._written(hit)
        return leads

    async def count(self, glance: Glance) -> None:
        """Count *glance*. Raises as `store`."""
        await self._written(glance)

    def _written(self, given: _Given) -> asyncio.Future[Any]:
        answer = asyncio.get_running_loop().create_future()
        self._waiting.put(_Waiting(given, answer))
        return answer

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
            answers = self._receive(group)
        except Exception as error:
            away = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError)
            if len(group) > 1 and not away:  # one bad event must not cost the others their commit
                for one in group:
                    self._write([one])
                return
            log.exception("%d requests could not be stored", len(group))
            _tell([(one, error) for one in group])
        else:
            _tell(list(zip(group, answers, strict=True)))

    def _receive(self, group: Sequence[_Waiting]) -> list[Any]:
        rt = self._rt
        with rt.begin() as db:
            hits = [each.given for each in group if isinstance(each.given, Hit)]
            leads = iter(feedback.receive_hits(db, hits, self._places, rt.now()) if hits else ())
            feedback.count(db, [each.given for each in group if isinstance(each.given, Glance)], self._places)
            return [next(leads) if isinstance(each.given, Hit) else self._outcomes(db, each.given) for each in group]

    def _outcomes(self, db: sa.Connection, given: Sequence[Event] | Glance | Webhook) -> list[str]:
        rt, now = self._rt, self._rt.now()
        if isinstance(given, Glance):
            return []
        if isinstance(given, Webhook):
            return feedback.receive_webhook(db, given, signer=rt.signer, now=now, project=rt.project)
        return [feedback.receive(db, event, signer=rt.signer, now=now, project=rt.project) for event in given]


def _tell(answers: _Answers) -> None:
    """Answer a whole group at once: to wake the loop costs more than to answer."""

    def set_answers() -> None:
        for one, said in answers:
            if one.answer.done():  # the visitor hung up
                continue
            if isinstance(said, Exception):
                one.answer.set_exception(said)
            else:
                one.answer.set_result(said)

    try:
        answers[0][0].answer.get_loop().call_soon_threadsafe(set_answers)
    except RuntimeError:  # the loop has ended; what came is stored all the same
        return
