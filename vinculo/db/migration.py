"""From an empty or old database to today's tables. Revisions are numbered; nothing is ever taken away silently."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from vinculo import private
from vinculo.db.failure import not_ready
from vinculo.db.instance import identify
from vinculo.errors import NotReady, UsageError

if TYPE_CHECKING:
    from alembic.config import Config

#: The revision of `db/tables`. Kept here so that a command need not import Alembic to see that a database is old.
HEAD = "0026"
#: What to do of a server's database, which Vinculo does not copy.
SAVE_FIRST = "Run pg_dump first, then `vinculo db upgrade`."
#: Held on PostgreSQL until the upgrade is done: who comes meanwhile finds it done. On SQLite one writes at a time.
_ALONE = sa.func.pg_advisory_xact_lock(0x75706772616465)


def config(db: sa.Connection | None = None) -> Config:
    """Alembic's configuration for the migrations in this package, working on *db*."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    made.attributes["connection"] = db
    return made


def upgrade(engine: sa.Engine) -> str:
    """Bring the database to `HEAD` in one transaction; return the revision it had ("" for none).

    Makes a SQLite file, of which strangers read nothing, and its folder. Raises `NotReady` when the database does not
    answer or is newer than we are.
    """
    from alembic import command
    from alembic.util import CommandError

    path = file_of(engine)
    try:
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            private.make_file(path)
        with engine.begin() as db:
            if db.dialect.name == "postgresql":
                db.execute(sa.select(_ALONE))
            before = current(db)
            check_known(before)
            command.upgrade(config(db), HEAD)
            identify(db)
    except OSError as error:
        raise NotReady(f"The database {path} cannot be made: {error.strerror}", "Is database.url right?") from None
    except sa.exc.DBAPIError as error:
        raise not_ready(error) from None
    except CommandError:  # alembic knows no way from the revision that is written there
        raise NotReady(
            f"There is no way from the database's revision {before} to {HEAD}", "Restore a backup of a known revision."
        ) from None
    return before


def current(db: sa.Connection) -> str:
    """The revision of the database; "" when it has none."""
    if not sa.inspect(db).has_table("alembic_version"):
        return ""
    return db.scalar(sa.text("SELECT version_num FROM alembic_version")) or ""


def found(engine: sa.Engine) -> str:
    """The revision that `upgrade` would start from; "" when there is no database yet. Makes nothing.

    Raises `NotReady` when the database does not answer.
    """
    path = file_of(engine)
    if path and not path.exists():
        return ""
    try:
        with engine.connect().execution_options(read_only=True) as db:
            return current(db)
    except sa.exc.DBAPIError as error:
        raise not_ready(error) from None


def check_known(revision: str) -> None:
    """Raise `NotReady` when *revision* is of a later Vinculo."""
    if revision > HEAD:
        raise NotReady(
            f"The database has revision {revision}, this Vinculo knows {HEAD}",
            "Install the newer Vinculo that made it.",
        )


def file_of(engine: sa.Engine) -> Path | None:
    """The file of a SQLite database; None for a server's or one in memory."""
    name = engine.url.database
    return Path(name) if engine.dialect.name == "sqlite" and name and name != ":memory:" else None


def backup(engine: sa.Engine, now: datetime) -> Path | None:
    """Copy a SQLite database beside itself, whole also while others write; return the copy, None if there is nothing.

    Raises `UsageError` for a server's database: its own tools do that; `NotReady` when the copy cannot be written.
    """
    path = file_of(engine)
    if path is None:
        raise UsageError("Only a SQLite file is copied by --backup", SAVE_FIRST)
    if not path.exists():
        return None
    copy = path.with_name(f"{path.name}.{now:%Y%m%dT%H%M%S}.backup")
    try:
        copy.touch(mode=0o600)  # it holds everybody's data
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            copy.unlink()  # half a copy is worse than none
        raise NotReady(f"The database was not copied to {copy}: {error}", "Nothing was changed.") from None
    return copy
