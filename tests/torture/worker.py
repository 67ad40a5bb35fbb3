"""What a worker of the torture tests does: the product's own run, on a clock that the test moves.

It knows the seams at which it may die (R2); the product has no hooks for tests.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.torture.link import enter
from vinculo import ledger, project, run
from vinculo.db import connect
from vinculo.db import engine as database
from vinculo.errors import VinculoError
from vinculo.render import Renderer
from vinculo.run import batch
from vinculo.runtime import Runtime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Ended because the database or the provider did not work, and said so.
NOT_READY = 3


class Clock:
    """A clock in a file: every process that maps it reads the moment that the test wrote last."""

    def __init__(self, path: Path, *, skew: float = 0.0) -> None:
        if not path.exists():
            path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 8)
        self.skew = timedelta(seconds=skew)

    def __call__(self) -> datetime:
        return _EPOCH + timedelta(microseconds=struct.unpack("<q", self._page)[0]) + self.skew

    def set(self, now: datetime) -> None:
        self._page[:] = struct.pack("<q", (now - _EPOCH) // timedelta(microseconds=1))

    def forward(self, **duration: float) -> None:
        self.set(self() + timedelta(**duration))


def work(job: dict[str, Any]) -> int:
    """Send the occurrence that stands for `at` (default: now), from `root` with `url`, `environ` and `clock`.

    `point` and `number`: where to die, or whatever `signal` does. `poison`: the contact whom rendering crashes on.
    """
    if "netns" in job:
        enter(job["netns"])
    try:
        _send(job)
    except (VinculoError, sa.exc.DBAPIError):
        return NOT_READY
    return 0


def _send(job: dict[str, Any]) -> None:
    database.BUSY_TIMEOUT = job.get("patience", database.BUSY_TIMEOUT)
    clock = Clock(Path(job["clock"]), skew=job.get("skew", 0.0))
    engine = connect(job["url"], durability=job.get("durability", "full"))
    with Runtime(project.load(Path(job["root"]), job["environ"]), engine, clock) as rt:
        if "point" in job:
            arm(rt, job["point"], job["number"], job.get("signal", signal.SIGKILL))
        if "poison" in job:
            poison(job["poison"])
        campaign = rt.project.campaigns["weekly"]
        at = datetime.fromisoformat(job["at"]) if "at" in job else rt.now()
        occurrence = run.standing_for(rt, campaign, at)
        assert occurrence
        run.run_occurrence(rt, campaign, occurrence, worker=str(os.getpid()))


def poison(key: str) -> None:
    """Let rendering for one contact end the process, as a fault in a C library does."""
    render = Renderer.message

    def crash(self: Renderer, sending: Any, **keys: Any) -> Any:
        if sending.contact.key == key:
            os.kill(os.getpid(), signal.SIGSEGV)
        return render(self, sending, **keys)

    Renderer.message = crash  # type: ignore[method-assign]


# ── where it may die ─────────────────────────────────────────────────────────────────────────────────────────────
#: Seams of the product. `before` and `after` each, beside `begin` and `commit` of every transaction.
SEAMS: dict[str, tuple[Any, str]] = {
    "plan": (ledger, "plan"),
    "recover": (ledger, "recover"),
    "claim": (ledger, "claim"),
    "load": (batch, "sendings"),
    "render": (Renderer, "message"),
    "submit": (ledger, "submit"),
    "settle": (ledger, "settle"),
    "release": (ledger, "release"),
    "finish": (ledger, "finish"),
}
POINTS = [f"{when} {seam}" for seam in (*SEAMS, "begin", "commit") for when in ("before", "after")]


def arm(rt: Runtime, point: str, number: int, with_signal: int = signal.SIGKILL) -> None:
    """Send this process *with_signal* when it comes to *point* for the *number*th time."""
    when, seam = point.split(" ")
    left = [number]

    def pass_by() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), with_signal)

    if seam in SEAMS:
        owner, name = SEAMS[seam]
        setattr(owner, name, _wrapped(getattr(owner, name), when, pass_by))
    else:
        rt.begin = _transaction(rt.begin, point, pass_by)  # type: ignore[method-assign]


def _wrapped(function: Callable[..., Any], when: str, pass_by: Callable[[], None]) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*args: Any, **keys: Any) -> Any:
        if when == "before":
            pass_by()
        result = function(*args, **keys)
        if when == "after":
            pass_by()
        return result

    return wrapper


def _transaction(begin: Any, point: str, pass_by: Callable[[], None]) -> Any:
    @contextmanager
    def wrapper() -> Iterator[sa.Connection]:
        if point == "before begin":
            pass_by()
        with begin() as db:
            if point == "after begin":
                pass_by()
            yield db
            if point == "before commit":
                pass_by()
        if point == "after commit":
            pass_by()

    return wrapper
