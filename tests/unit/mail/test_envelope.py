from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.mail.envelope import envelope_address, needs_utf8, wire_content

CORPORA = Path(os.environ.get("VINCULO_CORPORA", Path(__file__).parents[4] / "shared" / "corpora"))


def isemail() -> list[str]:
    """The isemail vectors that hold a line end, written there as symbols (U+2400 and on)."""
    tests = ET.parse(CORPORA / "addresses" / "tests.xml").iter("test")
    addresses = [test.findtext("address") or "" for test in tests]
    return [
        re.sub("[\u2400-\u241f]", lambda symbol: chr(ord(symbol[0]) - 0x2400), address)
        for address in addresses
        if re.search("[\u240a\u240d]", address)
    ]


def test_no_address_of_isemail_with_a_line_end_is_accepted() -> None:
    if not CORPORA.is_dir():
        pytest.skip("the corpora are not beside the checkout; set VINCULO_CORPORA to their folder")
    vectors = isemail()
    assert len(vectors) == 28
    for address in vectors:
        with pytest.raises(ValueError):
            envelope_address(address)


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("ana@example.com", "ana@example.com"),
        ("Ana.Maria+news@Example.com", "Ana.Maria+news@Example.com"),
        ('"ana maria"@example.com', '"ana maria"@example.com'),
        ("ana@[192.0.2.1]", "ana@[192.0.2.1]"),
        ("joão@bücher.example", "joão@xn--bcher-kva.example"),
        ("o'brien@example.com", "o'brien@example.com"),
    ],
)
def test_addresses_go_as_they_are_and_domains_in_ascii(address: str, wanted: str) -> None:
    assert envelope_address(address) == wanted


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ana",
        "@example.com",
        "ana@",
        "ana@exa mple.com",
        "ana @example.com",
        "ana@example.com> SIZE=1",
        "ana>@example.com",
        "<ana@example.com>",
        "ana@b@example.com",
        "ana@example.com\r\nDATA",
        "ana\u2028@example.com",
        "ana\x85@example.com",
        "ana\x00@example.com",
        "ana\u202e@example.com",
        "ana@-example.com",
        "ana@example..com",
        "ana..maria@example.com",
        "a" * 250 + "@example.com",
        '"ana" maria@example.com',
        "ana,bia@example.com",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError):
        envelope_address(address)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from('ana@example.com<>\r\n\0\x0b\x85\u2028 "\\,;:[]()é'), max_size=30))
def test_an_accepted_address_cannot_end_its_command(address: str) -> None:
    try:
        accepted = envelope_address(address)
    except ValueError:
        return
    assert not set(accepted) & set("\r\n\0\x0b\x85\u2028")
    outside_quotes = re.sub(r'"(?:[^"\\]|\\.)*"', "", accepted)
    assert not set(outside_quotes) & set('<> "\\')


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"a", b"\0", b"\xc3\xa9"]), max_size=30).map(b"".join)
)
def test_content_on_the_wire_has_one_end_and_no_bare_line_end(data: bytes) -> None:
    wire = wire_content(data)
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", wire)
    assert wire.endswith(b"\r\n.\r\n")
    assert (b"\r\n" + wire).count(b"\r\n.\r\n") == 1
    lines = [line.removeprefix(b".") for line in wire.removesuffix(b".\r\n").split(b"\r\n")[:-1]]
    assert lines == re.split(
        rb"\r\n|\r|\n", data.removesuffix(b"\n").removesuffix(b"\r") if data.endswith((b"\r", b"\n")) else data
    )


def test_headers_decide_whether_utf8_is_needed_and_bodies_do_not() -> None:
    assert not needs_utf8("ana@example.com", b"Subject: x\r\n\r\n\xc3\xa9")
    assert needs_utf8("ana@example.com", b"Subject: \xc3\xa9\r\n\r\nx")
    assert needs_utf8("jo\u00e3o@example.com", b"Subject: x\r\n\r\nx")
