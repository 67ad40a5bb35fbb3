"""The same pages and the same effects on PostgreSQL."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from tests.unit.web.conftest import BASE, NOW, OURS, PHONE, Town, lay
from vinculo import consent, run
from vinculo.db.tables import delivery
from vinculo.model import Event, EventKind, Occurrence
from vinculo.runtime import open_runtime
from vinculo.web import create_app
from vinculo.web.incoming.writer import Writer, _Waiting

PAGES = [
    *("/", "/calendar?month=2026-12", "/plan", "/campaigns", "/campaigns/weekly", "/contacts?q=prado", "/contacts/1"),
    *("/outbox", "/healthz"),
]


def test_every_page_works_and_every_choice_holds(
    made: Path, tmp_path: Path, postgres_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VINCULO__DATABASE__URL", postgres_engine.url.render_as_string(hide_password=False))
    root = tmp_path / "town"
    shutil.copytree(made, root)
    with open_runtime(root, clock=lambda: NOW) as rt:
        lay(rt)
        with TestClient(create_app(rt), base_url=BASE, follow_redirects=False) as client:
            town = Town(rt, client, [NOW], 1, 2, 1)
            assert {path: client.get(path).status_code for path in PAGES} == dict.fromkeys(PAGES, 200)
            client.get(f"/o/{town.token('open')}.gif", headers={"User-Agent": PHONE})
            client.post(f"/preferences/{town.token('preferences', 1)}", data={"sms/news": "yes", "frequency": "weekly"})
            client.post(f"/unsubscribe/{town.token('unsubscribe', 2)}")
            client.post("/campaigns/weekly/pause", headers=OURS)
            assert client.get("/contacts", params={"q": "\0#99999999999999999999"}).status_code == 200
            assert len(town.history("opened")) == 1
            assert {pair for pair, yes in town.live().items() if yes} == {("sms", "news")}
            assert town.live(2)["email", "news"] is False
            assert "Paused" in client.get("/campaigns/weekly?lang=en").text


def test_two_who_leave_in_one_commit_and_who_sends_to_both_never_wait_in_a_circle(
    made: Path, tmp_path: Path, postgres_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VINCULO__DATABASE__URL", postgres_engine.url.render_as_string(hide_password=False))
    root = tmp_path / "town"
    shutil.copytree(made, root)
    with open_runtime(root, clock=lambda: NOW) as rt, ThreadPoolExecutor(1) as pool:
        lay(rt)
        run.begin(rt, rt.project.campaigns["weekly"], Occurrence("weekly", datetime(2026, 12, 8, 12), "UTC"))
        d = delivery.c
        with rt.read() as db:
            first, last = db.execute(sa.select(d.id, d.contact_id).where(d.state == "planned").order_by(d.id)).all()
            sent = dict(db.execute(sa.select(d.contact_id, d.id).where(d.state == "accepted")).tuples().all())
        leaving = [
            Event(EventKind.UNSUBSCRIBED, "web", f"e{row.id}", NOW, delivery=sent[row.contact_id])
            for row in (last, first)
        ]
        group = [_Waiting([event], print) for event in leaving]
        with rt.begin() as sending, rt.read() as eye:  # as a worker does that marks both
            _lock(sending, first.id)
            answers = pool.submit(Writer(rt)._write, group)
            while not eye.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                pass
            _lock(sending, last.id)
        assert answers.result() == [["handled"], ["handled"]]
        with rt.read() as db:
            assert [consent.live(db, who, NOW)["email", "news"] for who in (1, 2)] == [False, False]


def _lock(db: sa.Connection, number: int) -> None:
    db.execute(sa.select(delivery.c.id).where(delivery.c.id == number).with_for_update())
