"""A project with some contacts in a temporary folder, what may be broken in it, and who types commands there."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from vinculo.cli import app, output
from vinculo.db import connect, engine, metadata
from vinculo.db.tables import delivery
from vinculo.testing import store
from vinculo.testing.project import write_project

PEOPLE = 8
WEEKLY = "plan/calendar/weekly.yaml"
Break = Callable[[Path], None]
Type = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A valid project with eight contacts who said yes to news; `c9` has no address."""
    root = write_project(tmp_path_factory.mktemp("laid"))
    database = connect(f"sqlite:///{root / 'vinculo.db'}")
    metadata.create_all(database)
    with database.begin() as db:
        for number in range(1, PEOPLE + 1):
            store.add_contact(db, key=f"c{number}", email=f"c{number}@example.com", consent=["news"])
        store.add_contact(db, key="c9")
    database.dispose()
    return root


@pytest.fixture
def root(laid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project, the working folder from now on."""
    shutil.copytree(laid, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(engine, "BUSY_TIMEOUT", 0.05)
    for name in [name for name in os.environ if name.startswith("VINCULO__")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VINCULO__SECRET_KEY", "a secret for tests only")
    monkeypatch.setenv("VINCULO__SMTP__URL", f"smtp://127.0.0.1:{closed_port()}")
    return tmp_path


@pytest.fixture
def type_in(root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Type:
    """Type a command; return exit code, answer and notes. A traceback would be an exception here."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vinculo", *words])
        code = output.guard(app)
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


def closed_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def write(name: str, content: str | bytes) -> Break:
    def change(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return change


def sql(statement: str) -> Break:
    def change(root: Path) -> None:
        with sqlite3.connect(root / "vinculo.db") as db:
            db.execute(statement)
        db.close()

    return change


def states(root: Path) -> Counter[str]:
    database = connect(f"sqlite:///{root / 'vinculo.db'}")
    with database.connect() as db:
        found = Counter(dict(db.execute(sa.select(delivery.c.state, sa.func.count()).group_by("state")).tuples().all()))
    database.dispose()
    return found
