"""Many connections to one server, driven by whoever asks for the answers.

There is no thread and no event loop: `send_many` hands its answers out one by one, and may not pull a message while
as many as it may hold are unanswered. So a loop would be entered and left for every answer or two, which costs more
(4 µs with asyncio, 31 with uvloop, 1 with a selector) than all that it has to do.
"""

from __future__ import annotations

import selectors
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import get_args

from vinculo.connector import Outcome, Receipt, SendError
from vinculo.mail.endpoint import Endpoint, Pipeline
from vinculo.mail.smtp.cap import Cap
from vinculo.mail.smtp.letter import Letter
from vinculo.mail.smtp.session import Session
from vinculo.mail.smtp.wire import Address, resolve
from vinculo.mail.verdict import Phase, broken
from vinculo.model import Message

#: How long the addresses of the host are remembered.
_REMEMBER_SECONDS = 60.0
_PIPELINES: tuple[Pipeline, ...] = get_args(Pipeline)
_NO_COMMANDS = ("", "")
#: A server that has welcomed so many connections is not asked for the others one after another.
_A_FEW = 4
Answer = tuple[str, Outcome]


class Client:
    """The way to one server, used by one thread at a time. Holds at most `bulk` messages unanswered."""

    def __init__(self, endpoint: Endpoint | str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.endpoint = Endpoint.from_url(endpoint) if isinstance(endpoint, str) else endpoint
        if self.endpoint.ca:
            self.endpoint.context()  # a file that is not there is told now, not at the first message
        #: Twice the connections, so that one can be marked and rendered while another is on its way.
        self.bulk = 2 * self.endpoint.connections
        self._clock = clock
        self._cap = Cap(self.endpoint.connections)
        self._selector: selectors.BaseSelector | None = None
        #: Every connection, with what its socket is registered as: (number, interest).
        self._sessions: dict[Session, tuple[int, int]] = {}
        self._hungry: dict[Session, None] = {}
        #: How many of them have not said goodbye.
        self._alive = 0
        self._answers: deque[Answer] = deque()
        #: Pulled and not begun on any connection, or begun on one that broke before it mattered.
        self._waiting: deque[Letter] = deque()
        self._feed: Iterator[Message] | None = None
        self._prepare: Callable[[], bool] = bool
        self._held = self._pulled = 0
        self._look_again = 0.0
        self._pipeline = self.endpoint.pipeline
        self._addresses: tuple[float, list[Address]] = (0.0, [])
        self._failure: SendError | None = None

    def __repr__(self) -> str:
        return f"Client({self.endpoint!r})"

    # ── its life ─────────────────────────────────────────────────────────────────────────────────────────────────
    def open(self) -> None:
        """Have one connection that is signed in. Raises `Unavailable`."""
        self._turn(0)  # what happened to those we have
        self._failure = None
        while not self._hungry:
            if not self._sessions and self._failure is None:
                self._connect()
            if self._failure is not None:
                raise self._failure
            self._turn(None)

    def close(self) -> None:
        """Say goodbye to all. What they answer does not matter: every message has had its answer."""
        for session in list(self._sessions):
            if session.settled and not session.open:
                self._leave(session)
            elif not session.leaving:
                self._drop(session)
        until = self._clock() + min(self.endpoint.timeout, 5.0)
        while self._sessions and self._clock() < until:
            self._turn(until - self._clock())
        for session in list(self._sessions):
            self._drop(session)
        if self._selector is not None:
            self._selector.close()
        self._selector = None

    # ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────
    def send(self, message: Message) -> Receipt:
        """Hand over one message. Raises a `SendError`."""
        ((_, outcome),) = self.send_many([message])
        if isinstance(outcome, Receipt):
            return outcome
        raise outcome

    def send_many(self, messages: Iterable[Message]) -> Iterator[Answer]:
        """Hand over *messages*, each pulled when a connection has room for it; answer for each by its key.

        Where they have `prepare`, it is called while nothing comes.
        """
        self._feed, self._pulled = iter(messages), 0
        self._prepare = getattr(messages, "prepare", bool)
        try:
            self._turn(0)  # a connection that died while nobody looked is no failure of a message
            while True:
                while self._answers:  # first, so that as many may be pulled again
                    yield self._answers.popleft()
                    self._held -= 1
                self._fill()
                if self._answers:
                    continue
                if not self._held and self._feed is None:
                    return
                while not self._turn(0):
                    if not self._prepare():
                        self._turn(None)
                        break
        finally:
            self._abandon()

    def _fill(self) -> None:
        """Give every connection that has room a message, and see to it that there are connections."""
        now = self._clock()
        for session in list(self._hungry):
            # It has had as many as one connection may, or there are more connections than may be.
            done = session.spent or self._alive > self._cap.allowed
            letter, commands = (None, _NO_COMMANDS) if done else self._next(session)
            if letter is not None or session.invited is not None:
                del self._hungry[session]
                session.push(letter, commands, now)
                self._after(session)
            elif done:
                self._leave(session)
        if self._alive < self._cap.most:
            self._grow(now)

    def _next(self, session: Session) -> tuple[Letter | None, tuple[str, str]]:
        """Return the next letter that *session*'s server can carry, and the commands for it."""
        while (letter := self._take()) is not None:
            try:
                return letter, letter.commands(session.offers)
            except SendError as error:
                self._answers.append((letter.key, error))
        return None, _NO_COMMANDS

    def _take(self) -> Letter | None:
        """Return a letter that waits, or pull one."""
        if self._waiting:
            return self._waiting.popleft()
        return self._pull()

    def _pull(self) -> Letter | None:
        while self._feed is not None and self._held < self.bulk:
            message = next(self._feed, None)
            if message is None:
                self._feed = None
                return None
            self._held += 1
            self._pulled += 1
            try:
                return Letter(message)
            except SendError as error:
                self._answers.append((message.key, error))
        return None

    def _abandon(self) -> None:
        """The caller has gone, or has all its answers: what is still open will never be asked for."""
        for session in list(self._sessions):
            if session.open:
                self._drop(session)
        self._answers.clear()
        self._waiting.clear()
        self._feed, self._held = None, 0

    # ── connections ──────────────────────────────────────────────────────────────────────────────────────────────
    def _grow(self, now: float) -> None:
        """Open the first connection when there is a message for it, and more when there are messages for them.

        The first signs in before another tries: nobody is locked out for a wrong password said many times. Then twice
        as many, until a few are there; then all at once: far away, each doubling would cost two round trips.
        """
        alive = self._alive
        if not alive:
            letter = self._take()
            if letter is not None:
                self._waiting.appendleft(letter)
                self._connect()
            return
        if self._hungry or not (self._waiting or (self._feed is not None and self._pulled > 1)):
            return
        settled = sum(session.settled for session in self._sessions)
        if not settled or (room := self._cap.room(alive, now)) < 1:
            return
        greeted = sum(session.greeted for session in self._sessions)
        more = room if greeted >= _A_FEW else min(room, 2 * greeted - alive)
        coming = alive - settled
        while len(self._waiting) < coming + more and (letter := self._pull()) is not None:
            self._waiting.append(letter)
        for _ in range(min(more, len(self._waiting) - coming)):
            self._connect()

    def _connect(self) -> None:
        now = self._clock()
        try:
            session = Session(self.endpoint, self._resolve(now), self._answers, now)
        except OSError as error:
            where = f"{self.endpoint.host}:{self.endpoint.port}"
            self._unreachable(broken(Phase.CONNECT, f"{where}: {error.strerror or error}"))
            return
        session.pipeline = self._pipeline
        self._sessions[session] = (-1, 0)
        self._alive += 1
        self._after(session)

    def _resolve(self, now: float) -> list[Address]:
        until, addresses = self._addresses
        if now >= until:
            addresses = list(resolve(self.endpoint.host, self.endpoint.port))
            self._addresses = now + _REMEMBER_SECONDS, addresses
        return addresses

    def _leave(self, session: Session) -> None:
        self._hungry.pop(session, None)
        self._alive -= 1
        session.leave()
        self._after(session)

    def _drop(self, session: Session) -> None:
        session.stop("given up")
        self._forget(session)

    def _forget(self, session: Session) -> None:
        number, _ = self._sessions.pop(session)
        self._alive -= not session.leaving
        self._hungry.pop(session, None)
        if number != -1 and self._selector is not None:
            self._selector.unregister(number)

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────────────────
    def _turn(self, seconds: float | None) -> bool:
        """Wait for something to happen, at most *seconds*, and let it happen; tell whether something did."""
        if self._selector is None:
            self._selector = selectors.DefaultSelector()
        tick = min(1.0, self.endpoint.timeout / 8)
        ready = self._selector.select(tick if seconds is None else min(seconds, tick))
        now, happened = self._clock(), bool(ready)
        for key, _ in ready:
            key.data.act(now)
            self._after(key.data)
        if now >= self._look_again:
            self._look_again = now + tick
            for session in list(self._sessions):
                if now >= session.deadline:
                    session.stop("no answer in time", late=True)
                    self._after(session)
                    happened = True
        return happened

    def _after(self, session: Session) -> None:
        """See what has become of *session*."""
        if session.over is not None:
            self._forget(session)
            self._bury(session)
            return
        if session.invited is not None or (not session.open and session.settled):
            self._hungry[session] = None
        if session.wire.unsent or self._sessions[session][1] != selectors.EVENT_READ:
            self._register(session, (session.wire.number, session.wire.interest))

    def _register(self, session: Session, wanted: tuple[int, int]) -> None:
        assert self._selector is not None
        number, interest = self._sessions[session]
        if (number, interest) == wanted:
            return
        if number == wanted[0]:
            self._selector.modify(number, wanted[1], session)
        else:
            if number != -1:
                self._selector.unregister(number)
            self._selector.register(wanted[0], wanted[1], session)
        self._sessions[session] = wanted

    def _bury(self, session: Session) -> None:
        """Judge what was open on a connection that is over, and learn from it how many the server wants."""
        assert session.over is not None
        now, alive = self._clock(), sum(each.settled for each in self._sessions)
        if not session.established:
            if self._alive:
                self._cap.settle_for(self._alive, now)
            else:
                self._unreachable(session.over)
            return
        if session.farewell:
            self._cap.halve(alive + 1, now)
        if _PIPELINES.index(session.pipeline) < _PIPELINES.index(self._pipeline):
            self._pipeline = session.pipeline
        for transaction in session.open:
            verdict = session.fate(transaction, others=alive > 0)
            if verdict is None:
                transaction.letter.again = True
                self._waiting.append(transaction.letter)
            else:
                self._answers.append((transaction.letter.key, verdict))

    def _unreachable(self, error: SendError) -> None:
        """No connection is left and none can be opened: nothing that waits can leave."""
        self._failure = error
        self._answers += ((letter.key, error) for letter in self._waiting)
        self._waiting.clear()
