"""The migrations lead to `db/tables`, and an old, foreign or newer database is named as such."""

import os
import re
import stat
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.schema import CreateTable

from vinculo.db import HEAD, backup, connect, current, metadata, migration, require, upgrade
from vinculo.db.tables import note
from vinculo.errors import NotReady, UsageError

HOW = (
    "vinculo/db/tables and the migrations differ. While nothing is released, write the first revision anew:\n"
    "    python -m vinculo.db.migrations.draft 0001 'The first tables.'\n"
    "After a release, write the next revision and raise HEAD in vinculo/db/migration.py."
)


def _definitions(engine: sa.Engine) -> set[tuple[str, ...]]:
    """The words of every table, index and trigger as the database itself keeps them; Alembic's comparison overlooks some.

    Sorted, for the order of a table's constraints means nothing.
    """
    query = "SELECT sql FROM sqlite_master WHERE tbl_name <> 'alembic_version' AND sql IS NOT NULL"
    if engine.dialect.name == "postgresql":
        query = """
            SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
            UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
            UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE contype IN ('c', 'f')
            AND connamespace = 'public'::regnamespace
            UNION ALL SELECT indexrelid::regclass || ' identifies' FROM pg_index WHERE indisreplident"""
    with engine.begin() as db:
        return {tuple(sorted(re.findall(r"[^\s,\"]+", text))) for (text,) in db.execute(sa.text(query))}


@pytest.fixture
def empty(engine: sa.Engine) -> sa.Engine:
    """A database without tables, of either kind."""
    metadata.drop_all(engine)
    return engine


def _meant_for(dialect: sa.Dialect) -> Callable[..., bool]:
    """Whether a constraint is meant for the database; Alembic asks of each, as if it were (`ddl_if`)."""

    def meant(found: Any, name: str, kind: str, reflected: bool, other: Any) -> bool:
        del name, other
        if kind != "foreign_key_constraint" or reflected:
            return True
        return f" {found.name} " in str(CreateTable(found.table).compile(dialect=dialect))

    return meant


def test_the_migrations_make_the_tables_that_the_code_knows(empty: sa.Engine) -> None:
    upgrade(empty)
    with empty.begin() as db:
        # On SQLite Alembic takes '' for another default than ''; there the definitions below are compared.
        server = db.dialect.name == "postgresql"
        options = {"compare_type": True, "compare_server_default": server, "include_object": _meant_for(db.dialect)}
        difference = compare_metadata(MigrationContext.configure(db, opts=options), metadata)
        assert difference == [], HOW
        assert current(db) == HEAD
    migrated = _definitions(empty)
    with empty.begin() as db:
        db.execute(sa.text("DROP TABLE alembic_version"))
    metadata.drop_all(empty)
    metadata.create_all(empty)
    assert migrated == _definitions(empty), HOW


@pytest.mark.parametrize("make", [upgrade, metadata.create_all])
def test_every_table_can_be_followed_by_another_server(empty: sa.Engine, make: Callable[[sa.Engine], Any]) -> None:
    """Which hears of a change by the row's primary key, or by what is named in its stead."""
    make(empty)
    if empty.dialect.name == "postgresql":
        with empty.begin() as db:
            without = sa.text(
                "SELECT relname FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND NOT"
                " EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND (indisprimary OR indisreplident))"
            )
            assert db.scalars(without).all() == []


def test_head_is_the_last_revision() -> None:
    assert ScriptDirectory.from_config(migration.config()).get_heads() == [HEAD]


def test_upgrading_twice_keeps_what_is_there(empty: sa.Engine) -> None:
    assert upgrade(empty) == ""
    with empty.begin() as db:
        db.execute(sa.insert(note).values(name="a", value="1"))
    assert upgrade(empty) == HEAD
    with empty.begin() as db:
        assert db.scalar(sa.select(note.c.value).where(note.c.name == "a")) == "1"


