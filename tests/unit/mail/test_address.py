"""One spelling for each address."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vinculo.mail import mailboxes, normalise_address, place_of_number


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


CORPUS = Path(__file__).parents[4] / "shared" / "corpora" / "addresses" / "tests.xml"
_PARTS = ["a", "Ana", "0", ".", "..", "-", "--", "@", "+", " ", '"', "\\", "(x)", "<", ">", "[", "127.0.0.1", "xn--", "é", "ß", "。", "\n", "\u200d", "_", "%", "x" * 63, "x" * 64, "b" * 190, "com", "local", "test", "arpa", "1", "example", "invalid", "fo--o", "İ", "K"]  # fmt: skip


def slowly(value: str) -> str | None:
    """What email-validator makes of *value*, in lower case."""
    try:
        found = validate_email(value.strip(), check_deliverability=False)
    except EmailNotValidError:
        return None
    return (found.ascii_email or found.normalized).lower()


def quickly(value: str) -> str | None:
    try:
        return normalise_address("email", value)
    except ValueError:
        return None


@settings(max_examples=1500, deadline=None)
@example("a@xn--ao-siap.com.br")
@example("a@xn--a.com")
@example("a@b.c1")
@example("a@b.com.")
@example(f"a@{'b.' * 126}com")
@given(
    st.one_of(
        st.emails(),
        st.builds("{}@{}.com".format, *[st.text("aZ09.+-_é'", max_size=8)] * 2),
        st.lists(st.sampled_from(_PARTS), max_size=9).map("".join),
    )
)
def test_the_quick_way_takes_what_email_validator_takes(value: str) -> None:
    assert quickly(value) == slowly(value)


@settings(max_examples=300, deadline=None)
@example(["ana@example.com", "", "Bia@Example.COM", "x" * 64 + "@x.org"])
@example(["ana@example.com", f"{'b' * 60}@{'b.' * 98}com"])
@example(["a@x.org", "@x.org"])
@example([])
@given(st.lists(st.one_of(st.just(""), st.emails(), st.lists(st.sampled_from(_PARTS), max_size=9).map("".join))))
def test_many_at_once_are_what_each_is_or_are_looked_at_one_by_one(values: list[str]) -> None:
    values = [value.strip().replace("\n", "") for value in values]
    assert mailboxes(values) in (None, [value and quickly(value) for value in values])


def test_plain_mailboxes_are_read_at_once() -> None:
    assert mailboxes(["Ana@Example.COM", "", "b+1@x.org"]) == ["ana@example.com", "", "b+1@x.org"]
    assert mailboxes(["ana@example.com", "bia@ação.com.br"]) is None


@pytest.mark.skipif(not CORPUS.exists(), reason="shared/corpora/addresses is not here")
def test_public_odd_addresses_are_taken_as_email_validator_takes_them() -> None:
    found = [each.text or "" for each in ET.parse(CORPUS).iter("address")]
    assert len(found) > 100
    for each in found:
        shown = "".join(chr(ord(one) - 0x2400) if "\u2400" <= one <= "\u2420" else one for one in each)
        for value in (each, shown):
            assert quickly(value) == slowly(value), value


@pytest.mark.parametrize(
    ("number", "place"),
    [
        ("+5511912345678", ("BR", "America/Sao_Paulo")),
        ("+5592991234567", ("BR", "America/Manaus")),
        ("+351912345678", ("PT", "")),
        ("+541123456789", ("AR", "America/Buenos_Aires")),
        ("+12025550143", ("US", "America/New_York")),
        ("+14165550123", ("CA", "America/Toronto")),
        ("+447400123456", ("GB", "")),
        ("+447797712345", ("JE", "")),
    ],
)
def test_a_number_tells_country_and_zone_again_and_again(number: str, place: tuple[str, str]) -> None:
    assert [place_of_number(number) for _ in range(2)] == [place, place]
