"""The same pages and the same effects on PostgreSQL."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from tests.unit.web.conftest import BASE, NOW, OURS, PHONE, Town, lay
from vinculo.runtime import open_runtime
from vinculo.web import create_app

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
