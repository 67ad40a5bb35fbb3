"""A mail server with many connections, PIPELINING and a record of what it took, that errs where a test tells it to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from vinculo.mail.verdict import Phase
from vinculo.model import Message

#: Instead of a reply: hang up; say nothing more; hang up having taken the message.
DROP, SILENCE, TAKE_AND_DROP = "<drop>", "<silence>", "<take and drop>"
OFFERS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10000000")
USUAL = {
    Phase.CONNECT: "220 hi",
    Phase.EHLO: "",
    Phase.MAIL: "250 2.1.0 sender ok",
    Phase.RCPT: "250 2.1.5 recipient ok",
    Phase.DATA: "354 go on",
    Phase.RSET: "250 2.0.0 cleared",
    Phase.ANSWER: "250 2.0.0 queued as {key}",
}


def letter(number: int, size: int = 0) -> Message:
    """A message that the receiver can tell from others."""
    filling = b"x" * 76 + b"\r\n"
    return Message(
        key=f"m{number}",
        channel="email",
        to=f"m{number}@example.com",
        text="",
        return_path="bounces@shop.example",
        mime=f"X-Key: m{number}\r\n\r\n".encode() + filling * (size // len(filling) + 1),
    )


@dataclass(frozen=True)
class Place:
    """Where a connection stands: its number, the phase, the recipient of the message as far as it was told."""

    connection: int
    phase: Phase
    key: str = ""


@dataclass
class Receiver:
    """Listens from `start` to `stop`. *errs* says what to answer at a place; None: what is usual there."""

    errs: Callable[[Place], str | None] = lambda _: None
    offers: tuple[str, ...] = OFFERS
    port: int = 0
    taken: list[str] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    #: What is answered to what came in one piece leaves in one piece, too.
    together: bool = False
    #: What is said to QUIT before hanging up; None: nothing, for ever.
    quit_answer: str | None = "221 bye"
    alive: int = 0
    most: int = 0
    connections: int = 0
    _open: set[_Connection] = field(default_factory=set)

    def greet(self, transport: asyncio.Transport) -> asyncio.Protocol:
        """Take a connection that whoever asks reads from and writes to."""
        connection = _Connection(self)
        connection.connection_made(transport)
        return connection

    def start(self) -> Receiver:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        listening = self._loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(5)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._close)
        self._thread.join(5)
        self._loop.close()

    def deaf(self) -> None:
        """Take no more connections."""

        async def close() -> None:
            self._server.close()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(5)

    def hang_up(self) -> None:
        """Close every connection."""

        async def close() -> None:
            for each in list(self._open):
                each.transport.abort()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(5)

    def url(self, **options: object) -> str:
        query = "&".join(f"{key}={value}" for key, value in ({"timeout": 5} | options).items())
        return f"smtp://127.0.0.1:{self.port}?{query}"

    def _close(self) -> None:
        self._server.close()
        for each in list(self._open):
            each.transport.abort()
        self._loop.call_soon(self._loop.call_soon, self._loop.stop)


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.unread = self.unsaid = b""
        self.key = ""
        self.content = False
        self.envelope: list[Phase] = []
        self.mute = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        here = self.receiver
        here.connections += 1
        here.alive += 1
        here.most = max(here.most, here.alive)
        here._open.add(self)
        self.number = here.connections
        self.answer(Phase.CONNECT)
        if not transport.is_closing():
            self.flush()

    def connection_lost(self, _: Exception | None) -> None:
        self.receiver.alive -= 1
        self.receiver._open.discard(self)

    def data_received(self, data: bytes) -> None:
        self.unread += data
        while not (self.mute or self.transport.is_closing()):
            end = b"\r\n.\r\n" if self.content and self.unread[:3] != b".\r\n" else b"\r\n"
            found, mark, rest = self.unread.partition(end)
            if not mark:
                return
            self.unread = rest
            self.take(found) if self.content else self.command(found.decode())
            if b"\r\n" not in self.unread:
                self.flush()

    def command(self, line: str) -> None:
        self.receiver.lines.append(line)
        word = line.split(" ", maxsplit=1)[0].upper()
        if word == "QUIT":
            if self.receiver.quit_answer is not None:
                self.transport.write(self.receiver.quit_answer.encode() + b"\r\n")
                self.transport.close()
        elif word == "EHLO":
            self.answer(Phase.EHLO)
        else:
            self.step({"MAIL": Phase.MAIL, "RCPT": Phase.RCPT, "DATA": Phase.DATA, "RSET": Phase.RSET}[word], line)

    def step(self, phase: Phase, line: str) -> None:
        """A command of a transaction, in its order: RFC 5321 §4.1.4."""
        if phase is Phase.RCPT:
            self.key = line.partition("<")[2].partition("@")[0]
        if phase is Phase.RSET:
            self.envelope = []
        elif phase is Phase.MAIL and self.envelope:
            self.say("503 5.5.1 nested MAIL")
            return
        elif (phase is Phase.RCPT and Phase.MAIL not in self.envelope) or (
            phase is Phase.DATA and Phase.RCPT not in self.envelope
        ):
            said = self.receiver.errs(Place(self.number, Phase.BODY, self.key)) or "503 5.5.1 out of order"
            self.content = said.startswith("354")
            self.say(said)
            return
        said = self.answer(phase)
        if said.startswith("250") and phase is not Phase.RSET:
            self.envelope.append(phase)
        self.content = said.startswith("354")

    def take(self, content: bytes) -> None:
        to_nobody = Phase.RCPT not in self.envelope
        self.content, self.envelope = False, []
        if to_nobody:
            assert content == b".", "content without a recipient"
            self.say("554 5.5.1 no valid recipients")
            return
        key = content.removeprefix(b"X-Key: ").partition(b"\r\n")[0].decode()
        self.answer(Phase.ANSWER, key)

    def answer(self, phase: Phase, key: str = "") -> str:
        place = Place(self.number, phase, key or self.key)
        self.receiver.places.append(place)
        said = self.receiver.errs(place) or USUAL[phase].format(key=place.key)
        if phase is Phase.ANSWER and (said.startswith("250") or said == TAKE_AND_DROP):
            self.receiver.taken.append(key)
        if said in {DROP, TAKE_AND_DROP}:
            self.flush()
            self.transport.abort()
        elif said == SILENCE:
            self.mute = True
        elif not said:
            self.say("\r\n".join(f"250-{each}" for each in ("hi", *self.receiver.offers[:-1])))
            self.say(f"250 {self.receiver.offers[-1]}")
        else:
            self.say(said)
        if said.startswith("421"):
            self.flush()
            self.transport.close()
        return said

    def say(self, text: str) -> None:
        self.unsaid += text.encode("latin-1") + b"\r\n"
        if not self.receiver.together:
            self.flush()

    def flush(self) -> None:
        self.transport.write(self.unsaid)
        self.unsaid = b""


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    started: list[Receiver] = []

    def start(errs: Callable[[Place], str | None] = lambda _: None, **options: object) -> Receiver:
        started.append(Receiver(errs, **options).start())  # type: ignore[arg-type]
        return started[-1]

    yield start
    for each in started:
        each.stop()
