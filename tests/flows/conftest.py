"""One real installation for all flow tests: Prefect server, worker, web app, a mail server, SQLite; started once."""

from __future__ import annotations

import hashlib
import os
import select
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from vinculo import project
from vinculo.db import connect
from vinculo.demo import company
from vinculo.launch import Installation, Supervisor
from vinculo.mail.verdict import Phase
from vinculo.runtime import Runtime, utcnow
from vinculo.testing.smtp import SmtpSink

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
FOLDERS = ("plan", "segments", "templates", "connectors", "flows")
FILES = ("vinculo.toml", "prefect.yaml")
#: What a marketer fills in for a newsletter.
FORM = {"template": "weekly-news", "segment": "active", "topic": "news", "channels": ["email"], "test": False}
#: A campaign of the calendar that asks for approval.
APPROVED = """\
kind: promotion
segment: staff
topic: news
channels: [email]
template: weekly-news
approval: required
when: {{every: day, at: "{at:%H:%M}", timezone: UTC}}
"""
SECRET = "a secret of the tests, and of nobody else"


@dataclass
class House:
    """The installation under test."""

    installation: Installation
    sink: SmtpSink
    sinks: ExitStack
    listen_port: int
    supervisor: Supervisor

    @property
    def root(self) -> Path:
        return self.installation.root

    def runtime(self) -> Runtime:
        """The project as the installation's processes see it; this process's own environment stays as it is."""
        files = project.load(self.root, {**os.environ, **self.installation.environment})
        return Runtime(files, connect(files.settings.database.url), utcnow)

    def wait_for(self, look: Callable[[], T], *, seconds: float = 90) -> T:
        """Ask *look* until it finds something; Prefect does what it does in its own time."""
        end = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < end, "Prefect did not do in time what was waited for"
            select.select([], [], [], 0.5)
        return found

    def deliver(self) -> None:
        """Send what is due. While the run that comes by its schedule is at it, Prefect cancels ours: then once more."""
        self.wait_for(lambda: self.run("deliver/deliver", {})["type"] == "COMPLETED")

    def run(self, deployment: str, parameters: dict[str, Any], *, seconds: float = 120) -> dict[str, Any]:
        """Run a deployment to its end; return its final state."""
        api = self.installation.api
        return api.wait(api.start(deployment, parameters), seconds=seconds)


def lay_project(root: Path) -> None:
    """A project of the repository's own files."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FILES:
        shutil.copy(ROOT / file, root / file)


def _ports(number: int) -> list[int]:
    """Free ports that two test sessions at once do not both choose."""
    with ExitStack() as sockets:
        probes = [sockets.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@contextmanager
def held_up(sink: SmtpSink, number: int) -> Iterator[threading.Event]:
    """The mail server takes a message after *number* others and does not answer within the block. Yields: it has."""
    reached, release = threading.Event(), threading.Event()
    plain, before = sink.next_fault, len(sink.received)

    def next_fault(phase: Phase) -> str | None:
        if phase is Phase.ANSWER and len(sink.received) >= before + number and not release.is_set():
            reached.set()
            release.wait(60)
        return plain(phase)

    sink.next_fault = next_fault  # type: ignore[method-assign]
    try:
        yield reached
    finally:
        release.set()
        del sink.next_fault  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    root = tmp_path_factory.mktemp("project")
    lay_project(root)
    policy = root / "plan" / "policy.yaml"  # every test may write to everybody
    policy.write_text(policy.read_text().replace("at_most: 3,", "at_most: 99,"))
    ports = _ports(3)
    with ExitStack() as sinks:
        sink = sinks.enter_context(SmtpSink())
        web_url = f"http://127.0.0.1:{ports[1]}"
        env = {
            "VINCULO__DATABASE__URL": f"sqlite:///{root / 'vinculo.db'}",
            "VINCULO__SECRET_KEY": SECRET,
            "VINCULO__SMTP__URL": f"smtp://127.0.0.1:{sink.port}",
            "VINCULO__WEB__URL": web_url,
            "VINCULO__WEB__PORT": str(ports[1]),
            "VINCULO__LISTEN__SMTP": f"127.0.0.1:{ports[2]}",
            "VINCULO__LIMITS__BATCH": "20",  # so that a worker that dies holds a part
            "PYTHONWARNINGS": "default",
        }
        installation = Installation(root, root / "var", ports[0], web_url, env)
        supervisor = Supervisor(print)
        house = House(installation, sink, sinks, ports[2], supervisor)
        installation.command("vinculo", "db", "upgrade")
        with house.runtime() as rt, rt.begin() as db:
            company.lay(db, signer=rt.signer, seed=7, contacts=300, now=datetime.now(UTC))
        with supervisor:
            installation.start(supervisor)
            yield house


@pytest.fixture
def approved(house: House, request: pytest.FixtureRequest) -> Iterator[str]:
    """A campaign of the calendar, each test's own, that is due this very minute and asks for approval."""
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:6]
    path = house.root / "plan" / "calendar" / f"approved-{name}.yaml"
    path.write_text(APPROVED.format(at=datetime.now(UTC)))
    house.installation.command("flows.apply")
    yield path.stem
    path.unlink()
    house.installation.command("flows.apply")
