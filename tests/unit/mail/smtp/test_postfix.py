"""Against a receiver that nobody here wrote: Postfix's smtp-sink, with its faults and its record (GUARANTEES R4 to R7)."""

from __future__ import annotations

import re
import smtplib
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.mail.smtp.conftest import letter
from vinculo.connector import InDoubt, Outcome, Receipt, Rejected, Temporary, Unavailable
from vinculo.mail.smtp import Client
from vinculo.testing.postfix import PostfixSink, tool

pytestmark = pytest.mark.skipif(tool("smtp-sink") is None, reason="no smtp-sink: bash requirements/postfix.sh")

SESSION = ("CONNECT", "EHLO")
PLACES = (*SESSION, "MAIL", "RCPT", "DATA", ".")
MODES = ("on", "full")


def send(sink: PostfixSink, number: int = 3, *, size: int = 0, **options: object) -> dict[str, Outcome]:
    query = "&".join(f"{key}={value}" for key, value in ({"timeout": 3, "connections": 1} | options).items())
    client = Client(f"{sink.url}?{query}")
    answers = list(client.send_many(letter(each, size) for each in range(number)))
    client.close()
    assert sorted(key for key, _ in answers) == sorted(f"m{each}" for each in range(number))
    return dict(answers)


def kinds(answers: dict[str, Outcome]) -> set[type[Outcome]]:
    return {type(outcome) for outcome in answers.values()}


def recorded(sink: PostfixSink) -> list[str]:
    found = (re.search(rb"^X-Key: (\w+)$", each, re.MULTILINE) for each in sink.messages())
    return sorted(key[1].decode() for key in found if key)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "record"


@pytest.mark.parametrize("mode", MODES)
def test_what_is_answered_is_what_it_recorded(record: Path, mode: str) -> None:
    with PostfixSink(record=record) as sink:
        answers = send(sink, 300, pipeline=mode, connections=8)
        assert kinds(answers) == {Receipt}
        assert recorded(sink) == sorted(answers)


def test_a_message_whose_end_has_not_come_is_not_recorded(record: Path) -> None:
    with PostfixSink(record=record) as sink, closing(smtplib.SMTP("127.0.0.1", sink.port)) as half:
        half.ehlo("half.example")
        half.docmd("MAIL FROM:<shop@shop.example>")
        half.docmd("RCPT TO:<ana@example.org>")
        half.docmd("DATA")
        half.send(b"X-Key: half\r\n\r\nno end")
        send(sink, 3)
        assert recorded(sink) == ["m0", "m1", "m2"]
        assert len(list(record.iterdir())) == 4


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("option", "wanted"), [("-Q", Unavailable), ("-r", Temporary), ("-f", Rejected)], ids=["421", "4xx", "5xx"]
)
def test_a_refusal_has_the_verdict_of_its_place(place: str, option: str, wanted: type[Outcome]) -> None:
    """R6: 421, 4xx and 5xx at each of six places."""
    refused = "EHLO,HELO" if place == "EHLO" else place
    with PostfixSink(option, refused) as sink:
        verdict = Temporary if (place, option) == ("MAIL", "-f") else wanted  # of nobody's: it has not been named
        assert kinds(send(sink)) == {Unavailable if place in SESSION else verdict}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", PLACES)
def test_a_hang_up_has_the_verdict_of_its_place(record: Path, place: str, mode: str) -> None:
    """R4: after the dot the sink has the message, and we cannot know; before it, nobody has."""
    with PostfixSink("-q", place, record=record) as sink:
        answers = send(sink, pipeline=mode)
        if place == ".":
            assert InDoubt in kinds(answers) <= {InDoubt, Temporary}
            assert recorded(sink) == sorted(key for key, outcome in answers.items() if type(outcome) is InDoubt)
        else:
            assert kinds(answers) == {Unavailable if place in SESSION else Temporary}
            assert recorded(sink) == []


@pytest.mark.parametrize("mode", MODES)
def test_an_answer_that_comes_too_late_is_in_doubt(mode: str) -> None:
    """R5."""
    with PostfixSink("-W", ".:5") as sink:
        assert kinds(send(sink, 1, timeout=0.2, pipeline=mode)) == {InDoubt}


@pytest.mark.parametrize("place", ["MAIL", "RCPT", "DATA"])
def test_a_slow_answer_before_the_dot_is_temporary(place: str) -> None:
    with PostfixSink("-W", f"{place}:5") as sink:
        assert kinds(send(sink, 1, timeout=0.2)) == {Temporary}


@pytest.mark.parametrize("size", [0, 5_000_000])
def test_a_content_that_is_cut_off_is_never_accepted(size: int) -> None:
    """R7: `-A 0` answers 550 without reading the content."""
    with PostfixSink("-A", "0") as sink:
        assert kinds(send(sink, size=size)) <= {Rejected, Temporary}


def test_a_server_without_extensions_is_spoken_to_as_it_wants(record: Path) -> None:
    for number, options in enumerate((["-e"], ["-p"], ["-8", "-N"], ["-P"], ["-a", "-E"])):
        with PostfixSink(*options, record=record / str(number)) as sink:
            answers = send(sink, 5, connections=2, pipeline="full")
            assert kinds(answers) == {Receipt}, options
            assert recorded(sink) == sorted(answers)


def test_a_server_that_takes_few_connections_keeps_nobody_waiting_for_ever(record: Path) -> None:
    """`-m 2`: what is more stays in the system's queue and hears no greeting."""
    with PostfixSink("-m", "2", record=record) as sink:
        answers = send(sink, 100, connections=8, timeout=1)
        assert kinds(answers) == {Receipt}
        assert recorded(sink) == sorted(answers)
