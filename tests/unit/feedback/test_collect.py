"""The doors that have to be asked: what waits there enters the history once, and each is asked where it was left."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.feedback.conftest import Shop
from tests.unit.inbox.letters import letter
from vinculo import history, project
from vinculo.connector import Connector, Receipt
from vinculo.errors import NotReady, UsageError
from vinculo.feedback import collect, doors
from vinculo.model import Event, EventKind, Message
from vinculo.runtime import Runtime
from vinculo.testing.project import COMPANY, write_project

TOML = f"""\
{COMPANY}
[listen]
maildir = "mail"

[channels]
email = "connectors.smtp:Smtp"
sms = "tests.unit.feedback.test_collect:Polled"

[smtp]
url = "smtp://127.0.0.1:1025"
"""
AT = datetime(2026, 12, 1, 11, 30, tzinfo=UTC)


class Polled(Connector):
    """A provider that is asked: one number answered; the cursor is how many it has told."""

    channels = frozenset({"sms"})

    def send(self, message: Message) -> Receipt:
        return Receipt(provider_id=message.key)

    def poll(self, cursor: str) -> tuple[list[Event], str]:
        told = [Event(EventKind.INBOUND, "polled", f"{n}", AT, channel="sms", contact="ana", text="Oi") for n in (1, 2)]
        return told[int(cursor or 0) :][:1], str(min(int(cursor or 0) + 1, len(told)))


@pytest.fixture
def rt(shop: Shop, tmp_path: Path) -> Runtime:
    root = write_project(tmp_path / "project", **{"vinculo.toml": TOML})
    files = project.load(root, {"VINCULO__SECRET_KEY": "a secret for tests only"})
    return Runtime(files, shop.engine, lambda: shop.now)


def _kinds(shop: Shop) -> list[str]:
    with shop.engine.begin() as db:
        return [line.kind for line in history.timeline(db, shop.ana)]


def test_the_doors_are_those_that_are_set_up(rt: Runtime) -> None:
    assert doors(rt) == ["maildir", "sms"]
    with pytest.raises(UsageError, match="no door `imap`"):
        collect(rt, "imap")


def test_a_reply_in_the_maildir_enters_the_history_once(rt: Runtime, shop: Shop) -> None:
    with pytest.raises(NotReady, match="no Maildir"):
        collect(rt, "maildir")
    for name in ("new", "cur", "tmp"):
        (rt.project.root / "mail" / name).mkdir(parents=True)
    reply_to = f"replies+{shop.signer.mail_token('reply', shop.ana_delivery)}@casaaurora.example"
    mail = letter("Adorei!", to=reply_to)
    (rt.project.root / "mail" / "new" / "1").write_bytes(mail)
    (rt.project.root / "mail" / "new" / "2").write_bytes(b"Received: by another way\r\n" + mail)
    assert collect(rt, "maildir") == {"handled": 1, "duplicate": 1}
    assert collect(rt, "maildir") == {}
    assert _kinds(shop) == ["replied"]


def test_a_provider_is_asked_where_it_was_left(rt: Runtime, shop: Shop) -> None:
    assert [dict(collect(rt, "sms")) for _ in range(3)] == [{"handled": 1}, {"handled": 1}, {}]
    assert _kinds(shop) == ["inbound", "inbound"]
