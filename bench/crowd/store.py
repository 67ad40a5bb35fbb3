"""Crowds laid straight into databases and kept: a file of SQLite's, or a database of a server in the same folder."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from bench import people as plain
from bench.crowd import answers, contacts, events
from bench.crowd.calendar import Sent, weeks
from bench.server import server
from bench.stage import ROOT, SECRET
from vinculo import facts
from vinculo.db import HEAD, connect, metadata, micros, rules, upgrade
from vinculo.db.migration import config
from vinculo.db.tables.standing import ROOM
from vinculo.signing import Signer

FOLDER = Path(os.environ.get("CROWD", ROOT / "var" / "crowd"))
#: Another crowd for the same numbers is another version: what is kept of the old is not taken for the new.
VERSION = 1
_PEOPLE = 10_000


@dataclass(frozen=True, slots=True)
class Crowd:
    """How large a crowd: contacts, lines of history, and rows of the ledger (at least one an occurrence)."""

    contacts: int = 1_000_000
    events: int = 20_000_000
    deliveries: int = 0
    seed: int = 7

    @property
    def name(self) -> str:
        return f"crowd_{self.contacts}_{self.events}_{self.deliveries}_{self.seed}_v{VERSION}"


@contextmanager
def crowd(size: Crowd, database: str = "sqlite", folder: Path = FOLDER) -> Iterator[sa.Engine]:
    """A database with such a crowd and today's tables; made at the first call, kept for the next.

    Others use it, too: change nothing that is not taken back, or copy it first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (_sqlite if database == "sqlite" else _postgresql)(size, folder) as engine:
        try:
            yield engine
        finally:
            engine.dispose()


@contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    """Nobody else makes the same crowd meanwhile."""
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _sqlite(size: Crowd, folder: Path) -> Iterator[sa.Engine]:
    path = folder / f"{size.name}.db"
    with _alone(folder, path.stem):
        if not path.exists():
            half = path.with_suffix(".half")
            for left in folder.glob(f"{half.name}*"):
                left.unlink()
            engine = connect(f"sqlite:///{half}")
            sa.event.listen(engine, "connect", _hasty)
            _lay(engine, size)
            engine.dispose()
            half.rename(path)
        engine = connect(f"sqlite:///{path}")
        upgrade(engine)
    yield engine


def _hasty(connection: Any, record: Any) -> None:  # noqa: ARG001 - SQLAlchemy's signature
    """A half-made file is thrown away: nothing need survive."""
    for setting in ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF", "cache_size=-262144"):
        connection.execute(f"PRAGMA {setting}")


