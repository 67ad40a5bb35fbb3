"""What came in is kept as it came, counts once, and is read again by a mended connector or after an import."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from vinculo import feedback
from vinculo.connector import Connector
from vinculo.db import metadata
from vinculo.db.tables import inbound, interaction, webhook
from vinculo.errors import UsageError
from vinculo.feedback import Webhook, receive_webhook
from vinculo.model import Event, EventKind, Message
from vinculo.project import load
from vinculo.runtime import Runtime
from vinculo.testing.project import write_project
from vinculo.testing.store import add_contact

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


class Pigeon(Connector):
    """Reports `KIND ID ADDRESS`, one a line; knows only the kinds in `words`."""

    channels = frozenset({"sms"})
    words: Mapping[str, EventKind] = {"came": EventKind.VISITED}

    def send(self, message: Message) -> None: ...

    def read_webhook(self, headers: Mapping[str, str], body: bytes, at: datetime) -> list[Event]:
        events = []
        for line in body.decode().splitlines():
            word, number, address = line.split()
            kind = self.words.get(word, EventKind.UNKNOWN)
            events.append(Event(kind, "pigeon", number, at, channel="sms", address=address, raw=body))
        return events


@pytest.fixture
def rt(engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """A company on either database whose gateway is a pigeon."""
    metadata.create_all(engine)
    project = load(write_project(tmp_path), {"VINCULO__SECRET_KEY": "a secret for tests alone"})
    project.settings.channels["sms"] = "pigeon:Pigeon"
    monkeypatch.setattr(Runtime, "connector", lambda _self, _channel: Pigeon())
    monkeypatch.setattr(Pigeon, "words", {"came": EventKind.VISITED})
    return Runtime(project, engine, lambda: NOW)


def come(rt: Runtime, body: bytes, *, readable: bool = True, at: datetime = NOW) -> list[str]:
    secrets = (
        "webhook-signature",
        "svix-signature",
        "X-Twilio-Signature",
        "x-hub-signature-256",
        "x-api-key",
        "cookie",
    )
    headers = {"webhook-id": "1", "authorization": "Bearer x", "x-kind": "a", **dict.fromkeys(secrets, "x")}
    events = Pigeon().read_webhook(headers, body, at) if readable else None
    with rt.begin() as db:
        return receive_webhook(db, Webhook("sms", headers, body, events), signer=rt.signer, now=at)


def outcomes(rt: Runtime) -> list[str]:
    with rt.read() as db:
        return list(db.scalars(sa.select(inbound.c.outcome).order_by(inbound.c.id)))


def test_a_request_counts_once_and_its_secrets_are_not_kept(rt: Runtime) -> None:
    with rt.begin() as db:
        add_contact(db, key="ana", phone="+5511999990001", signer=rt.signer)
    body = b"came e1 +5511999990001"
    assert [come(rt, body) for _ in range(46)] == [["handled"], *[["duplicate"]] * 45]
    with rt.read() as db:
        row = db.execute(sa.select(webhook)).one()
        assert db.scalar(sa.select(inbound.c.webhook_id)) == row.id
    assert (row.headers, row.body, row.outcome) == ({"webhook-id": "1", "x-kind": "a"}, body, "read")


def test_a_kind_that_was_not_known_is_understood_when_it_is_read_again(
    rt: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rt.begin() as db:
        add_contact(db, key="ana", phone="+5511999990001", signer=rt.signer)
    come(rt, b"bought e1 +5511999990001\ncame e2 +5511999990001")
    assert outcomes(rt) == ["ignored", "handled"]
    assert feedback.replay(rt) == {"ignored": 1, "duplicate": 1}
    monkeypatch.setattr(Pigeon, "words", {"came": EventKind.VISITED, "bought": EventKind.PURCHASED})
    assert feedback.replay(rt) == {"handled": 1, "duplicate": 1}
    assert feedback.replay(rt) == {"duplicate": 2}
    with rt.read() as db:
        assert sorted(db.scalars(sa.select(interaction.c.kind))) == ["purchased", "visited"]
        assert set(db.scalars(sa.select(inbound.c.kind))) == {"purchased", "visited"}


def test_what_matched_nobody_matches_whom_an_import_brought(rt: Runtime) -> None:
    assert come(rt, b"came e1 +5511999990001") == ["unmatched"]
    with rt.begin() as db:
        add_contact(db, key="ana", phone="+5511999990001", signer=rt.signer)
    assert feedback.replay(rt, door="sms") == {"handled": 1}


def test_what_could_not_be_read_is_kept_until_it_can(rt: Runtime) -> None:
    body = b"came e1 +5511999990001 and more"
    assert come(rt, body, readable=False) == []
    assert come(rt, body, readable=False) == []
    assert feedback.replay(rt) == {"unreadable": 1}
    with rt.begin() as db:
        db.execute(sa.update(webhook).values(body=b"came e1 +5511999990001"))
        assert [each.outcome for each in feedback.received(db)] == ["unreadable"]
    assert feedback.replay(rt) == {"unmatched": 1}
    with rt.read() as db:
        assert [each.outcome for each in feedback.received(db)] == ["read"]


def test_a_request_that_is_read_at_last_by_its_provider_is_no_duplicate(rt: Runtime) -> None:
    come(rt, b"came e1 +5511999990001", readable=False)
    assert come(rt, b"came e1 +5511999990001") == ["unmatched"]
    assert come(rt, b"came e1 +5511999990001") == ["duplicate"]


def test_only_so_many_that_cannot_be_read_are_kept(rt: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vinculo.feedback.webhook.MOST_UNREADABLE", 3)
    for number in range(9):
        come(rt, f"{number}".encode(), readable=False)
    with rt.read() as db:
        assert len(feedback.received(db)) == 3


def test_requests_go_after_their_time(rt: Runtime) -> None:
    come(rt, b"came e1 +5511999990001", at=NOW - timedelta(days=31))
    come(rt, b"came e2 +5511999990001")
    with rt.read() as db:
        assert [each.at for each in feedback.received(db, door="sms", since=NOW - timedelta(days=1))] == [NOW]
        assert len(feedback.received(db)) == 1


def test_a_mail_is_read_again_once(rt: Runtime) -> None:
    raw = b"From: ana@mail.example\r\nTo: x@casa.example\r\nMessage-ID: <1@mail.example>\r\nSubject: Oi\r\n\r\nOi\r\n"
    assert feedback.receive_mail(rt, raw, source="lmtp") == ["unmatched"]
    with rt.begin() as db:
        ana = add_contact(db, key="ana", email="ana@mail.example", signer=rt.signer)
    assert feedback.replay(rt, door="lmtp") == {"handled": 1}
    assert feedback.replay(rt) == {"duplicate": 1}
    with rt.read() as db:
        assert list(db.scalars(sa.select(interaction.c.contact_id))) == [ana]


def test_a_rehearsal_says_what_would_be_read_and_changes_nothing(rt: Runtime) -> None:
    come(rt, b"came e1 +5511999990001\nwent e2 +5511999990001")
    come(rt, b"came e3 +5511999990001 and more", readable=False)
    raw = b"From: ana@mail.example\r\nTo: x@casa.example\r\nMessage-ID: <1@mail.example>\r\nSubject: Oi\r\n\r\nOi\r\n"
    feedback.receive_mail(rt, raw, source="lmtp")
    before = outcomes(rt)
    assert feedback.rehearse_replay(rt) == {"visited": 1, "unknown": 1, "unreadable": 1, "inbound": 1}
    assert feedback.rehearse_replay(rt, door="lmtp") == {"inbound": 1}
    assert outcomes(rt) == before


def test_a_door_that_is_none_is_named(rt: Runtime) -> None:
    for ask in (feedback.replay, feedback.rehearse_replay):
        with pytest.raises(UsageError, match="no door `smpt`"):
            ask(rt, door="smpt")
    with pytest.raises(UsageError, match="no door `smpt`"):
        feedback.require_door(rt.project, "smpt")
    feedback.require_door(rt.project, "smtp")
