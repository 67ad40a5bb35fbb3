"""What goes into MAIL and RCPT, as the server offers it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vinculo.connector import BadAddress, Rejected
from vinculo.mail.smtp.letter import Letter
from vinculo.mail.smtp.offers import Offers
from vinculo.mail.verdict import Reply
from vinculo.model import Mailbox, Message

MESSAGE = Message(
    key="weekly/1",
    channel="email",
    to="ana@example.com",
    text="Olá",
    sender=Mailbox("Loja", "loja@shop.example"),
    return_path="b+1=2@shop.example",
    message_id="<abc=d+e@shop.example>",
    mime=b"Subject: x\r\n\r\nx\r\n",
)


def commands(offers: Offers = Offers(), **fields: object) -> tuple[str, str]:  # noqa: B008
    return Letter(replace(MESSAGE, **fields)).commands(offers)  # type: ignore[arg-type]


def test_a_server_that_offers_nothing_is_told_nothing_more() -> None:
    assert commands() == ("MAIL FROM:<b+1=2@shop.example>", "RCPT TO:<ana@example.com>")


def test_without_a_return_path_bounces_go_to_the_sender() -> None:
    assert commands(return_path="")[0] == "MAIL FROM:<loja@shop.example>"
    assert commands(return_path="", sender=Mailbox("", ""))[0] == "MAIL FROM:<>"


def test_a_bounce_is_asked_for_with_the_name_of_the_delivery() -> None:
    mail, rcpt = commands(Offers(dsn=True), to="a+b=c@example.com")
    assert mail == "MAIL FROM:<b+1=2@shop.example> RET=HDRS ENVID=abc+3Dd+2Be@shop.example"
    assert rcpt == "RCPT TO:<a+b=c@example.com> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb+3Dc@example.com"


def test_a_name_that_is_too_long_or_none_is_left_out() -> None:
    for name in ("", f"<{'a' * 101}@x.example>", "<ação@x.example>"):
        assert commands(Offers(dsn=True), message_id=name)[0].endswith(" RET=HDRS")


def test_8_bit_content_is_announced_or_becomes_7_bit() -> None:
    letter = Letter(replace(MESSAGE, mime=b""))
    wide = letter.content
    assert not wide.isascii()
    assert letter.commands(Offers(eight_bit=True))[0].endswith(" BODY=8BITMIME")
    assert letter.content == wide
    assert "BODY" not in letter.commands(Offers())[0]
    assert letter.content.isascii()
    assert b"Content-Transfer-Encoding: quoted-printable\r\n" in letter.content


def test_8_bit_content_that_cannot_become_7_bit_is_refused() -> None:
    with pytest.raises(Rejected) as raised:
        commands(mime="Subject: x\r\n\r\nOlá\r\n".encode())
    assert raised.value.status == "5.6.3"


@pytest.mark.parametrize("fields", [{"to": "joão@example.com"}, {"mime": "Subject: Olá\r\n\r\nx\r\n".encode()}])
def test_more_than_ascii_in_addresses_or_headers_needs_smtputf8(fields: dict[str, object]) -> None:
    assert commands(Offers(utf8=True, eight_bit=True, dsn=True), **fields)[0].endswith(
        " SMTPUTF8 RET=HDRS ENVID=abc+3Dd+2Be@shop.example"
    )
    with pytest.raises(Rejected) as raised:
        commands(Offers(eight_bit=True), **fields)
    assert raised.value.status == "5.6.7"


def test_the_size_is_told_and_kept() -> None:
    size = len(MESSAGE.mime)
    assert commands(Offers(size=0))[0].endswith(f" SIZE={size}")
    assert commands(Offers(size=size))[0].endswith(f" SIZE={size}")
    with pytest.raises(Rejected) as raised:
        commands(Offers(size=size - 1))
    assert raised.value.status == "5.3.4"


def test_what_no_server_could_be_told_is_refused_at_once() -> None:
    for wanted, fields in (
        (BadAddress, {"to": "ana"}),
        (Rejected, {"return_path": "b@x\r\nDATA"}),
        (Rejected, {"mime": b"", "subject": "a\r\nBcc: b@c.example"}),
    ):
        with pytest.raises(Rejected) as raised:
            Letter(replace(MESSAGE, **fields))  # type: ignore[arg-type]
        assert type(raised.value) is wanted


def test_offers_are_read_in_any_case() -> None:
    said = Reply(
        250, "mail.example PIPELINING\nPipelining\nSIZE 1000\n8bitmime\nAUTH plain XOAUTH2\nSTARTTLS\nDSN\nSMTPUTF8"
    )
    assert Offers.read(said) == Offers(
        starttls=True,
        pipelining=True,
        eight_bit=True,
        utf8=True,
        dsn=True,
        size=1000,
        auth=frozenset({"PLAIN", "XOAUTH2"}),
    )
    assert Offers.read(Reply(250, "hi PIPELINING\nSIZE")) == Offers(size=0)
    assert Offers.read(Reply(250, "hi\nSIZE lots")) == Offers(size=0)
    assert Offers.read(Reply(250, f"hi\nSIZE {'9' * 5000}")) == Offers(size=10**20 - 1)
