"""Whatever a contact or a company is called, a mail has our headers and no other, in lines that every server takes."""

from __future__ import annotations

import dataclasses
import email.policy
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message as Parsed
from email.parser import BytesParser
from email.utils import parseaddr
from html import unescape
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.unit.mail.naughty import OURS, blns, crlf
from vinculo.errors import NotReady
from vinculo.mail import downgrade
from vinculo.mail.dkim import Dkim, DkimKey
from vinculo.mail.envelope import wire_content
from vinculo.model import Address, CampaignKind, Contact, Message
from vinculo.project import load
from vinculo.project.schema import Campaign
from vinculo.render import Renderer, RenderError, Sending, sample_sending
from vinculo.render.header import sender_id
from vinculo.signing import Signer
from vinculo.testing.project import write_project

ROOT = Path(__file__).parents[3]
AT = datetime(2026, 3, 3, 12, tzinfo=UTC)  # dkimpy refuses what was signed in the future
SIGNER = Signer("a secret key for these tests")
RSA = DkimKey("casaaurora.example", "r", rsa.generate_private_key(65537, 2048))
EDWARDS = DkimKey("casaaurora.example", "e", ed25519.Ed25519PrivateKey.generate())
NAMES = [
    *("From", "To", "Subject", "Reply-To", "Message-ID", "Date", "List-Id", "X-Auto-Response-Suppress", "Feedback-ID"),
    *("List-Unsubscribe", "List-Unsubscribe-Post", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
]
EMAIL = (
    '{% extends "_base/email.html" %}{% block subject %}{{ contact.given_name }}, hi{% endblock %}'
    '{% block content %}<p>{{ contact.given_name }} <a href="https://casaaurora.example/">x</a></p>{% endblock %}'
)


def campaign(name: str = "weekly", kind: str = "newsletter", topic: str = "news") -> Campaign:
    values = {"name": name, "kind": kind, "segment": "s", "topic": topic, "channels": ["email"], "template": "hello"}
    return Campaign.model_validate(values)


def sending(name: str, of: Campaign | None = None) -> Sending:
    ana = Contact(id=3, key="ana", given_name=name, addresses=(Address("email", "ana@b.example"),))
    key = "weekly/2026-03-03T09:00[contact]/3"
    return Sending(7, key, of or campaign(), "2026-03-03T09:00[contact]", ana, "email", "ana@b.example", "", {}, AT)


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    root = write_project(tmp_path_factory.mktemp("shop"), **{"templates/hello/email.html": EMAIL})
    return made(root, EDWARDS)


def made(root: Path, *keys: DkimKey) -> Renderer:
    dkim = Dkim(keys) if keys else None
    return Renderer(load(root, {}), signer=SIGNER, link_id=lambda _: 1, dkim=lambda: dkim)


def verified(data: bytes, number: int = 0) -> bool:
    records = {f"{key.place}.".encode(): key.record.encode() for key in (RSA, EDWARDS)}
    try:
        return bool(dkim.DKIM(data).verify(idx=number, dnsfunc=lambda name, **_: records.get(name)))
    except dkim.DKIMException:
        return False


def parsed(data: bytes) -> Parsed:
    # compat32: the newer parser of Python 3.11 puts blanks between the encoded words of a name.
    return BytesParser(policy=email.policy.compat32).parsebytes(data)


def decoded(value: str) -> str:
    return str(make_header(decode_header(value.replace("\r\n", ""))))


def check(data: bytes) -> Parsed:
    """Assert that *data* has our headers and no other, and lines that every server takes; return it read."""
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", data)
    assert max(map(len, data.split(b"\r\n"))) <= 998
    head = data.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    assert all(len(word) <= 75 for word in re.findall(rb"=\?utf-8\?[^ \r\n]*\?=", head))
    for policy in (email.policy.compat32, email.policy.default):
        found = BytesParser(policy=policy).parsebytes(data, headersonly=True).keys()
        assert [name for name in found if name != "DKIM-Signature"] == NAMES
    return parsed(data)


def one_line(text: str) -> str:
    return re.sub(r"[ \t\r\n]+", " ", text).strip(" ")


# ── contacts' names ──────────────────────────────────────────────────────────────────────────────────────────────
def _survives(renderer: Renderer, name: str) -> bool:
    """Render for a contact called *name*: refused with a reason, or right in every respect. Tell which."""
    try:
        message = renderer.message(sending(name))
    except RenderError:
        return False
    read = check(message.mime)
    assert verified(message.mime)
    assert decoded(read["Subject"]) == message.subject == f"{one_line(name + ', hi')}"
    display, address = parseaddr(read["To"].replace("\r\n", ""))
    # parseaddr drops what it takes for blanks; the text itself is compared where it keeps it.
    assert address == "ana@b.example"
    if not re.search(r"\s", name):
        assert decoded(display) == name
    html = list(read.walk())[-1].get_payload(decode=True).decode()
    assert name.strip() in unescape(html) or one_line(name) in one_line(unescape(html))
    assert "<script" not in html
    return True


@pytest.mark.parametrize("name", OURS, ids=lambda text: ascii(text)[:24])
def test_a_contact_may_be_called_anything(renderer: Renderer, name: str) -> None:
    breaks = re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|=0A|CkJj|\t", name)
    assert _survives(renderer, name) or breaks or len(name) > 800


@pytest.mark.skipif(not blns(), reason="the Big List of Naughty Strings is not here: VINCULO_BLNS names its blns.json")
def test_the_big_list_of_naughty_strings_changes_no_header(renderer: Renderer) -> None:
    survived = sum(_survives(renderer, name) for name in blns())
    print(f"{survived} of {len(blns())} strings went out, the others were refused")  # noqa: T201 - shown with -s
    assert survived >= 0.9 * len(blns())


@pytest.mark.skipif(not crlf(), reason="shared/corpora/hostile/crlf is not here")
def test_the_public_payloads_of_line_ends_change_no_header(renderer: Renderer) -> None:
    assert len(crlf()) == 34
    for name in crlf():
        _survives(renderer, name)


@settings(deadline=None, max_examples=60)
@given(name=st.text(max_size=150))
def test_any_name_is_refused_or_right(renderer: Renderer, name: str) -> None:
    try:
        message = renderer.message(sending(name))
    except RenderError:
        return
    check(message.mime)
    assert verified(message.mime)


# ── the company's names, campaigns' names ────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "name", [*OURS[:60], "a\r\nBcc: a@b.c", "=?utf-8?q?x=0ABcc:_a=40b.c?="], ids=lambda text: ascii(text)[:24]
)
def test_a_company_may_be_called_anything(renderer: Renderer, name: str) -> None:
    company = renderer.company.model_copy(update={"sender_name": name, "name": name, "postal_address": name})
    other = Renderer(renderer.project, signer=SIGNER, link_id=lambda _: 1, dkim=renderer.dkim)
    other.company = company
    try:
        read = check(other.message(sending("Ana")).mime)
    except RenderError:
        assert re.search("[\x00-\x1f]|=0A|=\\?", name)
        return
    display, address = parseaddr(read["From"].replace("\r\n", ""))
    assert address == "ola@casaaurora.example"
    if not re.search(r"\s", name):
        assert decoded(display) == name


