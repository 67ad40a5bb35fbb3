from __future__ import annotations

import pytest

from vinculo.errors import UsageError
from vinculo.mail.endpoint import Endpoint
from vinculo.mail.verdict import Phase


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("smtp://mail.example", Endpoint("mail.example", 25)),
        ("smtp://mail.example:2525/", Endpoint("mail.example", 2525)),
        ("smtp+starttls://mail.example", Endpoint("mail.example", 587, "required")),
        ("smtps://ana%40x:p%2Fw@mail.example", Endpoint("mail.example", 465, "implicit", "ana@x", "p/w")),
        (
            "smtp://mail.example?connections=128&messages=100&pipeline=full",
            Endpoint("mail.example", 25, connections=128, messages=100, pipeline="full"),
        ),
        ("smtp://[::1]:25?timeout=1.5&helo=me.example", Endpoint("::1", 25, timeout=1.5, helo="me.example")),
    ],
)
def test_a_url_says_it_all(url: str, wanted: Endpoint) -> None:
    assert Endpoint.from_url(url) == wanted


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://mail.example", "`http` is no way"),
        ("mail.example:25", "is no way"),
        ("smtp://", "names no host"),
        ("smtp://mail.example:99999", "below 65536"),
        ("smtp://mail.example:port", "below 65536"),
        ("smtp://ana:se#cret@mail.example", "below 65536"),
        ("smtp://ana:12#34@mail.example", "follows host and port"),
        ("smtp://ana:1/2@mail.example", "follows host and port"),
        ("smtp://mail.example/inbox", "In a password write # as %23"),
        ("smtp://mail.example?timout=3", "Did you mean `timeout`?"),
        ("smtp://mail.example?timeout=soon", "number of seconds"),
        ("smtp://mail.example?timeout=-1", "number of seconds"),
        ("smtp://mail.example?timeout=nan", "number of seconds"),
        ("smtp://mail.example?connections=0", "a number from 1 to 1000"),
        ("smtp://mail.example?messages=many", "a number from 0 to"),
        ("smtp://mail.example?pipeline=yes", "one of off, on, full"),
        ("smtp://mail.example?helo=a%0d%0aMAIL", "control character"),
    ],
)
def test_a_wrong_url_is_refused_with_what_to_write(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("?", r"\?")):
        Endpoint.from_url(url)


def test_the_waits_are_those_of_the_rfc() -> None:
    """RFC 5321 §4.5.3.2, but nobody waits five minutes for a greeting."""
    usual, short = Endpoint.from_url("smtp://mail.example"), Endpoint.from_url("smtp://mail.example?timeout=30")
    phases = (Phase.CONNECT, Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.BODY, Phase.ANSWER)
    assert [usual.patience(phase) for phase in phases] == [60, 300, 300, 120, 180, 600]
    assert [short.patience(phase) for phase in phases] == [30, 30, 30, 12, 18, 60]


def test_a_token_needs_a_user_and_is_never_shown() -> None:
    assert "ya29" not in repr(Endpoint.from_url("smtps://ana@mail.example", token="ya29"))
    with pytest.raises(UsageError, match="names none"):
        Endpoint.from_url("smtps://mail.example", token="ya29")


def test_certificates_that_are_not_there_are_named() -> None:
    with pytest.raises(UsageError, match=r"nowhere\.pem"):
        Endpoint.from_url("smtps://mail.example?ca=nowhere.pem").context()


def test_a_password_is_never_shown() -> None:
    assert "hunter2" not in repr(Endpoint.from_url("smtp://ana:hunter2@mail.example"))
    with pytest.raises(UsageError) as raised:
        Endpoint.from_url("smtp://ana:hunter2@mail.example:99999?x=1")
    assert "hunter2" not in str(raised.value)
