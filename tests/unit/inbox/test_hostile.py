"""A mail from a stranger never raises and never takes long."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.inbox.letters import dsn, letter
from vinculo.inbox import KINDS, classify
from vinculo.inbox.parse import MAX_BYTES
from vinculo.inbox.reply import reply_text

_MULTI = b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n"
_TOO_MUCH = {
    "100,000 parts": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 100_000,
    "3,000 parts within parts": b"".join(_MULTI % (n, n) for n in range(3000)),
    "5,000 messages within messages": b"Content-Type: message/rfc822\n\n" * 5000,
    "a Subject of 200 KB": b"Subject: " + b"=?utf-8?q?a?= " * 15_000 + b"\n\nx",
    "50,000 headers": b"X: a\n" * 50_000 + b"\nx",
    "26 MB": b"a: b\n\n" + b"x" * MAX_BYTES,
}


@pytest.mark.parametrize("name", _TOO_MUCH)
def test_a_mail_beyond_the_limits_is_unparsable_at_once(name: str) -> None:
    started = time.perf_counter()
    mail = classify(_TOO_MUCH[name])
    assert (mail.kind, time.perf_counter() - started < 2) == ("unparsable", True)
    assert mail.reason


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n\n\n",
        b"no headers at all",
        b"\xff\xfe\x00" * 100,
        b"From: " + b"(" * 500 + b"\n\nx",
        b"From: a@b.c\nDate: Tue, 99 Foo 99999999 99:99:99 +9999\n\nx",
        b"Content-Type: text/plain; charset=punycode\n\n" + b"-" * 50_000,
        b"Content-Type: text/plain; charset=\xff\nContent-Transfer-Encoding: base64\n\n=====A",
        b"Content-Type: multipart/mixed\n\nno boundary",
        b"Content-Type: text/html\n\n" + b"<div>" * 50_000,
        b"Content-Type: text/html\n\n",
    ],
)
def test_a_broken_mail_is_read_as_far_as_it_goes(raw: bytes) -> None:
    assert classify(raw).kind in KINDS


@settings(max_examples=60, deadline=None)
@given(
    cut=st.integers(0, 1200),
    junk=st.binary(max_size=30),
    which=st.sampled_from([dsn(), letter("> x\n\nOn 1 a wrote:\n")]),
)
def test_a_damaged_mail_never_raises(cut: int, junk: bytes, which: bytes) -> None:
    assert classify(which[:cut] + junk + which[cut + len(junk) :]).kind in KINDS


SHAPES = {
    "On": "On " * 20_000,
    "lines of On": "On x\n" * 16_000,
    "quotes": ">" * 80_000,
    "lines of quotes": "> \n" * 30_000,
    "wrote": "On a wrote " * 7_000,
    "at signs": "a@" * 40_000,
    "dashes": "-" * 80_000,
    "spaces": " " * 80_000,
    "header lines": "From: a\n" * 10_000,
}


@pytest.mark.parametrize("name", SHAPES)
def test_hostile_text_costs_next_to_nothing(name: str) -> None:
    started = time.perf_counter()
    reply_text(SHAPES[name])
    assert time.perf_counter() - started < 0.5  # a tenth of it on a quiet machine