@pytest.mark.parametrize("name", [*OURS, "weekly\n", "weekly:x"], ids=lambda text: ascii(text)[:24])
def test_a_name_that_is_none_is_no_topic_and_as_a_campaigns_changes_no_header(renderer: Renderer, name: str) -> None:
    """The project's loader refuses files that are called so; this is what stands behind it."""
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name) and len(name) <= 80:
        return
    with pytest.raises(ValidationError):
        campaign(topic=name)
    try:
        check(renderer.message(sending("Ana", campaign(name))).mime)
    except RenderError:
        assert re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|=0A|CkJj", name) or len(name) > 800


# ── Feedback-ID (Gmail) ──────────────────────────────────────────────────────────────────────────────────────────
NAME = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,79}", fullmatch=True)


@settings(deadline=None, max_examples=60)
@given(name=NAME, topic=NAME, kind=st.sampled_from([each.value for each in CampaignKind]))
def test_a_feedback_id_has_four_fields_that_differ_and_is_signed(
    renderer: Renderer, name: str, topic: str, kind: str
) -> None:
    data = renderer.message(sending("Ana", campaign(name, kind, topic))).mime
    found = parsed(data).get_all("Feedback-ID")
    assert len(found) == 1
    fields = re.sub(r"\s", "", found[0]).split(":")
    assert len(fields) == len(set(fields)) == 4
    assert all(fields)
    assert 5 <= len(fields[3]) <= 15
    assert fields[3] == sender_id("casaaurora.example")
    assert "feedback-id" in re.sub(rb"\s", b"", data.partition(b"b=")[0]).decode()
    assert verified(data)


