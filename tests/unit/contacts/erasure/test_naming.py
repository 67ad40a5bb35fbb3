"""An address is found in whatever way it was written, and another's is not."""

from __future__ import annotations

import base64
import json
import quopri
import random
from email.message import EmailMessage
from urllib.parse import quote

import pytest

from vinculo.contacts.erasure.naming import Naming

ANA = "ana.prado+casa@correio.example"
NAMES = Naming([ANA, "+5511999990001"])


def _mail(encoding: str) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "MAILER-DAEMON@mx.example", "Undelivered"
    mail.set_content("Não foi entregue a Ana.Prado+casa@Correio.example, açúcar e café.\n" * 3, cte=encoding)
    return mail.as_bytes()


@pytest.mark.parametrize(
    "raw",
    [
        ANA.encode(),
        ANA.upper().encode(),
        _mail("quoted-printable"),
        _mail("base64"),
        quopri.encodestring(ANA.encode(), quotetabs=True).replace(b"@", b"=40"),
        f"email={quote(ANA, safe='')}&event=bounce".encode(),
        json.dumps({"email": ANA}).replace("@", "\\u0040").encode(),
        f"<p>{ANA.replace('@', '&#64;')}</p>".encode(),
        b"Subject: =?utf-8?B?" + base64.b64encode(f"Sobre {ANA}".encode()) + b"?=",
        b'{"raw": "' + base64.urlsafe_b64encode(_mail("quoted-printable")) + b'"}',
        b"/x/abc" + base64.b64encode(f"???{ANA}".encode()),
        quote(base64.encodebytes(b"x" * 60 + ANA.encode() + b"y" * 90).decode()).encode(),
        b"From=whatsapp%3A%2B5511999990001&Body=oi",
        b'{"from": "5511999990001"}',
        b'{"text": "Oi\\n' + ANA.encode() + b'\\nTchau"}',
        b"Para:" + ANA.encode() + b". Obrigado",
        b'"from": "005511999990001"',
        b"Return-Path: <bounces+7-ab12-ana.prado+casa=correio.example@provider.example>",
        f"<joana@x.example>, <{ANA}>".encode(),
        f"joana.{ANA}; {ANA}.br; {ANA}".encode(),
    ],
    ids=range(20),
)
def test_an_address_is_found_in_any_letters_and_encoding(raw: bytes) -> None:
    assert NAMES.in_(raw)


def test_anothers_is_not_and_nothing_stops_it() -> None:
    for other in (b"", b"prado+casa@correio.example", b"+5511999990002", ANA.replace("ana", "rui").encode()):
        assert not NAMES.in_(other)
        assert not NAMES.in_(base64.b64encode(other))
    dice = random.Random(8)
    for _ in range(200):
        assert not NAMES.in_(dice.randbytes(400) + b"=%&\\" + bytes(dice.choices(b"=%&\\u0A4g", k=200)))
    assert not Naming([]).in_(b"anything")


@pytest.mark.parametrize(
    "other",
    ["jo%s", "maria.%s", "<x-%s>", "%s.br", "%s.com", '{"email": "jo%s"}', "<p>jo%s</p>", "To: jo%s\nSubject: Oi"],
)
def test_a_longer_address_is_anothers(other: str) -> None:
    raw = f"de: {other % 'ana@correio.com'}, até logo".encode()
    names = Naming(["ana@correio.com", "+551199990001"])
    assert not names.in_(raw)
    assert not names.in_(base64.encodebytes(raw))
    assert not names.in_(b'{"from": "4551199990001", "id": "5511999900017"}')


def test_a_large_one_takes_no_minutes() -> None:
    assert NAMES.in_(base64.encodebytes(b"\0" * 2_000_000) + ANA.encode())
    assert not NAMES.in_(base64.encodebytes(random.Random(1).randbytes(1_000_000)))


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("name", ["a@b.co", "ana@b.com", ANA])
def test_the_shortest_base64_that_holds_an_address_is_long_enough_to_be_read(name: str, before: int) -> None:
    alone = base64.b64encode(b"?" * before + name.encode())
    assert Naming([name, ANA]).in_(alone)
    assert Naming([name]).in_(alone.rstrip(b"="))
