"""What our own code fails on: kept as it came, reported, and passed over, so that it holds up nothing behind it."""

from __future__ import annotations

import hashlib
import logging
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from vinculo import history
from vinculo.db.failure import is_outside
from vinculo.errors import VinculoError
from vinculo.feedback.mail import Needs, receive_mail
from vinculo.model import Event, EventKind

log = logging.getLogger(__name__)
#: What became of it; `vinculo events replay` reads a mail again.
FAILED = "failed"


class Keeper(Protocol):
    """Where it is kept; `runtime.Runtime` is one."""

    def now(self) -> datetime: ...
    def begin(self) -> AbstractContextManager[sa.Connection]: ...


def take_in(rt: Needs, raw: bytes, *, source: str) -> list[str]:
    """`receive_mail` for a door where others wait behind this mail."""
    return guarded(rt, source, raw, lambda: receive_mail(rt, raw, source=source))


def guarded(rt: Keeper, source: str, raw: bytes, work: Callable[[], list[str]]) -> list[str]:
    """Do *work*, which returns outcomes. Where our code fails, keep *raw* and return `FAILED` for its outcome.

    What is no fault of what came (the database is away, a setting is missing) goes through: it is there the next time.
    """
    try:
        return work()
    except (VinculoError, OSError):
        raise
    except sa.exc.DBAPIError as error:
        if is_outside(error):
            raise
        wrong: Exception = error
    except Exception as error:  # noqa: BLE001 - a mistake of ours with what a stranger sent must not stop the others
        wrong = error
    place = traceback.extract_tb(wrong.__traceback__)[-1]
    # Without its message, which may quote the mail: logs go to Prefect.
    told = source, type(wrong).__name__, place.filename, place.lineno
    log.error("What came by %s cannot be taken in (%s in %s:%d): it is kept raw, and passed over", *told)
    _keep(rt, source, raw)
    return [FAILED]


def _keep(rt: Keeper, source: str, raw: bytes) -> None:
    name = f"{FAILED}-{hashlib.sha256(raw).hexdigest()[:40]}"
    now = rt.now()
    with rt.begin() as db:
        stored = history.store(db, Event(EventKind.UNKNOWN, source, name, now, raw=raw), now)
        if stored is not None:
            history.settle(db, stored, FAILED)
