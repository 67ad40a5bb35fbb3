"""What our own code fails on is kept, reported and passed over; what the database cannot do now comes again."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.unit.feedback.conftest import Shop
from tests.unit.feedback.test_collect import TOML
from tests.unit.inbox.letters import letter
from vinculo import feedback, history, project
from vinculo.db.tables import inbound
from vinculo.feedback import collect, mail, replay
from vinculo.inbox import to_events
from vinculo.model import Event
from vinculo.runtime import Runtime
from vinculo.testing.project import write_project

POISON = b"poison"


@pytest.fixture
def rt(shop: Shop, tmp_path: Path) -> Runtime:
    root = write_project(tmp_path / "project", **{"vinculo.toml": TOML})
    for name in ("new", "cur", "tmp"):
        (root / "mail" / name).mkdir(parents=True)
    (root / "mail" / "new" / "1").write_bytes(letter(POISON.decode(), headers=""))
    (root / "mail" / "new" / "2").write_bytes(letter("Adorei!", headers=""))
    files = project.load(root, {"VINCULO__SECRET_KEY": "a secret for tests only"})
    return Runtime(files, shop.engine, lambda: shop.now)


def _fails(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A reader with a mistake: it fails on one mail."""

    def read(raw: bytes, **told: object) -> list[Event]:
        if POISON in raw:
            raise error
        return to_events(raw, **told)

    monkeypatch.setattr(mail.inbox, "to_events", read)


def _kept(shop: Shop) -> list[tuple[str, bool]]:
    with shop.engine.begin() as db:
        rows = db.execute(sa.select(inbound.c.outcome, inbound.c.raw).order_by(inbound.c.id))
        return [(outcome, POISON in raw) for outcome, raw in rows]


def test_a_mail_that_raises_is_kept_reported_and_passed_over_and_read_again_when_the_code_is_mended(
    rt: Runtime, shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as broken, caplog.at_level(logging.ERROR):
        _fails(broken, RuntimeError("ana@example.com"))
        assert collect(rt, "maildir") == {"failed": 1, "handled": 1}
        assert collect(rt, "maildir") == {}
        assert replay(rt, door="maildir")["unreadable"] == 1
    assert "RuntimeError" in caplog.text
    assert "ana@example.com" not in caplog.text
    assert _kept(shop) == [("failed", True), ("handled", False)]
    assert replay(rt, door="maildir") == {"handled": 1, "duplicate": 1}
    assert replay(rt, door="maildir")["handled"] == 0
    with shop.engine.begin() as db:
        assert {line.summary for line in history.timeline(db, shop.ana)} == {"poison", "Adorei!"}


def test_trouble_of_the_database_leaves_the_mail_where_it_is(
    rt: Runtime, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fails(monkeypatch, sa.exc.OperationalError("INSERT", {}, Exception("database is locked")))
    with pytest.raises(sa.exc.OperationalError):
        collect(rt, "maildir")
    assert sorted(file.name for file in (rt.project.root / "mail/new").iterdir()) == ["1", "2"]
    assert _kept(shop) == []


def test_an_event_of_a_providers_poll_that_raises_stops_no_other(
    rt: Runtime, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(case: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setitem(feedback.ON, "inbound", fails)
        assert collect(rt, "sms") == {"failed": 1}
    assert collect(rt, "sms") == {"handled": 1}
    assert collect(rt, "sms") == {}
    assert [outcome for outcome, _ in _kept(shop)] == ["failed", "handled"]