@given(st.from_regex(r"[a-z0-9-]{1,40}(\.[a-z0-9-]{1,20}){1,3}", fullmatch=True))
def test_a_sender_id_has_5_to_15_characters_and_is_always_the_same(domain: str) -> None:
    assert re.fullmatch(r"[a-z0-9]{5,15}", sender_id(domain))
    assert sender_id(domain) == sender_id(domain.upper())


# ── every template that is shipped ───────────────────────────────────────────────────────────────────────────────
def shipped() -> Iterator[tuple[str, str]]:
    for name, template in sorted(load(ROOT, {}).templates.items()):
        for channel, form, language in sorted(template.parts):
            if (channel, form) == ("email", "html"):
                yield name, language


@pytest.fixture(scope="module")
def ours() -> Renderer:
    return made(ROOT, RSA, EDWARDS)


@pytest.mark.parametrize(("template", "language"), list(shipped()))
def test_every_template_is_signed_and_verifies_in_seven_bits(ours: Renderer, template: str, language: str) -> None:
    one = dataclasses.replace(sample_sending(ours.project, template, "email", language, None), at=AT)
    data = ours.message(one).mime
    assert data.isascii()
    assert downgrade(data) == data
    assert [verified(data, 0), verified(data, 1)] == [True, True]
    assert ours.message(one).mime == data
    covered = re.sub(rb"\s", b"", re.search(rb"\n h=([^;]*);", data)[1]).split(b":")
    assert {b"from", b"to", b"subject", b"date", b"message-id", b"reply-to", b"list-id", b"feedback-id"} <= set(covered)
    service = b"\r\nAuto-Submitted:" in data
    assert (b"auto-submitted" in covered) is service
    assert ({b"list-unsubscribe", b"list-unsubscribe-post"} <= set(covered)) is not service
    middle = len(data) // 2
    changed = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    assert not verified(changed)


def test_the_shipped_templates_are_all_there() -> None:
    assert len(list(shipped())) >= 21


def test_without_a_key_nothing_is_signed(tmp_path: Path) -> None:
    message: Message = made(write_project(tmp_path)).message(sending("Ana"))
    assert b"DKIM-Signature" not in message.mime


def _fields(message: Any) -> dict[str, Any]:
    return {name: getattr(message, name) for name in Message.__dataclass_fields__}


def test_what_is_only_looked_at_needs_no_key(tmp_path: Path) -> None:
    """The web app shows messages, and has no business with the key."""

    def refuse() -> Dkim:
        raise NotReady("no key here")

    shop = Renderer(load(write_project(tmp_path), {}), signer=SIGNER, link_id=lambda _: 1, dkim=refuse)
    assert b"DKIM-Signature" not in shop.message(sending("Ana"), sign=False).mime
    with pytest.raises(NotReady):
        shop.message(sending("Ana"))


def test_a_signature_changes_nothing_else(tmp_path: Path) -> None:
    root = write_project(tmp_path)
    plain, signed = made(root).message(sending("João")), made(root, EDWARDS).message(sending("João"))
    assert signed.mime.endswith(downgrade(plain.mime))
    assert _fields(signed) | {"mime": b""} == _fields(plain) | {"mime": b""}


# ── what a contact's data may do on the wire ─────────────────────────────────────────────────────────────────────
ENDS = ["\r\n.\r\n", "\n.\n", "\r\n.\n", "\n.\r\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r"]
NOTED = (
    '{% extends "_base/email.html" %}{% block subject %}Hi{% endblock %}{% block content %}'
    "<p>{{ contact.traits.note }}</p><pre>\n{{ contact.traits.note }}\n</pre>{% endblock %}"
)


@pytest.mark.parametrize("keys", [(), (EDWARDS,)], ids=["plain", "signed"])
@pytest.mark.parametrize("end", [*ENDS, ".", "\n.", "x\r"], ids=repr)
def test_what_we_know_of_a_contact_never_ends_its_message(tmp_path: Path, end: str, keys: tuple[DkimKey, ...]) -> None:
    shop = made(write_project(tmp_path, **{"templates/hello/email.html": NOTED}), *keys)
    one = sending("Ana")
    ana = dataclasses.replace(one.contact, traits={"note": f"{end}one{end}MAIL FROM:<evil@x.example>{end}"})
    message = shop.message(dataclasses.replace(one, contact=ana))
    data = message.mime
    check(data)
    wire = data + b".\r\n" if message.smooth is data else wire_content(data)
    assert (b"\r\n" + wire).count(b"\r\n.\r\n") == 1
    assert wire.endswith(b"\r\n.\r\n")
    assert not keys or verified(re.sub(rb"(?m)^\.", b"", wire.removesuffix(b".\r\n")))
