"""The bytes on the wire: both parts, lines that every server takes, the same every time."""

from __future__ import annotations

import email.policy
import re
from email.parser import BytesParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.mail import compose
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


@settings(deadline=None, max_examples=30)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=400), st.text(st.characters(exclude_categories=["Cs"]))
)
def test_text_and_html_arrive_and_no_line_is_too_long(text: str, html: str) -> None:
    data = compose(message(text, html + "<p>"))
    assert data.isascii()
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", data)
    assert max(map(len, data.split(b"\r\n"))) <= 78
    parsed = BytesParser(policy=email.policy.default).parsebytes(data)
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]
    for part, sent in zip(parsed.iter_parts(), (text, html + "<p>"), strict=True):
        got = part.get_payload(decode=True).decode()
        assert got.removesuffix("\r\n") == re.sub(r"\r\n|\r|\n", "\r\n", sent).removesuffix("\r\n")


@pytest.mark.parametrize("text", [".", ".\n.", "--=_", "From me", "x" * 5000, "é" * 2000, "a \t\nb", "", "\n", "\x00"])
def test_a_text_alone_arrives_unchanged(text: str) -> None:
    part = BytesParser(policy=email.policy.default).parsebytes(compose(message(text)))
    got = part.get_payload(decode=True).decode()
    assert got.replace("\r\n", "\n").removesuffix("\n") == text.removesuffix("\n")


def test_no_line_of_the_body_begins_with_a_dot_alone() -> None:
    assert b"\r\n.\r\n" not in compose(message("a\n.\nb"))


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
