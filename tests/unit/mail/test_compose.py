"""The bytes on the wire: both parts, lines that every server takes, the same every time."""

from __future__ import annotations

import email.policy
import re
from email.parser import BytesParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.mail import compose, downgrade
from vinculo.model import Mailbox, Message


def message(text: str = "text", html: str = "") -> Message:
    return Message(
        key="k",
        channel="email",
        to="josé@b.example".replace("é", "e"),
        to_name="José",
        subject="Olá",
        text=text,
        html=html,
        sender=Mailbox("Loja", "shop@b.example"),
        message_id="<x@b.example>",
    )


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
LONG = st.one_of(TEXT, st.sampled_from(["x" * 998, "x" * 999, "é" * 499, "é" * 500, "a\0b", "x" * 2000 + "\n" + "é"]))


@settings(deadline=None, max_examples=60)
@given(LONG, LONG)
def test_text_and_html_arrive_and_no_line_is_too_long(text: str, html: str) -> None:
    data = compose(message(text, html + "<p>"))
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", data)
    assert max(map(len, data.split(b"\r\n"))) <= 998
    arrived(data, text, html + "<p>")
    narrow = downgrade(data)
    assert narrow.isascii()
    assert max(map(len, narrow.split(b"\r\n"))) <= 998
    arrived(narrow, text, html + "<p>")
    assert downgrade(narrow) == narrow


def arrived(data: bytes, *texts: str) -> None:
    parsed = BytesParser(policy=email.policy.default).parsebytes(data)
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]
    for part, sent in zip(parsed.iter_parts(), texts, strict=True):
        got = part.get_payload(decode=True).decode()
        assert got.removesuffix("\r\n") == re.sub(r"\r\n|\r|\n", "\r\n", sent).removesuffix("\r\n")


@pytest.mark.parametrize(
    ("text", "html", "said"),
    [
        ("Ola", "<p>", ["7bit", "7bit", "7bit"]),
        ("Olá", "<p>", ["8bit", "8bit", "8bit"]),
        ("Olá", "x" * 999, ["8bit", "8bit", "quoted-printable"]),
        ("Ola", "é" * 999, ["7bit", "7bit", "quoted-printable"]),
    ],
)
def test_an_encoding_is_said_for_each_part_and_for_the_whole(text: str, html: str, said: list[str]) -> None:
    data = compose(message(text, html))
    assert re.findall(r"Content-Transfer-Encoding: (\S+)", data.decode()) == said
    assert "8bit" not in downgrade(data).decode()


def test_a_text_alone_can_be_sent_in_seven_bits() -> None:
    data = compose(message("Olá\n"))
    assert b"Content-Transfer-Encoding: 8bit" in data
    assert downgrade(data).endswith(b"Content-Transfer-Encoding: quoted-printable\r\n\r\nOl=C3=A1\r\n")


@pytest.mark.parametrize("text", [".", ".\n.", "--=_", "From me", "x" * 5000, "é" * 2000, "a \t\nb", "", "\n", "\x00"])
def test_a_text_alone_arrives_unchanged(text: str) -> None:
    part = BytesParser(policy=email.policy.default).parsebytes(compose(message(text)))
    got = part.get_payload(decode=True).decode()
    assert got.replace("\r\n", "\n").removesuffix("\n") == text.removesuffix("\n")


def test_the_same_message_gives_the_same_bytes() -> None:
    assert compose(message("a", "<p>a</p>")) == compose(message("a", "<p>a</p>"))


def test_a_boundary_within_the_text_does_not_end_its_part() -> None:
    boundary = re.search(rb'boundary="([^"]+)"', compose(message("a", "<p>"))).group(1).decode()
    data = compose(message(f"--{boundary}--\n", "<p>"))
    assert len(list(BytesParser(policy=email.policy.default).parsebytes(data).iter_parts())) == 2


def test_a_domain_with_accents_goes_out_in_ascii() -> None:
    fields = {name: getattr(message(), name) for name in Message.__dataclass_fields__}
    data = compose(Message(**{**fields, "to": "ana@ação.com.br"}))
    assert b"<ana@xn--ao-siap.com.br>" in data
