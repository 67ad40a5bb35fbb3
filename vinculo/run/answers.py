"""What providers answered while the database could not be written: kept in a file, and settled at the next start.

A message that was accepted must not end in doubt because a disk was full or a server gone. Each batch that meets such
trouble has a file of its own in `var/answers` of the project, and holds a lock on it for as long as it writes. Room is
kept there beforehand: the disk that is full may be the same.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vinculo import history, ledger
from vinculo.connector import BadAddress, InDoubt, Outcome, Receipt, Rejected, Temporary, Unavailable
from vinculo.db import instance
from vinculo.errors import NotReady
from vinculo.ledger import Claim, Settlement
from vinculo.model import DeliveryKey
from vinculo.run.needs import Needs

log = logging.getLogger(__name__)
#: Room for what thousands of messages were answered, in bytes.
_ROOM = 512 * 1024
_FULL = {errno.ENOSPC, errno.EDQUOT}
_OUTCOMES = {kind.__name__: kind for kind in (Receipt, Temporary, Rejected, BadAddress, Unavailable, InDoubt)}


def folder(rt: Needs) -> Path:
    """Where such files are: beside the project, not with the database, whose disk may be the full one."""
    return rt.project.root / "var" / "answers"


def reserve(rt: Needs) -> None:
    """Take room for answers as long as there is some; what cannot be had is done without."""
    file = _reserve(folder(rt))
    with suppress(OSError):
        if file.exists() and file.stat().st_size:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with file.open("wb") as room:  # none to append to: without fallocate, as on NFS, the C library refuses it
                os.posix_fallocate(room.fileno(), 0, _ROOM)
        except OSError:
            file.unlink(missing_ok=True)  # an empty one would be taken for room for good


def _reserve(place: Path) -> Path:
    return place / "reserve"


class Answers:
    """The file of one batch; it is there only while answers are in it that the database has not got."""

    def __init__(self, place: Path, database: str) -> None:
        """*database*: its `instance.identity`; the same numbers mean other rows in another."""
        self._place, self._database = place, database
        self._path = place
        self._file = -1
        self._written = 0

    @property
    def needed(self) -> bool:
        """Whether answers are in it."""
        return self._file >= 0

    def keep(self, settlements: Sequence[Settlement]) -> None:
        """Write down those of *settlements* that are not yet there, durably. Raises `NotReady` when that fails too."""
        fresh = settlements[self._written :]
        try:
            self._write(fresh)
        except OSError as error:
            raise NotReady(
                f"{len(fresh)} answers of the provider can be kept neither in the database nor in {self._path}: "
                f"{error.strerror}",
                "Nothing more is sent. Make room; their messages will be in doubt: `vinculo resolve` lists them.",
            ) from error
        self._written = len(settlements)

    def _write(self, fresh: Sequence[Settlement]) -> None:
        """Write *fresh*; when the disk is full, again, in the room that was kept. What is there twice is one answer."""
        try:
            self._append(fresh)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            _reserve(self._place).unlink()
            log.warning("The disk is full: answers are kept in the room that was reserved for them")
            self._append(fresh)

    def _append(self, fresh: Sequence[Settlement]) -> None:
        if self._file < 0:
            self._open()
        lines = ("\n" + "".join(map(_line, fresh))).encode()  # what was cut short before ends here
        while lines:
            lines = lines[os.write(self._file, lines) :]
        os.fsync(self._file)

    def forget(self) -> None:
        """The database has them all."""
        if self._file >= 0:
            with suppress(OSError):  # replayed, they would find that they are known
                self._path.unlink()
            os.close(self._file)
        self._file, self._written = -1, 0

    def leave(self) -> None:
        """Let go of the file; whoever starts next settles what is in it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> None:
        self._place.mkdir(parents=True, exist_ok=True)
        self._path = self._place / f"{self._database}-{uuid.uuid4().hex}.jsonl"
        fresh = self._path.with_suffix(".new")
        file = os.open(fresh, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            fresh.rename(self._path)  # not before it is ours: another worker would replay it, and delete it
            there = os.open(self._place, os.O_RDONLY)
            os.fsync(there)  # else the file's name may be lost in a power cut
            os.close(there)
        except OSError:
            os.close(file)
            fresh.unlink(missing_ok=True)
            raise
        self._file = file


def replay(rt: Needs) -> int:
    """Settle what is kept in files of this machine; return how many answers still counted. Safe to repeat."""
    files = sorted(folder(rt).glob("*.jsonl"))
    if not files:
        return 0
    with rt.read() as db:
        ours = f"{instance.identity(db)}-"
    number = 0
    for path in files:
        if not path.name.startswith(ours):
            log.warning("%s has answers for another database, and is left alone", path)
            continue
        with _locked(path) as text:
            if text is not None:
                number += _replay(rt, _read(text))
                path.unlink()
    return number


def _replay(rt: Needs, settlements: list[Settlement]) -> int:
    now = rt.now()
    settled = 0
    with rt.begin() as db:
        for idempotent in (False, True):
            share = [one for one in settlements if (one.claim.channel in rt.idempotent_channels) is idempotent]
            done = ledger.settle(db, share, now, idempotent=idempotent)
            history.sent(db, [claim.id for claim in done.accepted], now)
            settled += len(share) - len(done.stale)
    log.warning("%d answers that the database had not got are settled", settled)
    return settled


@contextmanager
def _locked(path: Path) -> Iterator[str | None]:
    """The text of the file; None when somebody writes or replays it, or has just done so."""
    try:
        file = path.open(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        yield None
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield file.read() if path.exists() else None


def _read(text: str) -> list[Settlement]:
    """The answers; a line that was cut short, when the power went or the disk was full, is none."""
    lines = [line for line in text.splitlines() if line]
    read = [one for line in lines if (one := _settlement(line)) is not None]
    if len(read) < len(lines):
        log.warning("%d answers that were kept cannot be read: their messages will be in doubt", len(lines) - len(read))
    return read


def _line(one: Settlement) -> str:
    number, key, *rest = one.claim
    told = {name: getattr(one.outcome, name) for name in _fields(one.outcome)}
    kind = next((each.__name__ for each in type(one.outcome).__mro__ if each.__name__ in _OUTCOMES), "InDoubt")
    return json.dumps({"claim": [number, list(key), *rest], "outcome": kind, "told": told}) + "\n"


def _fields(outcome: Outcome) -> Iterable[str]:
    if isinstance(outcome, Receipt):
        return "provider_id", "response"
    return [name for name in ("reason", "status", "after") if hasattr(outcome, name)]


def _settlement(line: str) -> Settlement | None:
    with suppress(ValueError, LookupError, TypeError, RecursionError):
        said = json.loads(line)
        number, key, *rest = said["claim"]
        claim = Claim(number, DeliveryKey(*key), *rest)
        if _is_claim(claim):
            return Settlement(claim, _outcome(said["outcome"], {**said["told"]}))
    return None


def _is_claim(claim: Claim) -> bool:
    """Whether a database can be asked for it: one line that it cannot take would stop every start."""
    numbers = (claim.id, 63), (claim.key.contact_id, 63), (claim.fence, 31), (claim.attempts, 31), (claim.crashes, 31)
    fit = all(type(number) is int and 0 <= number < 1 << bits for number, bits in numbers)
    return fit and isinstance(claim.channel, str)


def _outcome(name: str, told: dict[str, Any]) -> Outcome:
    kind = _OUTCOMES[name]
    if kind is Receipt:
        return Receipt(**told)
    outcome: Outcome = kind(told.pop("reason"), **told)
    return outcome
