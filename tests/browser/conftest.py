"""A real browser before a real web app: Casa Aurora with 300 contacts, served by uvicorn, driven by Chromium."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
import uvicorn

from vinculo import consent
from vinculo.db import connect, metadata
from vinculo.db.tables import contact, delivery, permission
from vinculo.demo import company
from vinculo.ledger import plan
from vinculo.model import Occurrence
from vinculo.runtime import Runtime, open_runtime
from vinculo.testing.store import allocation
from vinculo.web import create_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: Tuesday, 1 December 2026, 09:00 in São Paulo.
NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
REPOSITORY = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class House:
    """The web app at work, and a contact who got the newsletter."""

    rt: Runtime
    url: str
    contact: int
    sent: int

    def token(self, purpose: str, number: int) -> str:
        return self.rt.signer.token(purpose, number)

    def live(self) -> dict[tuple[str, str], bool]:
        with self.rt.read() as db:
            return consent.live(db, self.contact, NOW)

    def count(self, table: sa.Table) -> int:
        with self.rt.read() as db:
            return db.scalar(sa.select(sa.func.count()).select_from(table)) or 0


@pytest.fixture(scope="module")  # while Playwright runs, its event loop is in this thread: no test may have another
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as engine:
        started = engine.chromium.launch(executable_path=CHROMIUM, args=_QUIET)
        yield started
        started.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained of. A test that provokes it takes it out."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str], house: House) -> Iterator[Page]:
    """A phone's screen; what the browser complains of fails the test. It is closed while the server still answers."""
    context = browser.new_context(viewport={"width": 375, "height": 740}, locale="pt-BR", color_scheme="dark")
    opened = context.new_page()
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    yield opened
    context.close()
    assert complaints == []


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    root = _project(tmp_path / "aurora", url)
    engine = connect(f"sqlite:///{root / 'vinculo.db'}")
    metadata.create_all(engine)
    engine.dispose()
    with open_runtime(root, clock=lambda: NOW) as rt:
        contact_id, sent = _lay(rt)
        server = uvicorn.Server(uvicorn.Config(create_app(rt), host="127.0.0.1", port=port, log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()
        _await(port)
        yield House(rt, url, contact_id, sent)
        server.should_exit = True
        thread.join(10)


def _project(root: Path, url: str) -> Path:
    root.mkdir()
    for name in ("plan", "segments", "templates"):
        shutil.copytree(REPOSITORY / name, root / name)
    toml = (REPOSITORY / "vinculo.toml").read_text(encoding="utf-8")
    toml = toml.replace('url = "sqlite:///var/vinculo.db"', 'url = "sqlite:///vinculo.db"')
    (root / "vinculo.toml").write_text(
        toml.replace('url = "http://127.0.0.1:8500"', f'url = "{url}"'), encoding="utf-8"
    )
    (root / "var").mkdir()
    (root / "var/secret.key").write_text("a secret for tests alone, and long enough")
    return root


def _lay(rt: Runtime) -> tuple[int, int]:
    """Lay the people; plan a newsletter to them. Returns a Brazilian who reads it, with a telephone."""
    with rt.begin() as db:
        company.lay(db, signer=rt.signer, seed=7, contacts=300, now=NOW)
        weekly = rt.project.campaigns["weekly-news"]
        one = Occurrence("weekly-news", datetime(2026, 11, 24, 9), "contact")
        plan(db, weekly, one, allocation(NOW), NOW)
        d, c = delivery.c, contact.c
        reads = permission.c
        asked = sa.select(d.contact_id, d.id).join(contact, c.id == d.contact_id).where(c.language == "pt")
        for channel in ("email", "sms"):
            said = sa.exists().where(reads.contact_id == d.contact_id, reads.channel == channel, reads.granted)
            asked = asked.where(said.where(reads.topic == ("news" if channel == "email" else "offers")))
        row = db.execute(asked.order_by(d.id)).first()
    assert row is not None
    return row.contact_id, row.id


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(port: int) -> None:
    for _ in range(400):
        with socket.socket() as probe:
            probe.settimeout(0.05)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        threading.Event().wait(0.025)
    raise TimeoutError(f"nothing listens on {port}")
