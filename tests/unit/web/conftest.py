"""A small company with a web app: two contacts, and a newsletter that was really sent to them, into a folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from vinculo import consent, run
from vinculo.db import connect, metadata
from vinculo.db.tables import delivery, interaction
from vinculo.model import Occurrence
from vinculo.runtime import Runtime, open_runtime
from vinculo.testing.project import COMPANY, write_project
from vinculo.testing.store import add_contact
from vinculo.web import create_app

#: Tuesday, 1 December 2026, 09:00 in São Paulo.
NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
BASE = "http://127.0.0.1:8500"
SECRET = "whsec_" + "c2VjcmV0LWZvci10ZXN0cy1hbG9uZQ=="
#: What a browser says of a form on one of our own pages.
OURS = {"Sec-Fetch-Site": "same-origin"}
#: What a person's telephone says of itself.
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
_POLICY = """\
topics:
  news:
    title: {pt: Carta da casa, en: The house letter, es: La carta de la casa}
    description: {pt: Uma por semana., en: One a week., es: Una por semana.}
  offers: {title: {pt: Ofertas, en: Offers, es: Ofertas}}
  service: {title: {pt: Pedidos, en: Orders, es: Pedidos}}
"""


@dataclass
class Town:
    """The company at work. `clock[0]` is the time."""

    rt: Runtime
    client: TestClient
    clock: list[datetime]
    ana: int
    rui: int
    #: The number of Ana's delivery.
    sent: int

    def token(self, purpose: str, *numbers: int) -> str:
        return self.rt.signer.token(purpose, *(numbers or (self.sent,)))

    def live(self, contact: int | None = None) -> dict[tuple[str, str], bool]:
        with self.rt.read() as db:
            return consent.live(db, contact or self.ana, self.rt.now())

    def rows(self, table: sa.Table) -> int:
        with self.rt.read() as db:
            return db.scalar(sa.select(sa.func.count()).select_from(table)) or 0

    def history(self, kind: str) -> list[sa.Row]:
        with self.rt.read() as db:
            return list(db.execute(sa.select(interaction).where(interaction.c.kind == kind).order_by("id")))


Build = Callable[..., Town]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The company's folder after the newsletter went out: made once, copied for each test."""
    root = _project(tmp_path_factory.mktemp("town"))
    engine = connect(f"sqlite:///{root / 'vinculo.db'}")
    metadata.create_all(engine)
    engine.dispose()
    with open_runtime(root, clock=lambda: NOW) as rt:
        lay(rt)
    return root


def lay(rt: Runtime) -> None:
    """Lay the people, and send them the newsletter."""
    with rt.begin() as db:
        known = {"signer": rt.signer, "consent": ["news", "offers"], "country": "BR"}
        ana = {"given_name": "Ana", "family_name": "Prado", "language": "pt", "phone": "+5511999990001"}
        add_contact(db, key="ana", email="ana@gmail.example", **ana, **known)
        add_contact(db, key="rui", email="rui@mail.example", given_name="Rui", language="en", **known)
    weekly = rt.project.campaigns["weekly"]
    run.run_occurrence(rt, weekly, Occurrence("weekly", datetime(2026, 12, 1, 12), "UTC"), worker="w")


@pytest.fixture
def build(made: Path, tmp_path: Path) -> Iterator[Build]:
    """Build the town, with *setup* in the section [web] of its settings."""
    with ExitStack() as stack:

        def build(*, setup: str = "", base: str = BASE) -> Town:
            root = tmp_path / "town"
            shutil.copytree(made, root)
            toml = root / "vinculo.toml"
            toml.write_text(toml.read_text().replace("[web]", f"[web]\n{setup}"))
            clock = [NOW]
            rt = stack.enter_context(open_runtime(root, clock=lambda: clock[0]))
            client = TestClient(create_app(rt), base_url=base, raise_server_exceptions=False, follow_redirects=False)
            ana, rui = 1, 2
            with rt.read() as db:
                sent = db.scalar(sa.select(delivery.c.id).where(delivery.c.contact_id == ana))
            return Town(rt, stack.enter_context(client), clock, ana, rui, int(sent or 0))

        yield build


def _project(root: Path) -> Path:
    toml = f"""\
{COMPANY}
[web]
outbox = "outbox"

[channels]
email = "connectors.outbox:Outbox"
sms = "connectors.gateway:Gateway"

[outbox]
folder = "{root}/outbox"

[gateway]
url = "http://127.0.0.1:9/"
token = "t"
webhook_secret = "{SECRET}"
"""
    (root / "var").mkdir()
    (root / "var/secret.key").write_text("a secret for tests alone, and long enough")
    return write_project(root, **{"vinculo.toml": toml, "plan/policy.yaml": _POLICY})


@pytest.fixture
def town(build: Build) -> Town:
    return build()
