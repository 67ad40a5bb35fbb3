"""An IMAP mailbox is read once, by a cursor that knows when it has become void."""

import re
import socket
import threading
from collections.abc import Iterator

import pytest

from vinculo.errors import NotReady, UsageError
from vinculo.inbox import poll_imap


class _Server:
    """A server that speaks as much IMAP (RFC 3501) as reading a mailbox takes."""

    def __init__(self) -> None:
        self.validity, self.mails, self.changes = 7, {3: b"three\r\n", 5: b"five\r\n"}, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self.socket.accept()
            except OSError:
                return
            with line, line.makefile("rwb") as file:
                self._talk(file)

    def _talk(self, file: object) -> None:
        file.write(b"* OK ready\r\n")
        file.flush()
        for command in file:
            tag, rest = command.decode().strip().split(" ", 1)
            for answer in self._answers(rest):
                file.write(answer)
            refused = rest.startswith("LOGIN") and '"wrong"' in rest
            file.write(f"{tag} {'NO' if refused else 'OK'} done\r\n".encode())
            file.flush()
            if rest == "LOGOUT":
                return

    def _answers(self, rest: str) -> Iterator[bytes]:
        if rest == "CAPABILITY":
            yield b"* CAPABILITY IMAP4rev1\r\n"
        elif rest.startswith("EXAMINE"):
            yield b"* %d EXISTS\r\n" % len(self.mails)
        elif rest.startswith("STATUS"):
            yield b'* STATUS "INBOX" (UIDVALIDITY %d)\r\n' % self.validity
        elif rest.startswith("UID SEARCH"):
            first = int(re.search(r"UID (\d+):\*", rest)[1])
            found = [uid for uid in self.mails if uid >= first] or [max(self.mails)]
            yield b"* SEARCH " + b" ".join(b"%d" % uid for uid in found) + b"\r\n"
        elif rest.startswith("UID FETCH"):
            uid = int(rest.split()[2])
            yield b"* 1 FETCH (UID %d BODY[] {%d}\r\n%b)\r\n" % (uid, len(self.mails[uid]), self.mails[uid])
        elif rest == "LOGOUT":
            yield b"* BYE\r\n"
        elif not rest.startswith("LOGIN"):
            self.changes.append(rest)


@pytest.fixture
def server() -> Iterator[_Server]:
    made = _Server()
    yield made
    made.socket.shutdown(socket.SHUT_RDWR)
    made.socket.close()
    made.thread.join(timeout=5)


def _poll(server: _Server, cursor: str, kept: list[bytes], password: str = "p%40ss") -> str:
    return poll_imap(f"imap://me:{password}@127.0.0.1:{server.port}/INBOX", cursor, lambda raw, _: kept.append(raw))


def test_each_mail_is_read_once_and_none_is_changed(server: _Server) -> None:
    kept: list[bytes] = []
    cursor = _poll(server, "", kept)
    assert (cursor, kept) == ("7:5", [b"three\r\n", b"five\r\n"])
    assert (_poll(server, cursor, kept), len(kept)) == ("7:5", 2)
    server.mails[8] = b"eight\r\n"
    assert (_poll(server, cursor, kept), kept[2:]) == ("7:8", [b"eight\r\n"])
    assert server.changes == []


def test_when_the_server_numbers_anew_everything_is_read_again(server: _Server) -> None:
    kept: list[bytes] = []
    assert _poll(server, "6:99", kept) == "7:5"
    assert len(kept) == 2


def test_mail_that_could_not_be_kept_is_not_passed_over(server: _Server) -> None:
    def handle(raw: bytes, source: str) -> None:
        raise ValueError(source)

    with pytest.raises(ValueError, match="imap"):
        poll_imap(f"imap://me:x@127.0.0.1:{server.port}/INBOX", "7:3", handle)


@pytest.mark.parametrize("url", ["", "http://me:x@host", "imaps://host/INBOX"])
def test_a_wrong_url_says_what_to_write(url: str) -> None:
    with pytest.raises(UsageError, match="imaps://user"):
        poll_imap(url, "", lambda *_: None)


def test_a_server_that_refuses_or_is_away_is_named(server: _Server) -> None:
    with pytest.raises(NotReady, match=r"127\.0\.0\.1"):
        _poll(server, "", [], password="wrong")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NotReady, match="does not let us read"):
        poll_imap(f"imap://me:x@127.0.0.1:{port}/INBOX", "", lambda *_: None)
