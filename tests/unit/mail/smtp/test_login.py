"""The opening of a session, without a socket: what is said, and what is never said."""

from __future__ import annotations

import base64

import pytest

from vinculo.connector import SendError, Unavailable
from vinculo.mail.endpoint import Endpoint
from vinculo.mail.smtp.login import ENCRYPT, opening
from vinculo.mail.smtp.offers import Offers
from vinculo.mail.verdict import Phase, Reply


class Line:
    """A connection's facts, as far as the opening asks for them."""

    def __init__(self, *, encrypted: bool = False) -> None:
        self.encrypted = encrypted
        self.own_name = "[192.0.2.1]"


def play(
    url: str, *replies: tuple[int, str], token: str = "", encrypted: bool = False, said: list[str] | None = None
) -> tuple[list[str], Offers]:
    """Lead the dialogue with *replies*; return what was said, `TLS` where it went on in TLS, and what is offered.

    *said* has the words also of a dialogue that fails.
    """
    line = Line(encrypted=encrypted)
    dialogue = opening(Endpoint.from_url(url, token=token), line)  # type: ignore[arg-type]
    said = [] if said is None else said
    left = iter(replies)
    step = next(dialogue)
    while True:
        try:
            if step is ENCRYPT:
                said.append("TLS")
                line.encrypted = True
                step = next(dialogue)
                continue
            if step[1] is not None:  # type: ignore[index]
                said.append(step[1])  # type: ignore[index]
            step = dialogue.send(Reply(*next(left)))
        except StopIteration as done:
            return said, done.value


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


HI, BYE = (220, "hi"), (535, "5.7.8 no")
TOKEN = coded("user=ana@x.example\x01auth=Bearer ya29.secret\x01\x01")


def test_a_token_signs_in_by_xoauth2() -> None:
    said, _ = play("smtps://ana%40x.example@h", HI, (250, "hi\nAUTH PLAIN XOAUTH2"), (235, "in"), token="ya29.secret")
    assert said == ["TLS", "EHLO [192.0.2.1]", f"AUTH XOAUTH2 {TOKEN}"]


def test_a_refused_token_is_answered_with_nothing_and_the_reason_kept() -> None:
    why = coded('{"status":"401","schemes":"bearer"}')
    said: list[str] = []
    with pytest.raises(Unavailable) as raised:
        play(
            "smtps://ana%40x.example@h", HI, (250, "hi\nAUTH XOAUTH2"), (334, why), BYE, token="ya29.secret", said=said
        )
    assert said[2:] == [f"AUTH XOAUTH2 {TOKEN}", ""]
    assert '"status":"401"' in raised.value.reason
    assert raised.value.status == "5.7.8"
    assert "ya29" not in str(raised.value)


@pytest.mark.parametrize("why", ["a", coded("não"), ""])
def test_a_refused_token_whose_reason_cannot_be_read_is_refused_all_the_same(why: str) -> None:
    with pytest.raises(Unavailable, match="no"):
        play("smtps://ana@h", HI, (250, "hi\nAUTH XOAUTH2"), (334, why), BYE, token="ya29.secret")


def test_a_token_that_was_refused_and_then_taken_is_not_signed_in() -> None:
    """RFC 7628 §3.2.3: after the refusal there is only a failure to come."""
    with pytest.raises(Unavailable, match="refused the token and then took it"):
        play("smtps://ana@h", HI, (250, "hi\nAUTH XOAUTH2"), (334, "a"), (235, "in"), token="ya29.secret")


@pytest.mark.parametrize("reply", [(500, "what?"), (501, "5.5.4 no"), (502, "5.5.1 no"), (504, "5.5.4 no")])
def test_a_server_that_does_not_know_ehlo_is_greeted_the_old_way(reply: tuple[int, str]) -> None:
    said, offers = play("smtp://h?helo=shop.example", HI, reply, (250, "hi"))
    assert (said, offers) == (["EHLO shop.example", "HELO shop.example"], Offers())


def test_who_speaks_tls_from_the_start_is_not_led_into_it_again() -> None:
    said, _ = play("smtps://h?helo=shop.example", HI, (250, "hi\nSTARTTLS"))
    assert said == ["TLS", "EHLO shop.example"]


def test_a_token_is_never_sent_as_a_password() -> None:
    with pytest.raises(Unavailable, match="offers no AUTH XOAUTH2"):
        play("smtps://ana@h", HI, (250, "hi\nAUTH PLAIN LOGIN"), token="ya29.secret")


@pytest.mark.parametrize(
    ("offered", "replies", "wanted"),
    [
        ("LOGIN PLAIN", [(235, "in")], ["AUTH PLAIN " + coded("\0ana\0pass")]),
        (
            "LOGIN",
            [(334, "VXNlcm5hbWU6"), (334, "UGFzc3dvcmQ6"), (235, "in")],
            ["AUTH LOGIN", coded("ana"), coded("pass")],
        ),
    ],
)
def test_a_password_goes_by_plain_or_login(offered: str, replies: list[tuple[int, str]], wanted: list[str]) -> None:
    said, _ = play("smtps://ana:pass@h", HI, (250, f"hi\nAUTH {offered}"), *replies)
    assert said[2:] == wanted


@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize(
    "reply", [BYE, (454, "4.7.0 later"), (421, "4.3.2 bye"), (504, "5.5.4 no"), (250, "ok")], ids=str
)
def test_login_that_is_refused_says_nothing_more_of_name_or_password(reply: tuple[int, str], steps: int) -> None:
    said: list[str] = []
    with pytest.raises(Unavailable):
        play("smtps://ana:pass@h", HI, (250, "hi\nAUTH LOGIN"), *[(334, "")] * steps, reply, said=said)
    assert said[2:] == ["AUTH LOGIN", coded("ana")][: steps + 1]


@pytest.mark.parametrize("reply", [(250, "ok"), (334, ""), (535, "no"), (454, "later"), (421, "bye")])
def test_only_235_is_signed_in(reply: tuple[int, str]) -> None:
    with pytest.raises(SendError) as raised:
        play("smtps://ana:pass@h", HI, (250, "hi\nAUTH PLAIN"), reply)
    assert type(raised.value) is Unavailable


def test_what_was_offered_in_the_clear_is_forgotten_in_tls() -> None:
    """RFC 3207 §4.2."""
    said, offers = play("smtp://h", HI, (250, "hi\nSTARTTLS\nPIPELINING\nSIZE 1"), (220, "go"), (250, "hi\n8BITMIME"))
    assert said == ["EHLO [192.0.2.1]", "STARTTLS", "TLS", "EHLO [192.0.2.1]"]
    assert offers == Offers(eight_bit=True)


@pytest.mark.parametrize("phase", [Phase.CONNECT, Phase.EHLO, Phase.TLS, Phase.AUTH])
@pytest.mark.parametrize("reply", [(421, "4.3.2 bye"), (451, "4.3.0 later"), (554, "5.7.1 no"), (150, "soon")])
def test_no_message_fails_for_what_happens_before_it(phase: Phase, reply: tuple[int, str]) -> None:
    replies = [HI, (250, "hi\nSTARTTLS\nAUTH PLAIN"), (220, "go"), (250, "hi\nAUTH PLAIN")]
    place = {Phase.CONNECT: 0, Phase.EHLO: 1, Phase.TLS: 2, Phase.AUTH: 4}[phase]
    with pytest.raises(SendError) as raised:
        play("smtp+starttls://ana:pass@h", *replies[:place], reply)
    assert type(raised.value) is Unavailable
    assert raised.value.reason.startswith(f"{phase}: ")
