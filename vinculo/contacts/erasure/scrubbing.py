"""Making the database's files forget what was deleted: a deleted row leaves its bytes where they were.

SQLite: `secure_delete` overwrites what is deleted, but not what a page of the tree left behind when its rows moved to
another; only VACUUM, which writes the file anew, leaves none. PostgreSQL: VACUUM gives the space back for new rows and
leaves the bytes until they come; VACUUM FULL writes the tables anew and holds each while it does. Its journal (WAL) is
kept in files that are used again under another name, with all that was in them, until somebody writes so far.
The figures are in docs/contacts.md.
"""

from __future__ import annotations

import sqlalchemy as sa

from vinculo.contacts.belongings import BELONGINGS
from vinculo.db.tables import contact, webhook
from vinculo.errors import NotReady

_TABLES = ", ".join(sorted({contact.name, webhook.name, *(each.table.name for each in BELONGINGS)}))


def scrub(engine: sa.Engine, *, rewrite: bool = False) -> bool:
    """Make the database's files forget what was erased, and return whether none of them holds a byte of it now.

    *rewrite*, on PostgreSQL: write the tables anew, so that no freed page keeps a byte; whoever wants one of them
    waits. SQLite's file is always written anew. Raises `NotReady` when somebody else holds it.
    """
    if engine.dialect.name == "sqlite":
        _rewrite_file(engine)
        return True
    return _vacuum(engine, rewrite=rewrite)


def _rewrite_file(engine: sa.Engine) -> None:
    raw = engine.raw_connection()  # VACUUM wants no transaction, and our connections begin one
    try:
        raw.cursor().execute("VACUUM").fetchall()
        busy = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0]
    except engine.dialect.loaded_dbapi.OperationalError:
        busy = 1
    finally:
        raw.close()
    if busy:
        raise NotReady(
            "The person is erased, but somebody else is at the database, and its file still holds the deleted bytes",
            "Erase the same contact again, by its # and id, when nothing is being sent.",
        )


def _vacuum(engine: sa.Engine, *, rewrite: bool) -> bool:
    """What the planner has noted of a column (pg_statistic) are values of it, too: they are noted anew."""
    how = "FULL, ANALYZE" if rewrite else "ANALYZE"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.exec_driver_sql(f"VACUUM ({how}) {_TABLES}")
        db.exec_driver_sql(f"VACUUM {'FULL ' if rewrite else ''}pg_statistic")
        may = db.scalar(sa.text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
        return bool(rewrite and may) and _clear_journal(db)


def _clear_journal(db: sa.Connection) -> bool:
    """Begin a new file of the journal, so that the old ones end, and write over those that are kept to be used again:
    what a switch leaves of a file is filled with zeros. Return whether no old one is left: those that a replica or
    the archive is still to read, or `wal_keep_size` keeps, are none of ours to write over.
    """
    switch = "SELECT pg_switch_wal()"
    for statement in (switch, "CHECKPOINT"):
        db.exec_driver_sql(statement)
    old = (
        "SELECT count(*) FROM pg_ls_waldir(), pg_control_checkpoint() "
        "WHERE name < pg_walfile_name(redo_lsn) AND length(name) = 24"  # notes of backups lie there, too
    )
    left = db.scalar(sa.text(old))
    kept = "SELECT count(*) FROM pg_ls_waldir() WHERE name >= pg_walfile_name(pg_current_wal_lsn())"
    for _ in range(db.scalar(sa.text(kept)) or 0):
        db.exec_driver_sql("SELECT pg_logical_emit_message(false, 'vinculo', '')")  # an empty file is not switched
        db.exec_driver_sql(switch)
    return not left
