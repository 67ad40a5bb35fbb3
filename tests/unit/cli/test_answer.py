"""`--json` answers with one value of JSON and nothing else; `--dry-run` changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from vinculo import ledger
from vinculo.cli import app, output
from vinculo.connector import InDoubt
from vinculo.db import connect, metadata
from vinculo.testing import store
from vinculo.testing.project import write_project

Type = Callable[..., tuple[int, str, str]]
NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
MAIL = b"From: a@example.com\r\nSubject: Re: hello\r\nIn-Reply-To: <x@example.com>\r\n\r\nYes.\r\n"


@pytest.fixture
def type_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Type:
    """Type a command in a project with three contacts, one delivery in doubt, a file of people and a mail."""
    write_project(
        tmp_path,
        **{
            "people.csv": "id,email\nnew,new@example.com\n",
            "orders.csv": "cliente,data,valor\nc1,2026-01-02,10\n",
            "mail.eml": MAIL,
        },
    )
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("VINCULO__")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VINCULO__SECRET_KEY", "a secret for tests only")
    database = connect(f"sqlite:///{tmp_path / 'vinculo.db'}")
    metadata.create_all(database)
    with database.begin() as db:
        for key in ("c1", "c2", "c3"):
            store.add_contact(db, key=key, email=f"{key}@example.com", consent=["news"])
        file = store.campaign()
        ledger.plan(db, file, store.occurrence(file, NOW), store.allocation(NOW), NOW)
        (claim,) = ledger.claim(db, "w", 1, NOW, timedelta(minutes=1))
        ledger.submit(db, [claim], NOW)
        ledger.settle(db, [ledger.Settlement(claim, InDoubt("timeout"))], NOW)
    database.dispose()

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vinculo", *words])
        code = output.guard(app)
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


ANSWERS = [
    ["check"],
    ["schema", "campaign"],
    ["db", "upgrade"],
    ["db", "current"],
    ["doctor"],
    ["contacts", "import", "people.csv"],
    ["contacts", "show", "c1"],
    ["contacts", "export", "c1"],
    ["contacts", "erase", "c2", "--yes"],
    ["contacts", "merge", "c1", "c3", "--reason", "one"],
    ["events", "import", "orders.csv"],
    ["segment", "list"],
    ["segment", "count", "everyone"],
    ["segment", "sample", "everyone"],
    ["segment", "explain", "everyone"],
    ["segment", "explain", "everyone", "c1"],
    ["score"],
    ["objectives"],
    ["preview", "hello"],
    ["plan"],
    ["run", "weekly", "--dry-run"],
    ["run", "weekly", "--to", "me@example.com", "--dry-run"],
    ["why", "c1", "weekly"],
    ["report", "weekly"],
    ["pause", "weekly"],
    ["resume", "weekly"],
    ["cancel", "weekly"],
    ["resolve"],
    ["resolve", "--all", "--write-off"],
    ["classify", "mail.eml"],
]


@pytest.mark.parametrize("words", ANSWERS, ids=" ".join)
def test_json_is_all_there_is_on_standard_output(type_in: Type, words: list[str]) -> None:
    if words == ["db", "upgrade"]:
        Path("vinculo.db").unlink()
    code, answer, _ = type_in(*words, "--json")
    assert isinstance(json.loads(answer), dict | list)
    assert code == (3 if words == ["doctor"] else 0)  # there is no Prefect server here


def test_what_a_test_is_of_is_told_once_however_often_it_is_named(type_in: Type) -> None:
    twice = ["--to", "me@example.com", "--language", "en", "--to", "me@EXAMPLE.com", "--language", "en"]
    _, answer, _ = type_in("run", "weekly", *twice, "--dry-run")
    assert answer.startswith("A test would be sent by email to me@example.com, each in en. It is marked")


CHANGES = [
    ["db", "upgrade", "--backup"],
    ["contacts", "import", "people.csv"],
    ["contacts", "erase", "c1"],
    ["contacts", "merge", "c1", "c2", "--reason", "one"],
    ["events", "import", "orders.csv"],
    ["score"],
    ["run", "weekly"],
    ["pause", "weekly"],
    ["cancel", "weekly"],
    ["resolve", "--all", "--write-off"],
]


@pytest.mark.parametrize("words", CHANGES, ids=" ".join)
def test_a_dry_run_changes_nothing(tmp_path: Path, type_in: Type, words: list[str]) -> None:
    before = _everything(tmp_path)
    code, answer, _ = type_in(*words, "--dry-run")
    assert (code, bool(answer)) == (0, True)
    assert _everything(tmp_path) == before


def test_without_it_each_of_them_changes_something(tmp_path: Path, type_in: Type) -> None:
    merge = ["contacts", "merge", "c2", "c3", "--reason", "one"]
    for words in (["contacts", "erase", "c1", "--yes"], merge, ["score"]):
        before = _everything(tmp_path)
        assert type_in(*words)[0] == 0
        assert _everything(tmp_path) != before


def _everything(root: Path) -> tuple[str, list[str]]:
    """A hash of every row of every table, and the names of the files."""
    database = connect(f"sqlite:///{root / 'vinculo.db'}")
    with database.connect() as db:
        rows = {table.name: sorted(map(repr, db.execute(sa.select(table)))) for table in metadata.sorted_tables}
    database.dispose()
    files = sorted(
        str(path) for path in root.rglob("*") if "vinculo.db" not in path.name and "__pycache__" not in str(path)
    )
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest(), files


def test_a_report_of_an_occurrence_that_is_none_names_the_nearest(type_in: Type) -> None:
    code, _, notes = type_in("report", "weekly", "--occurrence", "2026-12-01T09:01[UTC]")
    assert (code, "has no occurrence" in notes) == (1, True)
