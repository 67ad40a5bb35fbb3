"""Answers that no person wrote, known without any header; and when their writers say to be back."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.unit.inbox.letters import letter
from vinculo.inbox import classify, to_events
from vinculo.inbox.automatic import returns_on
from vinculo.signing import Signer

SAID = tomllib.loads((Path(__file__).parent / "absences.toml").read_text(encoding="utf-8"))
SENT = date(2026, 12, 1)


@pytest.mark.parametrize("mail", SAID["machine"], ids=lambda mail: mail["text"][:30])
def test_what_a_machine_wrote_is_no_reply(mail: dict[str, str]) -> None:
    found = classify(letter(mail["text"], subject=mail["subject"]))
    assert found.kind == "auto_reply"
    assert str(found.returns or "") == mail["returns"]


@pytest.mark.parametrize("mail", SAID["person"], ids=lambda mail: mail["text"][:30])
def test_what_a_person_wrote_is(mail: dict[str, str]) -> None:
    assert classify(letter(mail["text"], subject=mail["subject"])).kind == "reply"


def test_the_hint_is_kept_with_the_event_and_no_other_mail_has_one() -> None:
    def data(text: str) -> object:
        raw, now = letter(text), datetime(2026, 12, 1, tzinfo=UTC)
        (event,) = to_events(raw, source="smtp", received_at=now, signer=Signer("a secret for tests only"))
        return event.kind.value, event.data.get("returns")

    assert data(SAID["machine"][0]["text"]) == ("auto_replied", "2026-12-10")
    assert data(SAID["person"][0]["text"]) == ("replied", None)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("até 31/02", None),
        ("até 30/11/2026", None),  # it is over
        ("until 24 December 2029", None),  # too far to be meant
        ("hasta el 03/04", date(2027, 4, 3)),
        ("back on 03/04", None),  # of March or of April?
        ("back on 04/04", date(2027, 4, 4)),
        ("até 1o de janeiro", date(2027, 1, 1)),
        ("de volta 2026-12-24", date(2026, 12, 24)),
        ("de 10 a 12/12, e depois até 20/12", date(2026, 12, 20)),
    ],
)
def test_a_day_is_only_read_where_it_is_clear(text: str, day: date | None) -> None:
    assert returns_on(text, SENT) == day


def test_hostile_text_costs_nothing() -> None:
    import time

    for shape in ("ate " * 20_000, "until 1 " * 10_000, "de 1 de a a " * 8_000, "estou " * 15_000):
        began = time.process_time()
        returns_on(shape, SENT)
        classify(letter(shape))
        assert time.process_time() - began < 0.5
