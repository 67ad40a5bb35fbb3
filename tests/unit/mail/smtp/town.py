"""A client and a mail server that are driven in one thread, on real sockets.

The server takes its next step whenever the client has nothing to do. When neither has, time goes on. So nobody waits,
and a reply comes in the pieces that a test says.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Iterator

from tests.unit.mail.smtp.conftest import Place, Receiver, letter
from vinculo.connector import Outcome
from vinculo.mail.smtp import Client
from vinculo.model import Message


class _Hand(asyncio.Transport):
    """The server's end of a connection: what it says leaves in pieces of *size* bytes, one a step."""

    def __init__(self, connection: socket.socket, size: int) -> None:
        super().__init__()
        self._connection, self._size = connection, size
        self._unsaid = b""
        self._closing = False

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self._unsaid += data

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    def abort(self) -> None:
        while self._unsaid:  # what was said before is under way
            self.step()
        self._closing = True
        self._connection.close()

    def step(self) -> bool:
        """Say the next piece; tell whether there was one."""
        piece, self._unsaid = self._unsaid[: self._size], self._unsaid[self._size :]
        with contextlib.suppress(OSError):  # the client may have gone
            self._connection.sendall(piece)
        if self._closing and not self._unsaid:
            self._connection.close()
        return bool(piece)


class Town:
    """A receiver that errs as *errs* says, a client that has nowhere else to go, and one clock for both."""

    def __init__(
        self, errs: Callable[[Place], str | None], size: int, mode: str, messages: int, quit_answer: str | None
    ) -> None:
        self.now = 0.0
        self.receiver = Receiver(errs, quit_answer=quit_answer)
        self._size = size
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._connections: list[tuple[socket.socket, _Hand, asyncio.Protocol]] = []
        url = f"smtp://127.0.0.1:{self._listener.getsockname()[1]}?connections=1&timeout=80&pipeline={mode}&messages={messages}"
        self._client = Client(url, clock=lambda: self.now)

    def send(self, number: int) -> dict[str, Outcome]:
        messages = Messages(number, self.step)
        answers = list(self._client.send_many(messages))
        assert sorted(key for key, _ in answers) == [f"m{each}" for each in range(number)]
        return dict(answers)

    def step(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a piece is not kept for the next
            hand = _Hand(connection, self._size)
            self._connections.append((connection, hand, self.receiver.greet(hand)))
        for connection, hand, protocol in self._connections:
            if hand.step():
                return True
            with contextlib.suppress(OSError):
                if data := connection.recv(65536):
                    protocol.data_received(data)  # type: ignore[attr-defined]
                    return True
        self.now += 1
        assert self.now < 3600, "nobody does anything any more"
        return True

    def hang_up(self, farewell: bytes) -> None:
        """Close every connection, having said *farewell*."""
        for connection, _, _ in self._connections:
            connection.sendall(farewell)
            connection.close()

    def end(self) -> None:
        """Whoever is left on the line hears nothing any more."""
        self._listener.close()
        for connection, _, _ in self._connections:
            connection.close()
        self._client.close()


class Messages:
    def __init__(self, number: int, step: Callable[[], bool]) -> None:
        self._left, self.prepare = deque(letter(each) for each in range(number)), step

    def __iter__(self) -> Iterator[Message]:
        return self

    def __next__(self) -> Message:
        if not self._left:
            raise StopIteration
        return self._left.popleft()
