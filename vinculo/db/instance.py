"""Which database this is: a copy, or a backup that was restored, does not know what was sent since, and may not send.

The database keeps where it lives and an epoch that each round of sending raises. The epoch is noted beside the project
too, and in its user's home: a backup of the whole project brings back the note that was in it. A copy lives elsewhere;
a backup restored in place has an older epoch than the one noted. Both are refused until a person says that this is the
only copy. Any number of workers on one server's database are at the same place.

It is named when it is made (`identify`), so that a backup of before its first round is known, too; where it lives is
noted in that round: until then it may be moved about.
"""

from __future__ import annotations

import json
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from vinculo.db.insert import insert
from vinculo.db.note import noted
from vinculo.db.statement import Statement
from vinculo.db.tables.note import note
from vinculo.errors import NotReady

#: The names of our notes in the database.
_NAME, _NUMBER = "instance", "number"
#: Set where a machine's identity is no more than its container's, which is new after each start.
_CONTAINER = ("/.dockerenv", "/run/.containerenv")


def noted_in(root: Path) -> Path:
    """The file beside the project in *root* that remembers the epochs of its databases."""
    return root / "var" / "instance.json"


def enter(db: sa.Connection, beside: Path) -> dict[str, int]:
    """Make sure that we may send from this database, and begin a new epoch.

    Returns what to `remember` in *beside* once the transaction is committed. Raises `NotReady` for a copy.
    """
    now = _read(db, lock=True)
    if now is None:
        now = {"id": uuid.uuid4().hex, "epoch": 0, "place": place(db)}
    if trouble := _trouble(db, now, beside):
        raise NotReady(
            f"Nothing is sent: {trouble}. It does not know what was sent since it was copied",
            "If no other copy is in use, say so: `vinculo db adopt --i-am-the-only-copy`.",
        )
    _write(db, now | {"epoch": now["epoch"] + 1, "place": now["place"] or place(db)})
    return {now["id"]: now["epoch"] + 1}


def identify(db: sa.Connection) -> None:
    """Name this database, from which nothing was sent yet, unless it has a name."""
    new = {"id": uuid.uuid4().hex, "epoch": 0, "place": ""}
    db.execute(insert(db, note).values(name=_NAME, value=json.dumps(new)).on_conflict_do_nothing())


def identity(db: sa.Connection) -> str:
    """The number of this database, which a copy has too until it is adopted; "" where `identify` has not been."""
    return str((_read(db) or {}).get("id", ""))


def trouble(db: sa.Connection, beside: Path) -> str:
    """Why nothing would be sent from this database; "" when it may be."""
    now = _read(db)
    return _trouble(db, now, beside) if now is not None else ""


def adopt(db: sa.Connection) -> dict[str, int]:
    """Take this database for the only copy: it gets a new identity. Returns what to `remember`, as `enter` does."""
    now = {"id": uuid.uuid4().hex, "epoch": 1, "place": place(db)}
    _write(db, now)
    return {str(now["id"]): 1}


def remember(beside: Path, epoch: dict[str, int]) -> None:
    """Note *epoch* in *beside*, and at home. Where neither can be written, only copies are recognised."""
    for file in (beside, *_at_home(*epoch)):
        noted = _noted(file)
        if all(noted.get(name, 0) >= number for name, number in epoch.items()):
            continue
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            fresh = file.with_name(f"{file.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
            fresh.write_text(json.dumps(noted | epoch), encoding="utf-8")
            fresh.replace(file)


def place(db: sa.Connection) -> str:
    """Where the database lives: the same for all who use it, another for each copy.

    PostgreSQL: the cluster and the database in it, whatever the host's name. SQLite: the file itself, whatever its path
    (a mount may have another in each container), and the machine, except in a container.
    """
    if db.dialect.name == "postgresql":
        number = db.scalar(sa.text("SELECT oid FROM pg_database WHERE datname = current_database()"))
        return f"postgresql {_cluster(db)} {number}"
    [(file,)] = _FILE.rows(db)
    return f"sqlite {_machine()} {Path(file).stat().st_ino}" if file else ""


def number(db: sa.Connection) -> str:
    """What `give_number` gave this database, or the one that it is a copy of; "" before."""
    return noted(db, _NUMBER) or ""


def give_number(db: sa.Connection) -> None:
    """Give the database a number that no other has but its copies, once: two places may look the same from within.

    Files in two containers may be alike to the inode, and databases of two clusters whose number we may not ask.
    """
    once = insert(db, note).values(name=_NUMBER, value=uuid.uuid4().hex)
    db.execute(once.on_conflict_do_nothing(index_elements=["name"]))


def _cluster(db: sa.Connection) -> str:
    """The number that a cluster is given when it is made; "" where we may not ask."""
    may = sa.text("SELECT has_function_privilege('pg_catalog.pg_control_system()', 'execute')")
    return str(db.scalar(sa.text("SELECT system_identifier FROM pg_control_system()"))) if db.scalar(may) else ""


def _machine() -> str:
    if any(map(os.path.exists, _CONTAINER)) or "KUBERNETES_SERVICE_HOST" in os.environ:
        return "container"
    with suppress(OSError):
        return Path("/etc/machine-id").read_text(encoding="ascii").strip()
    return ""


def _trouble(db: sa.Connection, now: dict[str, Any], beside: Path) -> str:
    if now["place"] not in {"", place(db)}:
        return "this database is a copy of one that lives elsewhere"
    noted = max(_noted(file).get(now["id"], 0) for file in (beside, *_at_home(now["id"])))
    if now["epoch"] < noted:
        return f"this database is an older state (epoch {now['epoch']}) than the last that sent from here ({noted})"
    return ""


def _at_home(*names: str) -> list[Path]:
    """Where the epochs of these databases are noted outside of the project, by the XDG Base Directory Specification."""
    with suppress(RuntimeError):  # nobody's home
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
        return [state / "vinculo" / f"{name}.json" for name in names]
    return []


def _noted(file: Path) -> dict[str, int]:
    with suppress(OSError, ValueError):
        read = json.loads(file.read_text(encoding="utf-8"))
        return dict(read) if isinstance(read, dict) else {}
    return {}


def _read(db: sa.Connection, *, lock: bool = False) -> dict[str, Any] | None:
    rows = (_LOCK if lock else _READ).rows(db)
    return dict(json.loads(rows[0][0])) if rows else None


def _write(db: sa.Connection, value: dict[str, Any]) -> None:
    text = json.dumps(value)
    if not _CHANGE.rows(db, text=text):
        statement = "INSERT INTO note (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING"
        db.execute(sa.text(statement), {"name": _NAME, "value": text})


_READ = Statement(lambda: sa.select(note.c.value).where(note.c.name == _NAME))
_LOCK = Statement(lambda: sa.select(note.c.value).where(note.c.name == _NAME).with_for_update())
_CHANGE = Statement(
    lambda: sa.update(note).where(note.c.name == _NAME).values(value=sa.bindparam("text")).returning(note.c.name)
)
_FILE = Statement(lambda: sa.text("SELECT file FROM pragma_database_list WHERE name = 'main'"))
