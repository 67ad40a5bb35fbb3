"""The sink refuses what a real mail server refuses."""

from __future__ import annotations

import smtplib
import socket

import pytest

from vinculo.errors import NotReady
from vinculo.testing.smtp import SmtpSink

HEAD = b"From: a@shop.example\r\nSubject: x\r\n"


def converse(sink: SmtpSink, content: bytes, options: str = "") -> bytes:
    """Speak raw SMTP: a library would mend the content."""
    with socket.create_connection(("127.0.0.1", sink.port), 5) as wire, wire.makefile("rb") as answers:
        answers.readline()
        commands = [b"EHLO me", b"MAIL FROM:<a@shop.example>" + options.encode(), b"RCPT TO:<ana@example.com>", b"DATA"]
        for command in commands:
            wire.sendall(command + b"\r\n")
            while answers.readline()[3:4] == b"-":
                pass
        wire.sendall(content + b"\r\n.\r\n")
        return answers.readline()


@pytest.mark.parametrize(
    ("content", "reply"),
    [
        (HEAD + b"\r\nhello", b"250"),
        (HEAD + b"\r\nbare\nnewline", b"550 5.6.0"),
        (HEAD + b"\r\nbare\rreturn", b"550 5.6.0"),
        (HEAD + b"\r\n\xc3\xa9", b"554 5.6.3"),
        (b"Subject: x\r\n\r\nno sender", b"550 5.7.1"),
        (HEAD + b"Subject: y\r\n\r\ntwo subjects", b"550 5.7.1"),
        (HEAD + b"From: b@shop.example\r\n\r\ntwo senders", b"550 5.7.1"),
        (HEAD + b"\r\n" + b"x" * 1100, b"500"),
    ],
)
def test_content_that_breaks_the_rules_is_refused(content: bytes, reply: bytes) -> None:
    with SmtpSink() as sink:
        assert converse(sink, content).startswith(reply)
        assert len(sink.received) == (reply == b"250")


def test_announced_8_bit_content_is_taken_and_8_bit_headers_need_more() -> None:
    with SmtpSink() as sink:
        assert converse(sink, HEAD + b"\r\n\xc3\xa9", " BODY=8BITMIME").startswith(b"250")
        assert converse(sink, HEAD + b"X: \xc3\xa9\r\n\r\n", " BODY=8BITMIME").startswith(b"554 5.6.7")
        assert converse(sink, HEAD + b"X: \xc3\xa9\r\n\r\n", " BODY=8BITMIME SMTPUTF8").startswith(b"250")


def test_who_does_not_sign_in_is_refused() -> None:
    with SmtpSink(login=("loja", "secret")) as sink, smtplib.SMTP("127.0.0.1", sink.port, timeout=5) as client:
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail("a@shop.example", "ana@example.com", HEAD + b"\r\n")
        client.login("loja", "secret")
        client.sendmail("a@shop.example", "ana@example.com", HEAD + b"\r\n")
        assert len(sink.received) == 1


def test_it_keeps_what_it_takes_in_a_folder(tmp_path) -> None:
    with SmtpSink(folder=tmp_path / "mail") as sink:
        converse(sink, HEAD + b"\r\nhello")
        assert [path.read_bytes() for path in (tmp_path / "mail").iterdir()] == [HEAD + b"\r\nhello\r\n"]


def test_a_port_that_is_taken_is_named() -> None:
    with SmtpSink() as sink, pytest.raises(NotReady, match=str(sink.port)):
        SmtpSink(sink.port).start()
