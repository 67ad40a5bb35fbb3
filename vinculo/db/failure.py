"""What a database says when it cannot work, in words that its user can act on."""

from __future__ import annotations

import sqlalchemy as sa

from vinculo.errors import NotReady

_RUN_AGAIN = "Nothing that was finished is lost: run the same command again"
#: What the driver says, the first match of: words in it, what that means, what to do.
_WORDS = (
    ("is locked", "The database is in use by another process", f"{_RUN_AGAIN} when it is done."),
    (
        "is full",
        "The disk is full: the database cannot be written",
        f"Make room, for temporary files (SQLITE_TMPDIR, else /var/tmp), too. {_RUN_AGAIN}.",
    ),
    ("No space left", "The disk is full: the database cannot be written", f"Make room on its server. {_RUN_AGAIN}."),
    ("disk I/O", "The database cannot be written: disk I/O error", f"Is the disk full? Make room. {_RUN_AGAIN}."),
    ("readonly", "The database cannot be written", "Give this user the right to write to its file and its folder."),
    (
        "unable to open",
        "The database cannot be opened",
        "Is database.url right? May this user write there?",
    ),
    ("malformed", "The database file is damaged", "Restore a backup of it."),
    ("not a database", "The database file is none", "Restore a backup of it, or name another file in database.url."),
    ("permission denied", "The database does not let this user work", "Grant it its tables, or mend database.url."),
)
_SERVER = ("The database does not answer", "Is it running, and is database.url right?")


def not_ready(error: sa.exc.DBAPIError) -> NotReady:
    """Turn *error* into what its reader can do about it."""
    said = str(error.orig).strip()
    for words, meaning, remedy in _WORDS:
        if words in said:
            first = said.splitlines()[0]  # PostgreSQL goes on with hints, and with the statement's row
            return NotReady(f"{meaning} ({first})" if words not in meaning else meaning, remedy)
    return NotReady(f"{_SERVER[0]}: {said}", _SERVER[1])


def is_waiting(error: Exception) -> bool:
    """Tell whether PostgreSQL ended what waited too long for another, or in a circle: now it may succeed."""
    return getattr(getattr(error, "orig", None), "sqlstate", "") in {"55P03", "40P01"}


def is_outside(error: sa.exc.DBAPIError) -> bool:
    """Tell trouble of the database (locked, full, gone, forbidden) from a mistake in our statement."""
    ours = (sa.exc.IntegrityError, sa.exc.DataError, sa.exc.ProgrammingError, sa.exc.NotSupportedError)
    forbidden = getattr(error.orig, "sqlstate", "") == "42501"  # PostgreSQL: insufficient privilege
    wrong = "no such" in str(error.orig) or "syntax error" in str(error.orig)  # SQLite calls these operational
    return forbidden or not (wrong or isinstance(error, ours))
