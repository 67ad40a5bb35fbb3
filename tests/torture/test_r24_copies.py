"""R24: a database that was copied or restored does not know what was sent since. It sends nothing until a person says so."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.torture.conftest import Tally
from tests.torture.laboratory import KILLED, Laboratory
from tests.torture.worker import NOT_READY
from vinculo.db import instance

FAMILY = "R24 copied and restored databases"
PEOPLE = 12
SMALL = {"VINCULO__LIMITS__BATCH": "4"}


def _half_sent(lab: Laboratory, tally: Tally) -> Path:
    """A run is killed in its middle, a backup is made, and the rest is sent."""
    assert lab.run(point="after settle", number=2) == KILLED
    doubt = lab.flight()
    file = Path(lab.url.removeprefix("sqlite:///"))
    backup = file.with_name("backup.db")
    with closing(sqlite3.connect(file)) as here, closing(sqlite3.connect(backup)) as there:
        here.backup(there)
    shutil.copy(instance.noted_in(lab.root), backup.with_name("noted"))
    lab.recover()
    tally.judged(lab.judge(doubt=doubt))
    return backup


def _restore_over(lab: Laboratory, backup: Path) -> None:
    """`cp backup.db vinculo.db`: the same file with what it was."""
    file = Path(lab.url.removeprefix("sqlite:///"))
    for leftover in (f"{file}-wal", f"{file}-shm"):
        Path(leftover).unlink(missing_ok=True)
    file.write_bytes(backup.read_bytes())


def _restore_all(lab: Laboratory, backup: Path) -> None:
    """`cp -a backup/var/. var/`: with the note beside the project as it was."""
    _restore_over(lab, backup)
    shutil.copy(backup.with_name("noted"), instance.noted_in(lab.root))


def _move_over(lab: Laboratory, backup: Path) -> None:
    """`mv backup.db vinculo.db`: another file under the same name."""
    _restore_over(lab, backup)
    fresh = backup.with_name("fresh.db")
    shutil.copy(backup, fresh)
    fresh.replace(lab.url.removeprefix("sqlite:///"))


def _use_elsewhere(lab: Laboratory, backup: Path) -> None:
    """A second installation on the copy."""
    lab.url = f"sqlite:///{backup}"


@pytest.mark.parametrize("use", [_restore_over, _restore_all, _move_over, _use_elsewhere])
def test_r24_a_backup_sends_nothing_until_a_person_says_so(make_laboratory, tally: Tally, use) -> None:
    lab = make_laboratory(PEOPLE, environ=SMALL)
    backup = _half_sent(lab, tally)
    before = lab.record()
    use(lab, backup)
    lab.clock.forward(hours=1)
    for _ in range(2):  # nor the second time
        assert lab.run() == NOT_READY
        tally["faults"] += 1
    assert lab.record() == before
    with lab.begin() as db:
        epoch = instance.adopt(db)
    instance.remember(instance.noted_in(lab.root), epoch)
    assert lab.run() == 0


def test_r24_a_copied_postgresql_database_sends_nothing(make_laboratory, postgres_store, tally: Tally) -> None:
    store = postgres_store(PEOPLE)
    lab = make_laboratory(PEOPLE, store=store, environ=SMALL)
    assert lab.run(point="after settle", number=2) == KILLED
    before = lab.record()
    lab.url = postgres_store(0, store.name).url
    lab.clock.forward(hours=1)
    assert lab.run() == NOT_READY
    tally["faults"] += 1
    assert lab.record() == before
