"""An installation in a temporary folder, with a Prefect server that says what a test wants."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer

from vinculo.cli import db, doctor, output, plan
from vinculo.db import connect, upgrade
from vinculo.db.tables import note
from vinculo.project import make_secret
from vinculo.testing.project import COMPANY, write_project

TOML = (
    COMPANY
    + """
[channels]
email = "connectors.outbox:Outbox"
sms = "connectors.outbox:Outbox"

[outbox]
folder = "outbox"

[database]
url = "sqlite:///data/vinculo.db"

[web]
password = "do not show this"
port = {web}

[prefect]
api_url = "http://127.0.0.1:{prefect}/api"
"""
)
#: Under this name `ANSWERS` keeps who is let in, if not everybody.
PASSWORD = "user:password"
#: What the Prefect server of these tests says: all is well.
ANSWERS: dict[str, Any] = {
    "health": True,
    "admin/version": version("prefect"),
    "work_pools/vinculo": {"is_paused": False},
    "work_pools/vinculo/workers/filter": [{"status": "ONLINE"}, {"status": "OFFLINE"}],
    "deployments/filter": [
        {
            "name": "weekly",
            "tags": ["calendar", "vinculo"],
            "paused": False,
            "schedules": [
                {
                    "active": True,
                    "schedule": {
                        "rrule": "DTSTART:20240101T090000\nRRULE:FREQ=WEEKLY;BYDAY=TU",
                        "timezone": "America/Sao_Paulo",
                    },
                }
            ],
        },
        {
            "name": "deliver",
            "tags": ["engine"],
            "paused": False,
            "schedules": [{"active": True, "schedule": {"interval": 300.0}}],
        },
    ],
}
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def prefect() -> Iterator[int]:
    """A server that answers like Prefect, with `ANSWERS`; with `PASSWORD` there, to nobody without it but its health."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.removeprefix("/api/")
            answer, said = ANSWERS.get(path), self.headers.get("Authorization", "")
            knows = not (want := ANSWERS.get(PASSWORD)) or said == f"Basic {b64encode(want.encode()).decode()}"
            known = 404 if answer is None else 200
            self.send_response(known if knows or path == "health" else 401)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Health)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def root(tmp_path: Path, prefect: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in [name for name in os.environ if name.startswith("VINCULO__")]:
        monkeypatch.delenv(name)
    toml = TOML.format(web=prefect, prefect=prefect)
    return write_project(tmp_path, **{"vinculo.toml": toml})


@pytest.fixture
def command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Any], Callable[..., tuple[int, str]]]:
    """Make the command line of one room of `vinculo.cli`; it returns exit code and all that was said."""

    def of(room: Any) -> Callable[..., tuple[int, str]]:
        app = typer.Typer(pretty_exceptions_enable=False)
        room.register(app)

        def run(*words: str) -> tuple[int, str]:
            monkeypatch.setattr(sys, "argv", ["vinculo", *words])
            code = output.guard(app)
            told = capsys.readouterr()
            return code, told.out + told.err

        return run

    return of


@pytest.fixture
def call(root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Call the command line in the project; returns exit code, standard output, standard error."""
    app = typer.Typer(pretty_exceptions_enable=False)
    for room in (db, doctor, plan):
        room.register(app)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vinculo", *words])
        code = output.guard(app)
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


def engine_of(root: Path) -> sa.Engine:
    return connect(f"sqlite:///{root / 'data' / 'vinculo.db'}")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `vinculo db upgrade` makes, once for all tests: migrating takes its time."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "data").mkdir()
    engine = engine_of(folder)
    upgrade(engine)
    with engine.begin() as db:
        db.execute(sa.delete(note))  # its name: each test's copy is a database of its own
    engine.dispose()
    make_secret(folder)
    return folder


@pytest.fixture
def upgraded(root: Path, made: Path) -> None:
    shutil.copytree(made, root, dirs_exist_ok=True)
