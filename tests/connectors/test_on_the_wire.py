"""What arrives at a server that nobody here wrote: one message for one message, with its signature whole."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from connectors.smtp import Smtp
from vinculo.mail import compose, downgrade
from vinculo.mail.dkim import Dkim, DkimKey
from vinculo.model import Mailbox, Message
from vinculo.testing.postfix import PostfixSink, tool

pytestmark = pytest.mark.skipif(tool("smtp-sink") is None, reason="no smtp-sink: bash requirements/postfix.sh")
KEYS = (
    DkimKey("shop.example", "r", rsa.generate_private_key(65537, 2048)),
    DkimKey("shop.example", "e", ed25519.Ed25519PrivateKey.generate()),
)
#: What servers have taken for the end of a message: RFC 5321 §4.1.1.4's own, and the seven that are none.
ENDS = ["\r\n.\r\n", "\n.\n", "\r\n.\n", "\n.\r\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r"]
SECOND = "MAIL FROM:<evil@x.example>\r\nRCPT TO:<victim@b.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nx"


def message(text: str, html: str = "") -> Message:
    return Message(
        key="k",
        channel="email",
        to="ana@b.example",
        subject="Olá",
        text=text,
        html=html,
        sender=Mailbox("Loja", "shop@shop.example"),
        return_path="bounces@shop.example",
        message_id="<x@shop.example>",
        headers=(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),),
    )


def arrived(sink: PostfixSink) -> list[bytes]:
    """What smtp-sink was given, with CRLF line ends and without its own lines."""
    found = []
    for data in sink.messages():
        lines = data.replace(b"\r\n", b"\n").split(b"\n")
        while lines and re.match(rb"X-[A-Za-z-]+:|Received:|[ \t]", lines[0]):
            lines = lines[1:]
        found.append(b"\r\n".join(lines))
    return found


def verified(data: bytes, number: int) -> bool:
    records = {f"{key.place}.".encode(): key.record.encode() for key in KEYS}
    return bool(dkim.DKIM(data).verify(idx=number, dnsfunc=lambda name, **_: records.get(name)))


@pytest.mark.parametrize("end", ENDS, ids=repr)
@pytest.mark.parametrize("raw", [False, True], ids=["composed", "given as it is"])
def test_no_end_of_data_within_a_message_makes_two_of_it(tmp_path: Path, end: str, raw: bool) -> None:
    """SMTP smuggling: what a server in front lets through, and the one behind it takes for an end."""
    letter = message(f"one{end}{SECOND}{end}QUIT\r\n", f"<p>one{end}{SECOND}{end}</p>")
    data = compose(letter)
    if raw:  # a message that somebody else composed, with whatever line ends
        data = data.partition(b"\r\n\r\n")[0] + f"\r\n\r\none{end}{SECOND}{end}".encode()
    with PostfixSink(record=tmp_path / "in") as sink, Smtp(sink.url) as connector:
        connector.send(dataclasses.replace(letter, mime=data))
        found = arrived(sink)
    assert len(found) == 1
    assert b"victim@b.example" in found[0]


@pytest.mark.parametrize("options", [(), ("-8",)], ids=["8BITMIME", "no 8BITMIME"])
def test_a_signed_message_arrives_as_it_was_signed(tmp_path: Path, options: tuple[str, ...]) -> None:
    letter = message(".\n..\n.fim\nação " + "x" * 1200, "<p>\n.\n.ação</p>" + "é" * 900)
    signed = Dkim(KEYS).sign(downgrade(compose(letter)), datetime(2026, 3, 3, 12, tzinfo=UTC))
    with PostfixSink(*options, record=tmp_path / "in") as sink, Smtp(sink.url) as connector:
        connector.send(dataclasses.replace(letter, mime=signed))
        (data,) = arrived(sink)
    assert data.rstrip(b"\r\n") == signed.rstrip(b"\r\n")
    assert [verified(data, 0), verified(data, 1)] == [True, True]


def test_what_is_not_signed_goes_in_eight_bits_only_where_they_are_offered(tmp_path: Path) -> None:
    letter = message("ação\n")
    for options, eight in (((), True), (("-8",), False)):
        with PostfixSink(*options, record=tmp_path / str(eight)) as sink, Smtp(sink.url) as connector:
            connector.send(dataclasses.replace(letter, mime=compose(letter)))
            (data,) = arrived(sink)
        assert data.isascii() is not eight
