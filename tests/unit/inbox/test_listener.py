"""The listener takes only mail for us, and says 250 only when it is kept."""

import gc
import smtplib
import socket
from collections.abc import Iterator

import pytest
from aiosmtpd.smtp import SMTP

from tests.unit.inbox.letters import letter
from vinculo.errors import NotReady
from vinculo.inbox import Doorkeeper, Listener
from vinculo.signing import Signer

SIGNER = Signer("a secret for tests only")
DOOR = Doorkeeper(["replies@shop.example", "bounces@shop.example"], SIGNER)


class _Shelf:
    """Keeps mail, or is away."""

    def __init__(self) -> None:
        self.kept: list[tuple[bytes, str]] = []
        self.away = False

    def __call__(self, raw: bytes, source: str) -> None:
        if self.away:
            raise OSError("the database is away")
        self.kept.append((raw, source))


@pytest.fixture
def shelf() -> _Shelf:
    return _Shelf()


@pytest.fixture(params=[False, True], ids=["smtp", "lmtp"])
def client(request: pytest.FixtureRequest, shelf: _Shelf) -> Iterator[smtplib.SMTP]:
    kind = smtplib.LMTP if request.param else smtplib.SMTP
    with Listener("127.0.0.1:0", DOOR, shelf, lmtp=request.param) as listener, kind("127.0.0.1", listener.port) as made:
        yield made


def _send(client: smtplib.SMTP, *to: str) -> tuple[int, bytes]:
    client.ehlo_or_helo_if_needed()
    client.mail("ana@example.com")
    for address in to:
        client.rcpt(address)
    return client.data(letter())


def test_a_mail_is_kept_with_its_envelope(client: smtplib.SMTP, shelf: _Shelf) -> None:
    tagged = f"replies+{SIGNER.mail_token('reply', 3)}@shop.example"
    assert _send(client, tagged)[0] == 250
    [(raw, source)] = shelf.kept
    assert raw.startswith(f"Return-Path: <ana@example.com>\r\nDelivered-To: {tagged}\r\n".encode())
    assert raw.endswith(letter())
    assert source == ("lmtp" if isinstance(client, smtplib.LMTP) else "smtp")


def test_when_it_cannot_be_kept_the_sender_is_asked_to_come_again(client: smtplib.SMTP, shelf: _Shelf) -> None:
    shelf.away = True
    assert _send(client, "bounces@shop.example")[0] == 451
    shelf.away = False
    assert _send(client, "bounces@shop.example")[0] == 250
    assert len(shelf.kept) == 1


def test_a_stranger_is_turned_away(client: smtplib.SMTP, shelf: _Shelf) -> None:
    client.ehlo_or_helo_if_needed()
    client.mail("")
    assert client.rcpt("info@shop.example")[0] == 550
    assert client.rcpt("Bounces@Shop.example")[0] == 250
    assert shelf.kept == []


def test_lmtp_answers_once_for_each_recipient(shelf: _Shelf) -> None:
    to = ["bounces@shop.example", "replies@shop.example"]
    with (
        Listener("127.0.0.1:0", DOOR, shelf, lmtp=True) as listener,
        socket.create_connection(("127.0.0.1", listener.port)) as line,
    ):
        file = line.makefile("rwb")
        file.readline()
        commands = ["LHLO a", "MAIL FROM:<>", *(f"RCPT TO:<{each}>" for each in to), "DATA"]
        for command in commands:
            file.write(command.encode() + b"\r\n")
            file.flush()
            while file.readline()[3:4] == b"-":
                pass
        file.write(letter() + b".\r\n")
        file.flush()
        assert [file.readline()[:3] for _ in to] == [b"250", b"250"]
        file.close()
    assert len(shelf.kept) == 1


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("replies@shop.example", True),
        ("REPLIES@SHOP.EXAMPLE", True),
        (f"bounces+{SIGNER.mail_token('bounce', 1)}@shop.example", True),
        (f"bounces+{SIGNER.mail_token('bounce', 1).upper()}@shop.example", True),
        (f"SRS0=ab=cd=shop.example=bounces+{SIGNER.mail_token('bounce', 1)}@shop.example", True),
        (f"bounces+{SIGNER.mail_token('bounce', 1)}@elsewhere.example", False),
        (f"bounces+{SIGNER.mail_token('survey', 1)}@shop.example", False),
        (f"bounces+{Signer('another secret, not ours').mail_token('bounce', 1)}@shop.example", False),
        ("bounces+guess@shop.example", False),
        ("postmaster", False),
        ("", False),
    ],
)
def test_only_our_mailboxes_and_our_tokens_are_admitted(address: str, ours: bool) -> None:
    assert DOOR.admits(address) is ours


def test_a_port_in_use_is_named(shelf: _Shelf) -> None:
    with Listener("127.0.0.1:0", DOOR, shelf) as first, pytest.raises(NotReady, match=str(first.port)):
        Listener(f"127.0.0.1:{first.port}", DOOR, shelf).start()


def test_connections_that_ended_are_forgotten(shelf: _Shelf) -> None:
    with Listener("127.0.0.1:0", DOOR, shelf) as listener:
        for _ in range(5):
            with smtplib.SMTP("127.0.0.1", listener.port) as client:
                client.ehlo()
        with smtplib.SMTP("127.0.0.1", listener.port) as client:
            alive = 6
            for _ in range(200):  # each a turn of the listener's loop
                client.noop()
                gc.collect()
                alive = sum(isinstance(each, SMTP) for each in gc.get_objects())
                if alive == 1:
                    break
            assert alive == 1
