"""No value adds a header, whatever the Python, the field and the payload."""

from __future__ import annotations

import base64
import email.policy
import encodings
import pkgutil
from contextlib import suppress
from email.header import decode_header, make_header
from email.parser import BytesParser
from email.utils import parseaddr
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.mail import HeaderError, compose, safe_header
from vinculo.model import Mailbox, Message

CORPUS = Path(__file__).parents[4] / "shared" / "corpora" / "hostile" / "crlf" / "crlfinjection.txt"
PAYLOADS = [
    "=?utf-8?q?x=0ABcc:_a=40b.c?=",
    "=?utf-8?b?eApCY2M6IGFAYi5j?=",
    "x\r\nBcc: a@b.c",
    "x\nBcc: a@b.c",
    "=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3D0ABcc=3A=3F=3D?=",
    "=?utf-16?b?//5CAGMAYwAKAA==?=",
    "=?nonsense?q?x=0ABcc:?=",
    "=?utf-8*en?q?x=0D=0ABcc:?=",
]
SEPARATORS = ["\r", "\n", "\0", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"]
FIELDS = ["subject", "to_name", "to", "sender_name", "header"]
POLICIES = [email.policy.SMTP, email.policy.default, email.policy.SMTPUTF8]


def message(field: str = "", value: str = "") -> Message:
    fields = {"subject": "Hello", "to_name": "Ana", "to": "ana@b.example", "sender_name": "Shop", "header": "1"}
    fields |= {field: value} if field else {}
    return Message(
        key="k",
        channel="email",
        to=fields["to"],
        to_name=fields["to_name"],
        subject=fields["subject"],
        text="text",
        html="<p>html</p>",
        sender=Mailbox(fields["sender_name"], "shop@b.example"),
        reply_to="replies+x@b.example",
        message_id="<x@b.example>",
        headers=(("X-Extra", fields["header"]),),
    )


NAMES = [
    *("From", "To", "Subject", "Reply-To", "Message-ID", "X-Extra"),
    *("MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
]


def names(data: bytes, policy: email.policy.Policy) -> list[str]:
    return BytesParser(policy=policy).parsebytes(data).keys()


@pytest.mark.parametrize("policy", POLICIES, ids=["SMTP", "default", "SMTPUTF8"])
@pytest.mark.parametrize("payload", PAYLOADS[:4], ids=["q-word", "b-word", "crlf", "lf"])
@pytest.mark.parametrize("field", FIELDS)
def test_none_of_the_sixty_combinations_adds_a_header(field: str, payload: str, policy: email.policy.Policy) -> None:
    """Python 3.11.7's own EmailMessage adds one in 24 of these sixty."""
    with pytest.raises(HeaderError):
        compose(message(field, payload))
    assert names(compose(message()), policy) == NAMES


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("payload", [*PAYLOADS[4:], *[f"a{each}b" for each in SEPARATORS]], ids=ascii)
def test_what_ends_a_line_somewhere_is_refused_everywhere(field: str, payload: str) -> None:
    with pytest.raises(HeaderError):
        compose(message(field, payload))


@pytest.mark.skipif(not CORPUS.exists(), reason="shared/corpora/hostile/crlf is not here")
def test_the_public_payloads_add_no_header() -> None:
    for payload in CORPUS.read_text().splitlines():
        for field in ("subject", "to_name", "header"):
            assert names(compose(message(field, payload)), email.policy.compat32) == NAMES


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(["subject", "to_name", "sender_name", "header"]), st.text(max_size=200))
def test_any_text_is_refused_or_leaves_the_headers_as_they_are(field: str, value: str) -> None:
    try:
        data = compose(message(field, value))
    except HeaderError:
        return
    head = data.partition(b"\r\n\r\n")[0]
    assert names(data, email.policy.compat32) == NAMES
    assert data.isascii()
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert all(line.strip() for line in head.split(b"\r\n"))


@settings(deadline=None, max_examples=40)
@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=120))
def test_a_name_and_a_subject_arrive_as_they_were(value: str) -> None:
    data = compose(Message(**{**_fields(message()), "subject": value, "to_name": value}))
    # compat32: the newer parser of Python 3.11 puts blanks between the encoded words of a name.
    parsed = BytesParser(policy=email.policy.compat32).parsebytes(data)
    assert decoded(parsed["Subject"]) == value
    name, address = parseaddr(parsed["To"].replace("\r\n", ""))
    assert (decoded(name), address) == (value, "ana@b.example")


def decoded(value: str) -> str:
    return str(make_header(decode_header(value.replace("\r\n", ""))))


def _fields(one: Message) -> dict[str, object]:
    return {name: getattr(one, name) for name in Message.__dataclass_fields__}


@pytest.mark.parametrize("coded", [b"ola", b"\xc3\xa7", b"xn--\xff", b"\\N{", b"a\r\nBcc: x@y.example"])
def test_a_word_in_any_charset_of_python_is_refused_or_arrives(coded: bytes) -> None:
    """Its codecs of domain names know no "replace": they raise whatever they are told."""
    for charset in (each.name for each in pkgutil.iter_modules(encodings.__path__)):
        with suppress(HeaderError):
            value = safe_header("Subject", f"=?{charset}?b?{base64.b64encode(coded).decode()}?=")
            assert "\n" not in value.replace("\r\n ", "")


def test_an_encoded_word_without_harm_arrives_as_text() -> None:
    wire = safe_header("Subject", "=?utf-8?q?Jos=C3=A9?=")
    assert str(make_header(decode_header(wire))) == "=?utf-8?q?Jos=C3=A9?="


@pytest.mark.parametrize("name", ["", "X Y", "X:", "X\r\nBcc", "É"])
def test_a_header_with_another_name_is_refused(name: str) -> None:
    with pytest.raises(HeaderError):
        safe_header(name, "x")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "a b@c.d",
        "a@b>, <c@d",
        "a@b, c@d",
        "a@b\r\nRCPT TO:<x@y>",
        "<a@b>",
        '"a b"@c.d',
        "a@b@c",
        "a" * 250 + "@b.example",
    ],
)
def test_what_is_not_one_address_is_refused(address: str) -> None:
    with pytest.raises(HeaderError):
        compose(message("to", address))


def test_an_endless_value_is_refused() -> None:
    for value in ("é" * 5_000, "a" * 5_000, "a" * 1_200):
        with pytest.raises(HeaderError):
            compose(message("subject", value))
