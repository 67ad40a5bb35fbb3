"""What a link tells the website, and the pixel that names nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vinculo.signing import Signer
from vinculo.tracking import Of, destination, location, nameless_path, read_nameless

OF = Of("natal", "2026-12-01T09:00[contact]", "email", "b", "newsletter")
UTM = {"source": "news", "campaign": "{campaign} {occurrence}", "content": "{variant}", "term": ""}
SIGNER = Signer("a secret key for these tests")


@pytest.mark.parametrize(
    ("url", "leads"),
    [
        ("https://a.example", "https://a.example?{}"),
        ("https://a.example/p?x=1&x=2#top", "https://a.example/p?x=1&x=2&{}#top"),
        ("https://a.example/#/route", "https://a.example/?{}#/route"),
        ("https://a.example/p?", "https://a.example/p?{}"),
        ("https://a.example/?utm_source=mine", "https://a.example/?utm_source=mine&{0[1]}"),
        ("https://a.example/?UTM_Source=mine", "https://a.example/?UTM_Source=mine&{0[1]}"),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("tel:+5511", "tel:+5511"),
        ("https://[", "https://["),
    ],
)
def test_a_link_tells_what_it_is_of_and_loses_nothing(url: str, leads: str) -> None:
    rest = "utm_campaign=natal+2026-12-01&utm_content=b"
    wanted = leads.replace("{0[1]}", rest).replace("{}", f"utm_source=news&{rest}")
    assert destination(url, UTM, (), OF) == wanted
    assert destination(destination(url, UTM, (), OF), UTM, (), OF) == wanted


def test_only_our_own_sites_are_told() -> None:
    mine = ("casaaurora.example",)
    for url in ("https://casaaurora.example/", "https://loja.casaaurora.example/"):
        assert "utm_source=news" in destination(url, UTM, mine, OF)
    for url in ("https://notcasaaurora.example/", "https://casaaurora.example.evil.example/"):
        assert destination(url, UTM, mine, OF) == url


@given(st.text(max_size=60))
def test_a_location_is_one_line_of_letters(url: str) -> None:
    line = location(url.encode("utf-8", "replace").decode())
    assert line.isascii()
    assert line.isprintable()


def test_the_pixel_that_names_nobody_is_read_only_with_our_signature() -> None:
    mac, packed = nameless_path(SIGNER, "natal", OF.occurrence)[3:-4].split("/")
    assert read_nameless(SIGNER, mac, packed) == ("natal", OF.occurrence)
    assert read_nameless(Signer("another key, just as long"), mac, packed) is None
    assert read_nameless(SIGNER, mac, packed[:-2]) is None
    assert read_nameless(SIGNER, mac, "é") is None
    newer = Signer("a newer key, just as long", old=["a secret key for these tests"])
    assert read_nameless(newer, mac, packed) == ("natal", OF.occurrence)
