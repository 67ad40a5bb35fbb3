"""A classified mail becomes events that name their delivery."""

from datetime import datetime

import pytest

from tests.unit.inbox.letters import complaint, dsn, letter
from vinculo.inbox import to_events
from vinculo.model import Event, EventKind
from vinculo.signing import Signer

SIGNER = Signer("a secret for tests only")


def _events(raw: bytes, now: datetime) -> list[Event]:
    return to_events(raw, source="lmtp", received_at=now, signer=SIGNER)


def test_a_bounce_to_a_tagged_address_names_its_delivery(now: datetime) -> None:
    token = SIGNER.mail_token("bounce", 7)
    [event] = _events(dsn(f"bounces+{token}@shop.example"), now)
    assert (event.kind, event.delivery, event.hard, event.status) == (EventKind.BOUNCED, 7, True, "5.1.1")
    assert (event.address, event.channel, event.at, event.source) == ("ana@example.com", "email", now, "lmtp")


def test_a_bounce_without_a_tag_is_known_by_the_message_that_came_back(now: datetime) -> None:
    token = SIGNER.mail_token("message", 9)
    [event] = _events(dsn(message_id=f"<{token}@shop.example>"), now)
    assert event.delivery == 9


def test_a_token_for_another_purpose_or_of_somebody_else_names_nothing(now: datetime) -> None:
    for token in (SIGNER.mail_token("survey", 7), Signer("another secret, not ours").mail_token("bounce", 7)):
        assert _events(dsn(f"bounces+{token}@shop.example"), now)[0].delivery is None


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("failed", EventKind.BOUNCED),
        ("delayed", EventKind.DEFERRED),
        ("delivered", EventKind.DELIVERED),
        ("relayed", EventKind.SENT),
    ],
)
def test_each_recipient_of_a_report_gives_an_event(now: datetime, action: str, kind: EventKind) -> None:
    events = _events(dsn(action=action, recipients=("ana@example.com", "bruno@example.com")), now)
    assert [event.kind for event in events] == [kind, kind]
    assert [event.address for event in events] == ["ana@example.com", "bruno@example.com"]
    assert len({event.id for event in events}) == 2
    assert (events[0].hard is None) == (action != "failed")


@pytest.mark.parametrize(
    ("feedback", "kind"),
    [("abuse", EventKind.COMPLAINED), ("opt-out", EventKind.UNSUBSCRIBED), ("auth-failure", EventKind.UNKNOWN)],
)
def test_a_feedback_report_acts_by_its_type(now: datetime, feedback: str, kind: EventKind) -> None:
    [event] = _events(complaint(kind=feedback), now)
    assert (event.kind, event.address, event.reason) == (kind, "ana@example.com", feedback)


def test_a_complaint_with_the_address_blacked_out_names_its_delivery_by_the_message(now: datetime) -> None:
    reply_to = f"Reply-To: replies+{SIGNER.mail_token('reply', 5)}@shop.example\r\n"
    [event] = _events(complaint(returned=f"To: redacted\r\n{reply_to}"), now)
    assert event.delivery == 5


def test_a_reply_keeps_text_subject_and_sender(now: datetime) -> None:
    token = SIGNER.mail_token("reply", 3)
    [event] = _events(letter("Obrigada!\n\n> Olá", to=f"replies+{token}@shop.example"), now)
    assert (event.kind, event.delivery, event.text) == (EventKind.REPLIED, 3, "Obrigada!")
    assert (event.address, event.data["subject"]) == ("ana@example.com", "Re: News")


@pytest.mark.parametrize("purpose", ["unsubscribe", "reply"])
def test_unsubscribing_by_mail_names_the_delivery(now: datetime, purpose: str) -> None:
    local = {"unsubscribe": "leave", "reply": "replies"}[purpose]
    to = f"{local}+{SIGNER.mail_token(purpose, 4)}@shop.example"
    [event] = _events(letter("", to=to, subject="unsubscribe" if purpose == "reply" else "", headers=""), now)
    assert (event.kind, event.delivery) == (EventKind.UNSUBSCRIBED, 4)


def test_the_same_mail_has_the_same_id_whatever_way_it_came(now: datetime) -> None:
    plain = _events(letter(), now)[0].id
    relayed = b"Return-Path: <ana@example.com>\r\nReceived: by mx.example\r\n" + letter()
    assert _events(relayed, now)[0].id == plain
    assert _events(letter().replace(b"\r\n", b"\n"), now)[0].id == plain
    assert _events(letter("Another text"), now)[0].id != plain


def test_what_cannot_be_read_is_kept_as_unknown(now: datetime) -> None:
    raw = b"X: a\n" * 5000
    [event] = _events(raw, now)
    assert (event.kind, event.raw) == (EventKind.UNKNOWN, raw)
    assert event.id