@contextmanager
def _postgresql(size: Crowd, folder: Path) -> Iterator[sa.Engine]:
    with server(folder) as url:
        with _alone(folder, f"{size.name}.postgresql"), _administered(url) as db:
            if not db.scalar(sa.text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": size.name}):
                half = f"{size.name}_half"
                db.execute(sa.text(f"DROP DATABASE IF EXISTS {half}"))
                db.execute(sa.text(f"CREATE DATABASE {half}"))
                # Nobody need look up whether the contact of each event exists.
                loose = "-c session_replication_role=replica -c maintenance_work_mem=512MB -c synchronous_commit=off"
                engine = sa.create_engine(_named(url, half), connect_args={"options": loose})
                with crowd(size, "sqlite", folder) as source:
                    _copy(source, engine)
                engine.dispose()
                db.execute(sa.text(f"ALTER DATABASE {half} RENAME TO {size.name}"))
            engine = connect(_named(url, size.name).render_as_string(hide_password=False))
            upgrade(engine)
        yield engine


@contextmanager
def _administered(url: str) -> Iterator[sa.Connection]:
    engine = connect(url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as db:
        yield db
    engine.dispose()


def _named(url: str, name: str) -> sa.URL:
    return sa.make_url(url).set(drivername="postgresql+psycopg", database=name)


# ── laying ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _lay(engine: sa.Engine, size: Crowd) -> None:
    """Tables, rows, then indexes: an index over rows that are there is made in one go."""
    with engine.begin() as db:
        for table in metadata.sorted_tables:
            db.execute(CreateTable(table))
    put = _putting(engine)
    for rows in contacts.people(size.seed, Signer(SECRET), size.contacts, _PEOPLE):
        for table, lines in rows.items():
            put(table, contacts.COLUMNS[table].split(), lines)
    dice = Random(size.seed + 2)
    for week in weeks(size.events):
        put("interaction", events.COLUMNS, events.happened(dice, week, size.contacts))
    sent = [each for week in weeks(size.events) for each in week.sent]
    put("occurrence", _OCCURRENCE.split(), [_occurrence(each) for each in sent])
    with engine.begin() as db:
        _deliveries(db, sent, size)
        if size.deliveries and size.events:
            answers.belong(db)
        _finish(db)
        facts.rebuild(db)


def _finish(db: sa.Connection) -> None:
    """Indexes, triggers, and the number of the revision."""
    from alembic import command

    for table in metadata.sorted_tables:
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            db.execute(CreateIndex(index))
    rules.install(db)
    command.stamp(config(db), HEAD)


def _putting(engine: sa.Engine) -> Callable[[str, Sequence[str], list[tuple[Any, ...]]], None]:
    def put(table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        connection = engine.raw_connection()
        try:
            if rows:
                plain.put(connection.cursor(), table, columns, rows)
            connection.commit()
        finally:
            connection.close()

    return put


def _copy(source: sa.Engine, engine: sa.Engine) -> None:
    """The same crowd on PostgreSQL: to make people twice would take longer than to carry them over."""
    with engine.begin() as db:
        for table in metadata.sorted_tables:
            db.execute(CreateTable(table))
        db.execute(ROOM)  # which comes by itself where tables are made with their indexes
        for table in metadata.sorted_tables:
            _carry(source, db, table)
        _finish(db)
        for table in metadata.sorted_tables:
            if "id" in table.c and table.c.id.primary_key:
                newest = f"(SELECT max(id) FROM {table.name})"
                db.execute(sa.text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {newest})"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(sa.text("VACUUM ANALYZE"))


def _carry(source: sa.Engine, db: sa.Connection, table: sa.Table) -> None:
    """The rows of *table*; each is put into a line by SQLite, which is quicker at it than we are."""
    names = [column.name for column in table.c]
    line = " || char(9) || ".join(f"coalesce({name}, char(1))" for name in names)
    into = f"COPY {table.name} ({', '.join(names)}) FROM STDIN (FREEZE, NULL '\x01')"
    cursor: Any = db.connection.cursor()
    with source.connect().execution_options(read_only=True) as there, cursor.copy(into) as copy:
        found = there.exec_driver_sql(f"SELECT {line} FROM {table.name}").cursor
        while lines := [row[0] for row in found.fetchmany(_PEOPLE)]:
            text = "\n".join([*lines, ""])
            assert "\\" not in text, table.name
            assert text.count("\t") == len(lines) * (len(names) - 1), table.name
            copy.write(text)


_OCCURRENCE = "campaign occurrence state due_at planned_at finished_at definition"


def _occurrence(sent: Sent) -> tuple[Any, ...]:
    due = micros(sent.due)
    definition = {"name": sent.campaign, "kind": sent.kind, "topic": sent.topic, "segment": "everyone",
                  "template": "weekly-news", "channels": ["email"]}  # fmt: skip
    return (sent.campaign, sent.key, "finished", due, due, due, json.dumps(definition))


def _deliveries(db: sa.Connection, sent: list[Sent], size: Crowd) -> None:
    """The newest occurrences went to everybody, as far as *size* has rows; each went to one contact at least."""
    left = max(0, size.deliveries - len(sent))
    for each in reversed(sent):
        rows = min(left, size.contacts - 1)
        left -= rows
        values = {
            "campaign": each.campaign, "occurrence": each.key, "topic": each.topic, "due": micros(each.due),
            "expires": micros(each.due + timedelta(days=2)), "rows": rows + 1,
        }  # fmt: skip
        db.execute(_DELIVERIES, values)


_DELIVERIES = sa.text("""
INSERT INTO delivery (campaign, occurrence, contact_id, state, reason, channel, address, topic, due_at, expires_at,
                      attempts, submitted_at, settled_at, basis)
SELECT :campaign, :occurrence, c.id, CASE WHEN c.id % 20 = 3 THEN 'skipped' ELSE 'accepted' END,
       CASE WHEN c.id % 20 = 3 THEN 'no_consent' ELSE '' END, 'email', a.value, :topic, CAST(:due AS BIGINT),
       CAST(:expires AS BIGINT), 1, CAST(:due AS BIGINT), CAST(:due AS BIGINT),
       CASE WHEN c.id % 20 = 3 THEN '' ELSE 'earlier' END
FROM contact c JOIN address a ON a.contact_id = c.id AND a.channel = 'email'
WHERE c.id <= :rows
""")
