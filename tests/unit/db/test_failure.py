"""What a real database says when it cannot work becomes what its user can do."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from vinculo.db import connect, engine, failure, metadata


def _fails(database: sa.Engine, *statements: str) -> sa.exc.DBAPIError:
    with pytest.raises(sa.exc.DBAPIError) as caught, database.begin() as db:
        for statement in statements:
            db.execute(sa.text(statement))
    database.dispose()
    return caught.value


def _laid(path: Path) -> sa.Engine:
    database = connect(f"sqlite:///{path}")
    metadata.create_all(database)
    return database


def _told(error: sa.exc.DBAPIError) -> str:
    assert failure.is_outside(error)
    return str(failure.not_ready(error))


def test_another_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT", 0.05)
    holder, other = _laid(tmp_path / "a.db"), connect(f"sqlite:///{tmp_path / 'a.db'}")
    with holder.begin():
        assert "in use by another process" in _told(_fails(other, "SELECT 1"))
    holder.dispose()


def test_a_full_disk(tmp_path: Path) -> None:
    fill = "INSERT INTO note (name, value) SELECT 'n', hex(zeroblob(2000000))"
    assert "Make room" in _told(_fails(_laid(tmp_path / "a.db"), "PRAGMA max_page_count = 1", fill))


def test_a_database_that_may_only_be_read(tmp_path: Path) -> None:
    error = _fails(_laid(tmp_path / "a.db"), "PRAGMA query_only = ON", "INSERT INTO note VALUES ('a', 'b')")
    assert "right to write" in _told(error)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"nothing of a database" * 100)
    assert "Restore a backup" in _told(_fails(connect(f"sqlite:///{tmp_path / 'a.db'}"), "SELECT 1"))


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    database = _laid(path)
    with database.begin() as db:
        db.execute(sa.text("INSERT INTO note (name, value) VALUES ('n', 'v')"))
    database.dispose()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    assert "damaged" in _told(_fails(connect(f"sqlite:///{path}"), "SELECT * FROM note"))


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.db").mkdir()
    assert "cannot be opened" in _told(_fails(connect(f"sqlite:///{tmp_path / 'a.db'}"), "SELECT 1"))


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_server_that_gives_no_rights(engine: sa.Engine) -> None:
    role = f"reader_{engine.url.database}"
    statements = [f'CREATE ROLE "{role}"', f'SET LOCAL ROLE "{role}"', "SELECT * FROM contact"]
    assert "does not let this user work" in _told(_fails(engine, *statements))


def test_a_mistake_of_ours_is_no_trouble_of_the_database(engine: sa.Engine) -> None:
    for statement in ("SELECT nothing FROM contact", "SELEC 1", "INSERT INTO note (name) VALUES ('a')"):
        assert not failure.is_outside(_fails(engine, statement))


def test_an_error_shows_no_value_of_its_statement(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.DBAPIError) as caught, engine.begin() as db:
        db.execute(sa.text("INSERT INTO nowhere (name) VALUES (:name)"), {"name": "ana@example.com"})
    assert "nowhere" in str(caught.value)
    assert "ana@" not in str(caught.value)


def test_a_full_disk_of_postgresql(postgres_engine: sa.Engine) -> None:
    full = "could not extend file \"base/5/16\": No space left on device' USING ERRCODE = '53100', HINT = 'Look there."
    told = _told(_fails(postgres_engine, f"DO $$ BEGIN RAISE EXCEPTION '{full}'; END $$"))
    assert "The disk is full" in told
    assert "Make room on its server" in told
    assert "Look there" not in told
