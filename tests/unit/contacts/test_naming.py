"""An address is found in whatever way it was written, and another's is not."""

from __future__ import annotations

import base64
import json
import quopri
import random
from email.message import EmailMessage
from urllib.parse import quote

import pytest

from vinculo.contacts.naming import Naming

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
    ],
    ids=range(14),
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


def test_a_large_one_takes_no_minutes() -> None:
    assert NAMES.in_(base64.encodebytes(b"\0" * 2_000_000) + ANA.encode())
    assert not NAMES.in_(base64.encodebytes(random.Random(1).randbytes(1_000_000)))


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("name", ["a@b.co", "ana@b.com", ANA])
def test_the_shortest_base64_that_holds_an_address_is_long_enough_to_be_read(name: str, before: int) -> None:
    alone = base64.b64encode(b"?" * before + name.encode())
    assert Naming([name, ANA]).in_(alone)
    assert Naming([name]).in_(alone.rstrip(b"="))
