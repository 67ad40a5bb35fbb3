"""The last byte: whether the kernel has taken it decides whether a message is in doubt."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.unit.mail.smtp.conftest import letter
from vinculo.connector import InDoubt, Rejected, SendError, Temporary
from vinculo.mail.smtp import Client
from vinculo.mail.smtp.wire import Wire, resolve


class Narrow:
    """A server with a tiny window: says *script*, then reads exactly *read* bytes of the content, then does *then*."""

    def __init__(self, read: int, then: Callable[[socket.socket], None]) -> None:
        self._read, self._then = read, then
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.url = f"smtp://127.0.0.1:{self._listener.getsockname()[1]}?connections=1&timeout=0.5"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._listener.close()
        self._thread.join(5)

    def _run(self) -> None:
        connection, _ = self._listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            connection.sendall(b"220 hi\r\n")
            for reply in (b"250-hi\r\n250 PIPELINING\r\n", b"250 ok\r\n250 ok\r\n354 go\r\n"):
                connection.recv(4096)
                connection.sendall(reply)
            left = self._read
            while left > 0:
                left -= len(connection.recv(min(left, 2048)))
            self._then(connection)


@pytest.fixture
def narrow() -> Iterator[Callable[..., Narrow]]:
    made: list[Narrow] = []

    def make(read: int, then: Callable[[socket.socket], None] = lambda _: None) -> Narrow:
        made.append(Narrow(read, then))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def verdict(url: str, size: int) -> SendError:
    client = Client(url)
    with pytest.raises(SendError) as raised:
        client.send(letter(1, size))
    client.close()
    return raised.value


BIG = 20_000_000  # more than the kernel's buffers on both sides hold


@pytest.mark.parametrize("read", [0, 1, 100_000, 5_000_000])
def test_a_server_that_stops_reading_and_dies_has_not_got_the_message(narrow, read: int) -> None:
    error = verdict(narrow(read).url, BIG)
    assert type(error) is Temporary
    assert error.reason.startswith("body: ")


def test_a_server_that_stops_reading_and_stays_is_given_up_before_the_last_byte(narrow) -> None:
    error = verdict(narrow(1000, lambda connection: connection.recv(1) and threading.Event().wait(2)).url, BIG)
    assert (type(error), error.reason) == (Temporary, "body: no answer in time")


def test_a_server_that_reads_all_but_the_dot_and_dies_leaves_it_in_doubt(narrow) -> None:
    """The kernel had taken the last byte: whether the server had, nobody can tell."""
    assert type(verdict(narrow(100).url, 15_000)) is InDoubt


def test_yes_to_all_before_the_last_byte_is_taken_is_no_yes(narrow) -> None:
    """Content and next commands are on their way; their four answers come in one piece, and too early."""
    early = b"250 2.0.0 queued\r\n250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n"
    server = narrow(1000, lambda connection: (connection.sendall(early), threading.Event().wait(0.3)))
    client = Client(f"{server.url}&pipeline=full")
    answers = dict(client.send_many(letter(number, BIG) for number in range(2)))
    client.close()
    assert type(answers["m0"]) is Temporary


def test_an_answer_that_was_there_before_the_connection_broke_is_heard(narrow) -> None:
    error = verdict(narrow(1000, lambda connection: connection.sendall(b"552 5.3.4 too much\r\n")).url, BIG)
    assert type(error) in {Rejected, Temporary}  # RST may throw away what was not read: then it is lost, and not taken


def test_what_was_taken_is_counted_to_the_byte() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wire = Wire(resolve(*listener.getsockname()))
        other, _ = listener.accept()
    with other:
        _wait(wire)
        wire.advance()
        assert wire.ready
        data = bytes(BIG)
        wire.write(data)
        wire.write(b"end")
        assert 0 < wire.taken < wire.end == BIG + 3
        assert wire.interest & selectors.EVENT_WRITE
        came = bytearray()
        while len(came) < wire.end:
            came += other.recv(1_000_000)
            wire.flush()
        assert (wire.taken, bytes(came)) == (BIG + 3, data + b"end")
        assert wire.interest == selectors.EVENT_READ
        wire.close()


def test_the_next_address_is_tried_when_the_first_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as closed:
        (good,) = resolve(*listener.getsockname())
        (bad,) = resolve(*closed.getsockname())
        closed.close()
        wire = Wire([bad, good])
        while not wire.ready:
            _wait(wire)
            wire.advance()
            assert not wire.lost
        wire.close()


def test_who_shakes_hands_waits_for_the_other_end_and_is_not_ready_before() -> None:
    """What can always be written to would wake it again and again."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        wire = _connected(silent)
        wire.encrypt(ssl.create_default_context(), "localhost")
        wire.advance()
        assert (wire.ready, wire.lost, wire.interest) == (False, "", selectors.EVENT_READ)
        wire.close()


def test_what_is_written_while_something_waits_comes_after_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wire = _connected(listener)
        other, _ = listener.accept()
    with other:
        other.settimeout(5)
        wire.write(bytes(BIG))
        came = 0
        while not _writable(wire):
            came += len(other.recv(1_000_000))
        wire.write(b"end")  # there is room again
        while came < BIG:
            wire.flush()
            piece = other.recv(min(1_000_000, BIG - came))
            assert not piece.strip(b"\0")
            came += len(piece)
        assert not wire.unsent or wire.flush()
        assert other.recv(3) == b"end"
        wire.close()


def test_nothing_leaves_by_a_connection_that_is_lost() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wire = _connected(listener)
        other, _ = listener.accept()
    with other:
        other.shutdown(socket.SHUT_WR)  # it would still hear us
        _wait(wire)
        wire.read()
        assert wire.lost == "the server closed the connection"
        wire.write(b"QUIT\r\n")
        assert not wire.flush()
        assert (wire.taken, wire.end) == (0, 6)
        wire.close()


def test_where_nobody_listens_it_is_lost_and_never_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        where = closed.getsockname()
    wire = Wire(resolve(*where))
    _wait(wire)
    wire.advance()
    assert (wire.ready, wire.lost) == (False, f"127.0.0.1:{where[1]}: Connection refused")
    wire.close()


def test_a_command_leaves_at_once() -> None:
    """The kernel would hold the second of two small writes back until the other end has confirmed the first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wire = _connected(listener)
        with socket.socket(fileno=os.dup(wire.number)) as same:
            assert same.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        wire.close()


@pytest.mark.parametrize(
    ("family", "address", "literal"),
    [(socket.AF_INET, "127.0.0.1", "[127.0.0.1]"), (socket.AF_INET6, "::1", "[IPv6:::1]")],
)
def test_whoever_has_no_name_greets_with_its_address(family: int, address: str, literal: str) -> None:
    try:
        listener = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no {address}")
    with listener:
        wire = _connected(listener)
        assert wire.own_name == literal
        wire.close()


def _connected(listener: socket.socket) -> Wire:
    wire = Wire(resolve(*listener.getsockname()[:2]))
    _wait(wire)
    wire.advance()
    assert wire.ready
    return wire


def _writable(wire: Wire) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(wire.number, selectors.EVENT_WRITE)
        return bool(selector.select(0))


def _wait(wire: Wire) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(wire.number, wire.interest)
        selector.select(5)
