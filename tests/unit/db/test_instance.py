"""R24: a database that was copied or restored sends to nobody until a person says that it is the only copy."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa

from tests.conftest import _admin, _named
from vinculo.db import connect, instance, metadata, upgrade
from vinculo.db.tables import note
from vinculo.errors import NotReady


def _enter(engine: sa.Engine, beside: Path) -> dict[str, int]:
    with engine.begin() as db:
        epoch = instance.enter(db, beside)
    instance.remember(beside, epoch)
    return epoch


def _adopt(engine: sa.Engine, beside: Path) -> None:
    with engine.begin() as db:
        epoch = instance.adopt(db)
    instance.remember(beside, epoch)


def _path(engine: sa.Engine) -> Path:
    return Path(engine.url.database or "")


def _backup(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def test_each_round_begins_a_new_epoch_and_notes_it(engine: sa.Engine, tmp_path: Path) -> None:
    beside = tmp_path / "var/instance.json"
    [first], [second] = _enter(engine, beside).items(), _enter(engine, beside).items()
    assert (first[0], first[1] + 1) == second
    with engine.connect() as db:
        assert instance.trouble(db, beside) == ""


def test_a_database_is_given_its_number_once_and_keeps_it_when_it_is_adopted(engine: sa.Engine, tmp_path: Path) -> None:
    with engine.begin() as db:
        assert instance.number(db) == ""
        instance.give_number(db)
        first = instance.number(db)
        instance.give_number(db)
    _enter(engine, tmp_path / "var/instance.json")
    _adopt(engine, tmp_path / "var/instance.json")
    with engine.connect() as db:
        assert instance.number(db) == first
    assert len(first) == 32


@pytest.mark.parametrize("copy", [shutil.copy, _backup])
def test_a_copied_file_is_refused_until_it_is_adopted(
    sqlite_engine: sa.Engine, tmp_path: Path, copy: Callable[[Path, Path], object]
) -> None:
    beside = tmp_path / "instance.json"
    _enter(sqlite_engine, beside)
    sqlite_engine.dispose()
    copy(_path(sqlite_engine), tmp_path / "copy.db")
    other = connect(f"sqlite:///{tmp_path / 'copy.db'}")
    for _ in range(2):
        with pytest.raises(NotReady, match="copy of one that lives elsewhere"):
            _enter(other, beside)
    _adopt(other, beside)
    _enter(other, beside)
    _enter(sqlite_engine, beside)
    other.dispose()


def test_a_backup_put_back_in_its_place_is_refused(sqlite_engine: sa.Engine, tmp_path: Path) -> None:
    beside, path = tmp_path / "instance.json", _path(sqlite_engine)
    _enter(sqlite_engine, beside)
    _backup(path, tmp_path / "backup")
    _enter(sqlite_engine, beside)
    sqlite_engine.dispose()
    _backup(tmp_path / "backup", path)  # into the same file
    with pytest.raises(NotReady, match="older state"):
        _enter(sqlite_engine, beside)
    _adopt(sqlite_engine, beside)
    _enter(sqlite_engine, beside)


def test_a_backup_that_brings_its_note_with_it_is_refused(sqlite_engine: sa.Engine, tmp_path: Path) -> None:
    """As docs/operations.md has it: the database and `var/`, both put back by `cp -a`."""
    beside, path = tmp_path / "instance.json", _path(sqlite_engine)
    _enter(sqlite_engine, beside)
    _backup(path, tmp_path / "backup")
    note_then = beside.read_text()
    _enter(sqlite_engine, beside)
    sqlite_engine.dispose()
    _backup(tmp_path / "backup", path)
    beside.write_text(note_then)
    with pytest.raises(NotReady, match="older state"):
        _enter(sqlite_engine, beside)
    with sqlite_engine.connect() as db:
        assert "older state" in instance.trouble(db, beside)
    _adopt(sqlite_engine, beside)
    _enter(sqlite_engine, beside)


def _restored(engine: sa.Engine, rows: list[dict[str, str]]) -> None:
    """Put back of a backup what tells which database it is."""
    with engine.begin() as db:
        db.execute(sa.delete(note))
        for row in rows:
            db.execute(sa.insert(note).values(row))


def test_a_backup_from_before_the_first_round_is_refused_when_it_is_put_back(engine: sa.Engine, tmp_path: Path) -> None:
    """What waited in it was sent since, and would be sent again."""
    metadata.drop_all(engine)
    beside = tmp_path / "var/instance.json"
    upgrade(engine)
    with engine.connect() as db:
        backup = [dict(row) for row in db.execute(sa.select(note)).mappings()]
        assert instance.trouble(db, beside) == ""
    [(name, epoch)] = _enter(engine, beside).items()
    assert epoch == 1
    upgrade(engine)  # names it once
    assert _enter(engine, beside) == {name: 2}
    _restored(engine, backup)
    upgrade(engine)
    with pytest.raises(NotReady, match="older state"):
        _enter(engine, beside)
    _adopt(engine, beside)
    _enter(engine, beside)


def test_a_database_that_is_made_anew_is_another(engine: sa.Engine, tmp_path: Path) -> None:
    """Who tries it out, deletes it and begins again is not asked anything."""
    beside = tmp_path / "instance.json"
    for _ in range(2):
        metadata.drop_all(engine)
        with engine.begin() as db:
            db.execute(sa.text("DROP TABLE IF EXISTS alembic_version"))
        upgrade(engine)
        assert list(_enter(engine, beside).values()) == [1]
    assert len(json.loads(beside.read_text())) == 2


def test_before_its_first_round_a_database_may_be_moved(sqlite_engine: sa.Engine, tmp_path: Path) -> None:
    """As when it is prepared on one machine for another; from then on a copy of it is one."""
    beside, there = tmp_path / "instance.json", tmp_path / "there"
    with sqlite_engine.begin() as db:
        instance.identify(db)
    sqlite_engine.dispose()
    _backup(_path(sqlite_engine), there)
    moved = connect(f"sqlite:///{there}")
    _enter(moved, beside)
    _enter(moved, beside)
    with pytest.raises(NotReady, match="older state"):  # what is still here has sent nothing of it
        _enter(sqlite_engine, beside)
    moved.dispose()


def test_where_nobody_is_at_home_the_note_beside_the_project_is_enough(
    sqlite_engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    beside = tmp_path / "instance.json"
    [(name, epoch)] = _enter(sqlite_engine, beside).items()
    assert json.loads(beside.read_text()) == {name: epoch}
    _enter(sqlite_engine, beside)


def test_a_file_that_was_moved_is_the_same(sqlite_engine: sa.Engine, tmp_path: Path) -> None:
    [(name, epoch)] = _enter(sqlite_engine, tmp_path / "instance.json").items()
    sqlite_engine.dispose()
    moved = connect(f"sqlite:///{_path(sqlite_engine).rename(tmp_path / 'moved.db')}")
    assert _enter(moved, tmp_path / "instance.json") == {name: epoch + 1}
    moved.dispose()


def test_a_database_copied_within_its_server_is_refused(postgres: str, postgres_engine: sa.Engine) -> None:
    nowhere = Path("/nonexistent/instance.json")
    _enter(postgres_engine, nowhere)
    postgres_engine.dispose()
    with _admin(postgres) as db:
        db.execute(sa.text(f"CREATE DATABASE copied TEMPLATE {postgres_engine.url.database}"))
    other = connect(_named(postgres, "copied"))
    with pytest.raises(NotReady, match="copy of one that lives elsewhere"):
        _enter(other, nowhere)
    other.dispose()
    with _admin(postgres) as db:
        db.execute(sa.text("DROP DATABASE copied WITH (FORCE)"))


def test_many_workers_on_many_machines_are_at_home(engine: sa.Engine, tmp_path: Path) -> None:
    """Each machine has a project, and notes, of its own; in some nothing can be noted."""
    failed: list[Exception] = []

    def work(beside: Path) -> None:
        try:
            for _ in range(5):
                _enter(engine, beside)
        except Exception as error:  # noqa: BLE001 - asserted below
            failed.append(error)

    places = [tmp_path / "a/i.json", tmp_path / "a/i.json", tmp_path / "b/i.json", Path("/proc/nowhere/i.json")]
    threads = [Thread(target=work, args=(beside,)) for beside in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_note_that_cannot_be_read_is_none(sqlite_engine: sa.Engine, tmp_path: Path) -> None:
    beside = tmp_path / "instance.json"
    beside.write_text("{ torn")
    _enter(sqlite_engine, beside)
    with sqlite_engine.connect() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(note)) == 1