def test_who_upgrades_while_another_does_waits_and_finds_it_done(
    postgres_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As two containers that start at once on one server's database."""
    metadata.drop_all(postgres_engine)
    going, identify = list[Future[str]](), migration.identify

    def meanwhile(db: sa.Connection) -> None:
        monkeypatch.undo()
        identify(db)
        going.append(pool.submit(upgrade, postgres_engine))
        with postgres_engine.connect() as eye:
            while not going[0].done() and not eye.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                eye.rollback()

    monkeypatch.setattr(migration, "identify", meanwhile)
    with ThreadPoolExecutor(1) as pool:
        assert upgrade(postgres_engine) == ""
        assert going[0].result(60) == HEAD


def test_an_old_database_is_refused_until_it_is_upgraded(empty: sa.Engine) -> None:
    upgrade(empty)
    require(empty)
    with empty.begin() as db:
        db.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
    save = "Run `vinculo db upgrade --backup`" if empty.dialect.name == "sqlite" else "Run pg_dump first"
    with pytest.raises(NotReady, match=rf"revision 0000.*\n.*{save}"):
        require(empty)


def test_a_database_of_a_later_vinculo_is_neither_used_nor_upgraded(empty: sa.Engine) -> None:
    upgrade(empty)
    with empty.begin() as db:
        db.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for use in (require, upgrade):
        with pytest.raises(NotReady, match="revision 9999"):
            use(empty)


def test_a_database_without_tables_is_refused(empty: sa.Engine) -> None:
    with pytest.raises(NotReady, match="no tables"):
        require(empty)


def test_upgrade_makes_the_folder_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "vinculo.db"
    engine = connect(f"sqlite:///{file}")
    upgrade(engine)
    require(engine)
    engine.dispose()
    assert file.stat().st_size > 0


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    engine = connect(f"sqlite:///{tmp_path / 'file' / 'vinculo.db'}")
    with pytest.raises(NotReady, match="cannot be made: File exists"):
        upgrade(engine)
    engine.dispose()


@pytest.mark.parametrize(
    ("umask", "mode"), [(0o022, 0o600), (0o027, 0o600), (0o077, 0o600), (0o002, 0o660), (0, 0o660)]
)
def test_strangers_read_nothing_of_a_database(tmp_path: Path, umask: int, mode: int) -> None:
    """A group of people may operate it together, where the umask says so; SQLite's files beside it are made alike."""
    engine = connect(f"sqlite:///{tmp_path / 'vinculo.db'}")
    before = os.umask(umask)
    try:
        upgrade(engine)
        with engine.begin() as db:
            db.execute(sa.insert(note).values(name="a", value="1"))
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
        engine.dispose()
    assert modes == dict.fromkeys(("vinculo.db", "vinculo.db-wal", "vinculo.db-shm"), mode)


def test_a_database_that_is_there_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "vinculo.db").touch()
    (tmp_path / "vinculo.db").chmod(0o640)
    engine = connect(f"sqlite:///{tmp_path / 'vinculo.db'}")
    upgrade(engine)
    engine.dispose()
    assert stat.S_IMODE((tmp_path / "vinculo.db").stat().st_mode) == 0o640


def test_a_backup_has_what_was_committed(tmp_path: Path, now) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'vinculo.db'}")
    assert backup(engine, now) is None
    upgrade(engine)
    with engine.begin() as db:
        db.execute(sa.insert(note).values(name="a", value="1"))
    copy = backup(engine, now)
    assert copy == tmp_path / "vinculo.db.20261201T120000.backup"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600  # it holds everybody's data
    other = connect(f"sqlite:///{copy}")
    with other.begin() as db:
        assert db.scalar(sa.select(note.c.value).where(note.c.name == "a")) == "1"
    engine.dispose()
    other.dispose()


def test_a_servers_database_is_not_copied(postgres_engine: sa.Engine, now) -> None:
    with pytest.raises(UsageError, match="pg_dump"):
        backup(postgres_engine, now)
