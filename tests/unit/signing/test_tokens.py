"""Tokens tell nothing, cannot be altered, and serve one purpose."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.errors import UsageError
from vinculo.signing import BadToken, Signer

OLD, NEW = "an old secret key that was long", "a new secret key that is longer"
signer = Signer(NEW)
NUMBERS = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=3)


@settings(deadline=None, max_examples=50)
@given(NUMBERS)
def test_a_token_gives_back_its_numbers(numbers: list[int]) -> None:
    assert signer.read("open", signer.token("open", *numbers)) == tuple(numbers)
    assert signer.read_mail_token("bounce", signer.mail_token("bounce", *numbers)) == tuple(numbers)


def test_a_token_is_the_same_every_time_and_in_every_process() -> None:
    assert signer.token("open", 5) == Signer(NEW).token("open", 5)


@pytest.mark.parametrize("numbers", [(7,), (7, 8)])
def test_every_flipped_bit_of_a_token_is_refused(numbers: tuple[int, ...]) -> None:
    token = signer.token("open", *numbers)
    sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for bit in range(len(sealed) * 8):
        altered = bytearray(sealed)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BadToken):
            signer.read("open", base64.urlsafe_b64encode(altered).rstrip(b"=").decode())


@pytest.mark.parametrize("numbers", [(7,), (7, 8)])
def test_every_other_character_at_every_place_is_refused(numbers: tuple[int, ...]) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ \n"
    token = signer.token("open", *numbers)
    for place, was in enumerate(token):
        for character in alphabet.replace(was, ""):
            with pytest.raises(BadToken):
                signer.read("open", token[:place] + character + token[place + 1 :])


@pytest.mark.parametrize("numbers", [(7,), (7, 8)])
def test_every_other_character_of_a_mail_token_is_refused(numbers: tuple[int, ...]) -> None:
    token = signer.mail_token("bounce", *numbers)
    for place, was in enumerate(token):
        for character in "abcdefghijklmnopqrstuvwxyz234567018=".replace(was, ""):
            with pytest.raises(BadToken):
                signer.read_mail_token("bounce", token[:place] + character + token[place + 1 :])


def test_a_mail_token_survives_the_loss_of_its_case() -> None:
    assert signer.read_mail_token("bounce", signer.mail_token("bounce", 7).upper()) == (7,)


def test_a_mail_token_fits_a_local_part() -> None:
    assert len("bounces+" + signer.mail_token("bounce", 2**64 - 1)) <= 64  # RFC 5321 §4.5.3.1.1


@pytest.mark.parametrize("junk", ["", "a", "=", "á", "\0", "a" * 5000, "____", "😀"])
def test_junk_is_refused(junk: str) -> None:
    with pytest.raises(BadToken):
        signer.read("open", junk)
    with pytest.raises(BadToken):
        signer.read_mail_token("open", junk)


def test_a_token_for_one_purpose_is_refused_for_another() -> None:
    purposes = ["open", "click", "unsubscribe", "preferences", "view", "reply", "bounce", "message", "survey"]
    for purpose in purposes:
        for other in {*purposes} - {purpose}:
            with pytest.raises(BadToken):
                signer.read(other, signer.token(purpose, 7))
            with pytest.raises(BadToken):
                signer.read_mail_token(other, signer.mail_token(purpose, 7))


def test_tokens_tell_neither_ids_nor_their_order_nor_their_size() -> None:
    tokens = [signer.mail_token("message", number) for number in (1, 2, 3, 10**6, 2**63)]
    assert len({len(token) for token in tokens}) == 1
    # Two neighbours share no more than the key's name: 8 bits, 1 or 2 characters of base32.
    assert all(one[2:6] != two[2:6] for one in tokens for two in tokens if one != two)


def test_a_token_of_another_house_is_refused() -> None:
    with pytest.raises(BadToken):
        signer.read("open", Signer(OLD).token("open", 7))


def test_after_a_change_of_secret_old_tokens_still_read_and_new_ones_use_the_new_secret() -> None:
    rotated = Signer(NEW, old=[OLD])
    assert rotated.read("open", Signer(OLD).token("open", 7)) == (7,)
    assert rotated.read_mail_token("reply", Signer(OLD).mail_token("reply", 7)) == (7,)
    assert rotated.verify("url", "text", Signer(OLD).mac("url", "text"))
    assert rotated.token("open", 7) == signer.token("open", 7)


def test_a_hash_survives_a_change_of_secret() -> None:
    assert Signer(NEW, old=[OLD]).hash("address", "email", "a@b.example") == Signer(OLD).hash(
        "address", "email", "a@b.example"
    )


def test_a_hash_depends_on_where_one_part_ends_and_the_next_begins() -> None:
    assert signer.hash("ab", "c") != signer.hash("a", "bc")
    assert signer.hash("a") != signer.hash("a", "")
    assert len(signer.hash("a")) == 64


def test_a_mac_holds_for_its_text_and_purpose_only() -> None:
    mac = signer.mac("url", "https://a.example/?x=é")
    assert signer.verify("url", "https://a.example/?x=é", mac)
    assert not signer.verify("url", "https://a.example/?x=e", mac)
    assert not signer.verify("link", "https://a.example/?x=é", mac)
    assert not any(
        signer.verify("url", "https://a.example/?x=é", bad)
        for bad in ("", mac[:-1], mac + "=", mac.lower(), "é", "\ud800")
    )


def test_a_short_secret_is_refused_with_a_remedy() -> None:
    with pytest.raises(UsageError, match="token_urlsafe"):
        Signer("short")


def test_many_hashes_made_together_are_those_made_one_by_one() -> None:
    values = ["ana@example.com", "", "çã@x.org", "a" * 300]
    signer = Signer("a secret for tests only")
    assert signer.hashes("address", "email", last=values) == [signer.hash("address", "email", v) for v in values]
