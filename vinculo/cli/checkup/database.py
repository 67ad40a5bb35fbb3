"""The database: there, of this version, kept through a power cut, and whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from time import monotonic

import sqlalchemy as sa

from vinculo import db as database
from vinculo import private
from vinculo.db import instance
from vinculo.db.migration import file_of
from vinculo.errors import Finding, VinculoError
from vinculo.runtime import Runtime

#: How long to read a SQLite file for damage, in seconds: a large one is not read whole.
LOOK = 5.0


def reachable(rt: Runtime) -> Iterator[Finding]:
    place = rt.engine.url.render_as_string(hide_password=True)
    try:
        database.require(rt.engine)
    except VinculoError as error:
        yield Finding("fail", "database", error.message, error.remedy)
    else:
        yield Finding("ok", "database", f"{place} has revision {database.HEAD}")


def durable(rt: Runtime) -> Iterator[Finding]:
    """Whether what was committed survives a power cut: else a message may go out twice after one."""
    try:
        database.require(rt.engine)
        loose = _loose(rt)
    except VinculoError:
        return  # the database's own line says why
    if loose:
        words = f"{loose}: after a power cut the last messages may be sent again"
        yield Finding("warn", "durability", words, "Switch it on, unless that does not matter here.")
    else:
        yield Finding("ok", "durability", "what was committed survives a power cut")


def _loose(rt: Runtime) -> str:
    """Say what lets commits get lost; "" when nothing does."""
    if rt.engine.dialect.name == "sqlite":
        durability = rt.project.settings.database.durability
        return "" if durability == "full" else f"database.durability is `{durability}`"
    with rt.read() as db:
        off = [name for name in ("fsync", "synchronous_commit") if db.scalar(sa.text(f"SHOW {name}")) == "off"]
    return f"the server has {' and '.join(off)} off" if off else ""


def closed(rt: Runtime) -> Iterator[Finding]:
    """Whether strangers on the machine can read a SQLite file: everybody's data is in it, and in those beside it."""
    file = file_of(rt.engine)
    beside = [file.with_name(file.name + end) for end in ("", "-wal", "-shm")] if file else []
    if open_ones := [str(each) for each in beside if each.exists() and private.read_by_others(each)]:
        words = f"{' and '.join(open_ones)} can be read by anybody on this machine"
        yield Finding("warn", "privacy", words, f"Run `chmod o= {' '.join(open_ones)}`.")
    elif file and file.exists():
        yield Finding("ok", "privacy", "strangers on this machine cannot read the file")


def original(rt: Runtime) -> Iterator[Finding]:
    """Whether this is the database that has sent so far, and no copy or restored backup of it."""
    try:
        database.require(rt.engine)
        with rt.read() as db:
            trouble = instance.trouble(db, instance.noted_in(rt.project.root))
    except VinculoError:
        return  # the database's own line says why
    if trouble:
        remedy = "If no other copy is in use: `vinculo db adopt --i-am-the-only-copy`."
        yield Finding("fail", "only copy", f"nothing is sent: {trouble}", remedy)
    else:
        yield Finding("ok", "only copy", "it knows all that was sent from it")


def sound(rt: Runtime) -> Iterator[Finding]:
    """Read a SQLite file for damage, for a few seconds at most. A server looks after its own files."""
    file = file_of(rt.engine)
    if file is None or not file.exists():
        return
    until = monotonic() + LOOK
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
            db.set_progress_handler(lambda: monotonic() > until, 10_000)
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if str(error) == "interrupted":
            yield Finding("ok", "integrity", f"no damage in the {LOOK:.0f} s that were looked; the file is large")
        return  # locked or not readable: the database's own line says so
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    if verdict == "ok":
        yield Finding("ok", "integrity", "the file has no damage")
    else:
        remedy = "Stop everything, keep a copy of the file, and restore the last backup."
        yield Finding("fail", "integrity", f"{file} is damaged: {verdict[:120]}", remedy)
