from __future__ import annotations

import pytest

from vinculo.errors import UsageError
from vinculo.mail.endpoint import Endpoint


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("smtp://mail.example", Endpoint("mail.example", 25)),
        ("smtp://mail.example:2525/", Endpoint("mail.example", 2525)),
        ("smtp+starttls://mail.example", Endpoint("mail.example", 587, "required")),
        ("smtps://ana%40x:p%2Fw@mail.example", Endpoint("mail.example", 465, "implicit", "ana@x", "p/w")),
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
        ("smtp://mail.example?timout=3", "Did you mean `timeout`?"),
        ("smtp://mail.example?timeout=soon", "number of seconds"),
        ("smtp://mail.example?timeout=-1", "number of seconds"),
        ("smtp://mail.example?timeout=nan", "number of seconds"),
        ("smtp://mail.example?helo=a%0d%0aMAIL", "control character"),
    ],
)
def test_a_wrong_url_is_refused_with_what_to_write(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("?", r"\?")):
        Endpoint.from_url(url)


def test_certificates_that_are_not_there_are_named() -> None:
    with pytest.raises(UsageError, match=r"nowhere\.pem"):
        Endpoint.from_url("smtps://mail.example?ca=nowhere.pem").context()


def test_a_password_is_never_shown() -> None:
    assert "hunter2" not in repr(Endpoint.from_url("smtp://ana:hunter2@mail.example"))
    with pytest.raises(UsageError) as raised:
        Endpoint.from_url("smtp://ana:hunter2@mail.example:99999?x=1")
    assert "hunter2" not in str(raised.value)
