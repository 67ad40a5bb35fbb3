"""One spelling for each address."""

from __future__ import annotations

import pytest

from vinculo.mail import normalise_address


@pytest.mark.parametrize(
    ("channel", "value", "country", "kept"),
    [
        ("email", " Ana.Silva@Example.COM ", "", "ana.silva@example.com"),
        ("email", "ana@ação.com.br", "", "ana@xn--ao-siap.com.br"),
        ("sms", "(11) 91234-5678", "BR", "+5511912345678"),
        ("whatsapp", "+351 912 345 678", "", "+351912345678"),
        ("sms", "202 555 0143", "us", "+12025550143"),
        ("telegram", " @ana ", "", "@ana"),
    ],
)
def test_an_address_is_kept_in_one_spelling(channel: str, value: str, country: str, kept: str) -> None:
    assert normalise_address(channel, value, country) == kept
    assert normalise_address(channel, kept, country) == kept


@pytest.mark.parametrize(
    ("channel", "value", "says"),
    [
        ("email", "ana", "e-mail address"),
        ("email", "a@b.example\r\nRCPT TO:<x@y>", "e-mail address"),
        ("email", "a@b.example\nx", "e-mail address"),
        ("sms", "12", r"\+55 11"),
        ("sms", "91234-5678", r"\+55 11"),
        ("sms", "", r"\+55 11"),
        ("telegram", "a b", "one word"),
        ("telegram", "a\u2028b", "one word"),
        ("telegram", "", "one word"),
    ],
)
def test_what_is_no_address_is_refused_and_says_what_to_write(channel: str, value: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        normalise_address(channel, value)
