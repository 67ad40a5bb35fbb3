"""How long a server is waited for: RFC 5321 §4.5.3.2 in proportion to `timeout`, here 80 seconds; no second is slept."""

from __future__ import annotations

import math
import selectors
import socket
from collections import deque
from collections.abc import Callable, Iterator

import pytest

from tests.unit.mail.smtp.conftest import SILENCE, Place, letter
from tests.unit.mail.smtp.town import Town
from vinculo.connector import InDoubt, Outcome, Receipt, Temporary, Unavailable
from vinculo.mail.endpoint import Endpoint
from vinculo.mail.smtp.letter import Letter
from vinculo.mail.smtp.session import Session
from vinculo.mail.smtp.wire import resolve
from vinculo.mail.verdict import Phase

#: More than the kernel's buffers on both sides hold.
BIG = 20_000_000
#: What the town's clock may go on by while two ends of a connection find each other.
_SLACK = 8


@pytest.fixture
def town() -> Iterator[Callable[..., Town]]:
    made: list[Town] = []

    def make(mode: str, phase: Phase) -> Town:
        def errs(place: Place) -> str | None:
            return SILENCE if place.phase is phase else None

        made.append(Town(errs, 100_000, mode, 0, "221 bye"))
        return made[-1]

    yield make
    for each in made:
        each.end()


@pytest.mark.parametrize("mode", ["off", "on", "full"])
@pytest.mark.parametrize(
    ("phase", "seconds", "verdict"),
    [
        (Phase.CONNECT, 60, Unavailable),
        (Phase.EHLO, 60, Unavailable),
        (Phase.MAIL, 80, Temporary),
        (Phase.RCPT, 80, Temporary),
        (Phase.DATA, 32, Temporary),
        (Phase.ANSWER, 160, InDoubt),
    ],
)
def test_who_falls_silent_is_waited_for_as_long_as_that_answer_may_take(
    town: Callable[..., Town], mode: str, phase: Phase, seconds: int, verdict: type[Outcome]
) -> None:
    """Given up sooner, what was accepted would be in doubt. It is the oldest answer that is waited for."""
    here = town(mode, phase)
    (outcome,) = here.send(1).values()
    assert type(outcome) is verdict
    assert seconds <= here.now < seconds + _SLACK


class Peer:
    """A session, and its server's end of the same connection."""

    def __init__(self, listener: socket.socket, timeout: int) -> None:
        host, port = listener.getsockname()
        endpoint = Endpoint.from_url(f"smtp://{host}:{port}?timeout={timeout}")
        self.answers: deque[tuple[str, Outcome]] = deque()
        self.session = Session(endpoint, resolve(host, port), self.answers, 0.0)
        self.end, _ = listener.accept()
        self.end.settimeout(5)

    def say(self, text: str, now: float) -> None:
        self.end.sendall(text.encode())
        self.go(now)

    def go(self, now: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.session.wire.number, self.session.wire.interest)
            selector.select(5)
        self.session.act(now)


@pytest.mark.parametrize(("timeout", "farewell"), [(80, 5), (3, 3)])
def test_each_step_of_a_connection_has_its_own_time_and_an_idle_one_has_all(timeout: int, farewell: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = Peer(listener, timeout)
    session = peer.session
    with peer.end:
        assert session.deadline == min(timeout, 60)
        peer.say("220 hi\r\n", 1)
        assert session.deadline == 1 + min(timeout, 60)
        peer.say("250-hi\r\n250-8BITMIME\r\n250 PIPELINING\r\n", 2)
        assert session.deadline == math.inf
        message = Letter(letter(1, BIG))
        session.push(message, message.commands(session.offers), 10)
        assert session.deadline == 10 + timeout  # for the first of its commands
        peer.say("250 ok\r\n", 15)
        assert session.deadline == 15 + timeout  # for the next: whoever answers has not fallen silent
        peer.say("250 ok\r\n354 go\r\n", 20)
        assert session.deadline == 20 + 0.6 * timeout  # a piece of the content
        left = session.wire.end
        left -= len(peer.end.recv(1_000_000))
        peer.go(30)
        assert session.deadline == 30 + 0.6 * timeout  # some more of it was taken
        while left:
            left -= len(peer.end.recv(1_000_000))
            session.act(40)
        assert session.deadline == 40 + 2 * timeout
        peer.say("250 2.0.0 queued\r\n", 50)
        ((_, outcome),) = peer.answers
        assert type(outcome) is Receipt
        assert session.deadline == math.inf
        session.act(60)
        session.leave()
        assert session.deadline == 60 + farewell
        session.stop("enough")
