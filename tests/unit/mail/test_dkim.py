"""What we sign, dkimpy verifies; what was altered on the way, it does not."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.errors import UsageError
from vinculo.mail import HeaderError, compose
from vinculo.mail.dkim import ONCE, SIGNED, Dkim, DkimKey, read_keys
from vinculo.mail.envelope import wire_content
from vinculo.model import Mailbox, Message

AT = datetime(2026, 3, 3, 12, tzinfo=UTC)  # dkimpy refuses what was signed in the future
RSA = DkimKey("shop.example", "rsa", rsa.generate_private_key(65537, 2048))
EDWARDS = DkimKey("shop.example", "ed", ed25519.Ed25519PrivateKey.generate())
BOTH = Dkim([RSA, EDWARDS])
LEAVE = (
    ("Date", "Tue, 03 Mar 2026 12:00:00 +0000"),
    ("List-Id", "news <news.shop.example>"),
    ("Feedback-ID", "c-weekly:t-news:k-newsletter:shopexample"),
    ("Auto-Submitted", "auto-generated"),
    ("List-Unsubscribe", "<https://shop.example/u/x>, <mailto:replies+x@shop.example?subject=unsubscribe>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
)


def message(*, subject: str = "Olá, João", text: str = "text", html: str = "<p>html</p>", name: str = "João") -> bytes:
    return compose(
        Message(
            key="k",
            channel="email",
            to="ana@b.example",
            to_name=name,
            subject=subject,
            text=text,
            html=html,
            sender=Mailbox("Loja", "shop@shop.example"),
            reply_to="replies+x@shop.example",
            message_id="<x@shop.example>",
            headers=LEAVE,
        )
    )


def published(*keys: DkimKey) -> Callable[..., bytes | None]:
    """A name server that has the records of *keys*."""
    records = {f"{key.place}.".encode(): key.record.encode() for key in keys}

    def ask(name: bytes, timeout: int = 5) -> bytes | None:
        return records.get(name)

    return ask


def verdicts(data: bytes, *keys: DkimKey) -> list[bool]:
    """What dkimpy says of each signature, from the first on."""
    known = published(*(keys or BOTH.keys))
    count = len(re.findall(rb"^DKIM-Signature:", data, re.MULTILINE))
    return [_verified(data, number, known) for number in range(count)]


def _verified(data: bytes, number: int, known: Callable[..., bytes | None]) -> bool:
    try:
        return bool(dkim.DKIM(data).verify(idx=number, dnsfunc=known))
    except dkim.DKIMException:
        return False


def tags(data: bytes) -> dict[str, str]:
    """The tags of the first signature."""
    header = data.partition(b"\r\n")[0] + b"".join(re.findall(rb"\r\n[ ][^\r\n]*", data.partition(b"\r\nFrom:")[0]))
    pairs = (pair.partition("=") for pair in header.decode().split(":", 1)[1].split(";"))
    return {name.strip(): re.sub(r"\s", "", value) for name, _, value in pairs}


# ── signing ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("key", [RSA, EDWARDS], ids=["RSA-2048", "Ed25519"])
def test_one_signature_verifies(key: DkimKey) -> None:
    assert verdicts(Dkim([key]).sign(message(), AT), key) == [True]


def test_two_signatures_stand_side_by_side_and_both_verify() -> None:
    assert verdicts(BOTH.sign(message(), AT)) == [True, True]


def test_one_click_and_all_that_a_reader_sees_is_covered_and_from_twice() -> None:
    covered = tags(Dkim([RSA]).sign(message(), AT))["h"].split(":")
    present = {
        name.decode().lower()
        for name in re.findall(rb"^([A-Za-z-]+):", message().partition(b"\r\n\r\n")[0], re.MULTILINE)
    }
    assert set(covered) == present & {name.decode() for name in SIGNED}
    assert {"list-unsubscribe", "list-unsubscribe-post", "feedback-id", "list-id", "auto-submitted"} <= set(covered)
    assert {name for name in covered if covered.count(name) == 2} == present & {name.decode() for name in ONCE}


def test_the_body_is_covered_whole_and_the_time_is_the_occurrences() -> None:
    found = tags(Dkim([EDWARDS]).sign(message(), AT))
    assert "l" not in found
    assert (found["v"], found["a"], found["c"], found["d"], found["s"]) == (
        *("1", "ed25519-sha256", "relaxed/simple", "shop.example", "ed"),
    )
    assert found["t"] == str(int(AT.timestamp()))


def test_the_same_message_is_signed_the_same_each_time() -> None:
    assert BOTH.sign(message(), AT) == BOTH.sign(message(), AT)


def test_no_line_of_a_signature_is_longer_than_78() -> None:
    head = BOTH.sign(message(), AT).partition(b"\r\nFrom:")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78


@pytest.mark.parametrize("place", range(12))
def test_a_byte_that_changes_breaks_every_signature(place: int) -> None:
    signed = BOTH.sign(message(), AT)
    start = signed.index(b"From:")
    body = signed.index(b"\r\n\r\n") + 4
    at = start + 7 if place == 0 else body + place * (len(signed) - body - 20) // 12
    changed = signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :]
    assert verdicts(changed) == [False, False]


@pytest.mark.parametrize("name", sorted(name.decode() for name in ONCE))
def test_a_second_header_of_what_a_reader_sees_breaks_the_signature(name: str) -> None:
    signed = Dkim([RSA]).sign(message(text="alone", html="") if "transfer" in name else message(), AT)
    assert verdicts(signed, RSA) == [True]
    assert verdicts(f"{name}: x\r\n".encode() + signed, RSA) == [False]


@pytest.mark.parametrize("name", ["List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID", "List-Id"])
def test_a_header_that_is_taken_away_breaks_the_signature(name: str) -> None:
    signed = Dkim([RSA]).sign(message(), AT)
    without = re.sub(rb"(?m)^" + name.encode() + rb":[^\n]*\n(?:[ \t][^\n]*\n)*", b"", signed, count=1)
    assert without != signed
    assert verdicts(without, RSA) == [False]


def test_what_relays_do_to_a_message_breaks_nothing() -> None:
    """Trace headers before it, headers folded anew, a line end added: all of it happens on the way."""
    signed = BOTH.sign(message(), AT)
    refolded = signed.replace(b"List-Unsubscribe: <", b"List-Unsubscribe:\r\n\t <").replace(
        b"; boundary", b";\r\n boundary"
    )
    assert refolded != signed
    assert verdicts(b"Received: from a by b;\r\n\tTue, 1 Dec 2026 12:00:01 +0000\r\n" + refolded + b"\r\n") == [
        True,
        True,
    ]


def test_dots_and_line_ends_of_smtp_break_nothing() -> None:
    signed = BOTH.sign(message(text=".\n..\n.a\n", html="<p>\n.\n</p>"), AT)
    wire = wire_content(signed)
    taken_off = re.sub(rb"(?m)^\.", b"", wire.removesuffix(b".\r\n"))
    assert taken_off == signed
    assert verdicts(taken_off) == [True, True]


@settings(deadline=None, max_examples=40)
@given(*[st.text(st.characters(exclude_categories=["Cs"]), max_size=120)] * 3)
def test_any_words_verify(subject: str, text: str, name: str) -> None:
    try:
        data = message(subject=subject, text=text, name=name)
    except HeaderError:
        return
    assert verdicts(Dkim([EDWARDS]).sign(data, AT), EDWARDS) == [True]


@pytest.mark.parametrize("body", [b"", b"\r\n", b"a", b"a\r\n", b"a\r\n\r\n\r\n", b"\r\n\r\n"], ids=repr)
def test_any_end_of_a_body_verifies(body: bytes) -> None:
    data = b"From: a@shop.example\r\nSubject:   x \t y \r\nX: z\r\n\r\n" + body
    assert verdicts(BOTH.sign(data, AT)) == [True, True]


def test_repeated_headers_are_taken_from_the_last_on() -> None:
    data = b"From: a@shop.example\r\nTo: one@b.example\r\nSubject: x\r\nTo: two@b.example\r\n\r\nbody\r\n"
    signed = BOTH.sign(data, AT)
    assert verdicts(signed) == [True, True]
    assert verdicts(signed.replace(b"one@", b"uno@")) == [False, False]


def test_rfc_8463_own_key_gives_the_public_key_of_its_appendix() -> None:
    seed = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="  # RFC 8463 appendix A.1
    der = "MC4CAQAwBQYDK2VwBCIEIA" + "=="  # PKCS #8 before the 32 bytes (RFC 8410 §7)
    from base64 import b64decode, b64encode

    pem = f"-----BEGIN PRIVATE KEY-----\n{b64encode(b64decode(der) + b64decode(seed)).decode()}\n-----END PRIVATE KEY-----"
    (key,) = read_keys(pem, "football.example.com", "brisbane")
    assert key.record == "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    assert key.place == "brisbane._domainkey.football.example.com"


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def pem(key: object, password: bytes = b"", form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, lock).decode()


def public_pem(key: DkimKey) -> str:
    return key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_keys_are_read_in_the_order_of_their_selectors(form: PrivateFormat) -> None:
    text = "A comment.\n" + pem(RSA.private, form=form) + "\n" + pem(EDWARDS.private)
    one, two = read_keys(text, "Shop.example", "r2026 e2026")
    assert (one.domain, one.place, one.type) == ("shop.example", "r2026._domainkey.shop.example", "rsa")
    assert (two.selector, two.type, two.public) == ("e2026", "ed25519", EDWARDS.public)


@pytest.mark.parametrize(
    ("text", "domain", "selectors", "says"),
    [
        (pem(rsa.generate_private_key(65537, 1024)), "a.example", "s", "1,024 bits"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "a.example", "s", "RSA or Ed25519"),
        (pem(RSA.private, b"secret"), "a.example", "s", "locked with a password"),
        (pem(RSA.private, b"secret", PrivateFormat.TraditionalOpenSSL), "a.example", "s", "locked with a password"),
        (public_pem(RSA), "a.example", "s", "is a public key"),
        ("", "a.example", "s", "no private key in PEM"),
        ("nonsense", "a.example", "s", "no private key in PEM"),
        (re.sub(r"\n[A-Za-z0-9+/]{64}", "\nAAAA", pem(RSA.private), count=3), "a.example", "s", "damaged"),
        ("-----BEGIN PRIVATE KEY-----\nÃ©\n-----END PRIVATE KEY-----", "a.example", "s", "damaged"),
        (pem(RSA.private), "a.example", "one two", "1 in the file, 2 named"),
        (pem(RSA.private) + pem(EDWARDS.private), "a.example", "one", "2 in the file, 1 named"),
        (pem(RSA.private), "a.example", "s;x", "no domain or selector"),
        (pem(RSA.private), "a example", "s", "no domain or selector"),
        (pem(RSA.private), "", "s", "no domain or selector"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_a_bad_key_is_named_with_its_remedy_and_shown_to_nobody(
    text: str, domain: str, selectors: str, says: str
) -> None:
    with pytest.raises(UsageError) as error:
        read_keys(text, domain, selectors)
    assert says in error.value.message
    assert error.value.remedy
    assert not any(line in str(error.value) for line in text.splitlines() if len(line) > 30 and "---" not in line)


def test_a_key_shows_nothing_of_itself() -> None:
    assert "private" not in repr(RSA)


def test_the_openssl_commands_of_the_remedy_make_good_keys(tmp_path: Path) -> None:
    file = tmp_path / "dkim.pem"
    for command in (
        ["openssl", "genrsa", "-out", str(file), "2048"],
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(file)],
    ):
        subprocess.run(command, check=True, capture_output=True)
        (key,) = read_keys(file.read_text(), "a.example", "s")
        assert verdicts(Dkim([key]).sign(message(), AT), key) == [True]


def test_a_record_is_plain_text_that_fits_dns() -> None:
    for key in BOTH.keys:
        assert json.dumps(key.record)[1:-1] == key.record
        assert len(key.record) < 512
