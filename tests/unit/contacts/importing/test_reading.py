"""A large file is read in a process of its own: it says the same, and nothing is lost when that process is not there."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from io import BytesIO, UnsupportedOperation
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa

from tests.unit.contacts.conftest import Take
from tests.unit.contacts.importing.row.test_wholesale import _held
from vinculo.contacts.importing import reading
from vinculo.contacts.importing.batch import Batch, Wrong
from vinculo.contacts.importing.row.columns import assign
from vinculo.contacts.importing.row.reader import Reader
from vinculo.db.tables import address, alias, consent, contact, identifier, permission, tag
from vinculo.errors import NotReady, UsageError

_HEAD = "id;nome;email;celular;consent.news;consent_date;tags\n"
_ROWS = [
    f"{n};Ana {n};a{n}@example.com;+5511912345{n:03};sim;2025-01-10;x" + ";extra" * (n % 9 == 0) for n in range(60)
]
#: Several addresses in a cell, wrong values, a contact twice, blanks, two lines in a cell.
_ODD = [
    "7;Bia;b@x.org|c@x.org;;não;;",
    "8;;nobody;;;;",
    "",
    "9;;;;perhaps;;",
    '10;"Ana\nLuz";l@x.org;;sim;2025-02-01;y;z',
]
_TEXT = _HEAD + "\n".join([*_ROWS[:30], *_ODD, *_ROWS[30:]]) + "\n"
_CONTACTS, _WRONG = 53, 10
_FIRST = (
    "from vinculo.contacts.importing import reading as r; s = r._send; r._send = lambda *b: (s(*b), exit()); r.serve()"
)


def _done(engine: sa.Engine, take: Take) -> Any:
    """What the file does to an empty database, which is empty again afterwards."""
    done = take(_TEXT, batch=16)
    found = done, Path(done.errors_file).read_bytes(), _held(engine)
    with engine.begin() as db:
        for table in (permission, consent, identifier, tag, address, alias, contact):
            db.execute(sa.delete(table))
    return found


def _serving(monkeypatch: pytest.MonkeyPatch, code: str = reading._SERVE, *, meanwhile: int = 0) -> None:
    monkeypatch.setattr(reading, "_LARGE", 0)
    monkeypatch.setattr(reading, "_MEANWHILE", meanwhile)
    monkeypatch.setattr(reading, "_SERVE", code)


def test_another_process_loads_no_more_than_reading_takes() -> None:
    asked = "import sys, vinculo.contacts.importing.reading; print({'pydantic', 'vinculo.project', 'vinculo.ledger'} & {*sys.modules})"
    ran = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    assert ran.stdout == "set()\n"


def test_another_process_reads_what_this_one_would(
    engine: sa.Engine, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = _done(engine, take)
    assert (alone[0].created, alone[0].failed) == (_CONTACTS, _WRONG)
    _serving(monkeypatch)
    monkeypatch.setattr(reading.Task, "batches", lambda _: iter(()))  # of this process
    assert _done(engine, take) == alone


def test_until_another_process_has_started_this_one_reads(
    engine: sa.Engine, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, all_of_them, own = _done(engine, take), reading.Task.batches, list[Batch]()
    _serving(monkeypatch, meanwhile=2)
    monkeypatch.setattr(reading.Task, "batches", lambda task: (own.append(each) or each for each in all_of_them(task)))
    assert _done(engine, take) == alone
    assert len(own) == 2


@pytest.mark.parametrize("meanwhile", [0, 2])
@pytest.mark.parametrize("program", [sys.executable, "/nowhere/python"])
def test_where_none_can_be_started_this_process_reads(
    engine: sa.Engine, take: Take, monkeypatch: pytest.MonkeyPatch, program: str, meanwhile: int
) -> None:
    alone = _done(engine, take)
    _serving(monkeypatch, "raise SystemExit", meanwhile=meanwhile)
    monkeypatch.setattr(sys, "executable", program)
    assert _done(engine, take) == alone


def test_when_it_is_ended_whole_batches_stay_and_the_next_import_completes_them(
    engine: sa.Engine, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        _serving(patch, _FIRST)
        with pytest.raises(NotReady, match="Import again"):
            take(_TEXT, batch=16)
    with engine.connect() as db:
        there = db.scalar(sa.select(sa.func.count()).select_from(contact)) or 0
    assert 0 < there < _CONTACTS
    again = take(_TEXT, batch=16)
    assert (again.created, again.updated) == (_CONTACTS - there, there)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_what_is_wrong_with_the_whole_file_is_told_here(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    _serving(monkeypatch)
    with pytest.raises(UsageError, match=r"people\.csv:3: a quote .* is not closed") as told:
        take('id,nome\n1,Ana\n2,"Bia\n3,Eva\n')
    assert told.value.remedy == "Close it, and import again."


def _task(tmp_path: Path, now: datetime) -> reading.Task:
    path = tmp_path / "people.csv"
    path.write_text(_TEXT)
    places = assign(_HEAD.strip().split(";"), {}, [], [])
    return reading.Task(path, Reader(places, now, "BR"), "import", 16)


def test_wherever_it_is_ended_in_a_batch_that_is_told_and_in_the_first_this_process_reads(
    tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_MEANWHILE", 0)
    task = _task(tmp_path, now)
    [first, second, *_] = alone = list(task.batches())
    one, other = pickle.dumps(first), pickle.dumps(second)
    for cut in {0, 1, 2, 9, 12, len(other) // 2, len(other) - 1}:
        assert list(reading._received(task, BytesIO(one[: min(cut, len(one) - 1)]))) == alone
        received = reading._received(task, BytesIO(one + other[:cut]))
        assert next(received) == first
        with pytest.raises(NotReady, match="was ended"):
            next(received)


def test_the_next_batch_is_taken_out_of_the_pipe_while_one_is_written(tmp_path: Path, now: datetime) -> None:
    told = pickle.dumps(Batch(position=1)) + pickle.dumps(Batch(wrong=[Wrong(2, "x" * 5_000_000, "", {})]))
    out, into = os.pipe()
    with open(out, "rb") as pipe, open(into, "wb") as end:  # noqa: PTH123 - descriptors
        writer = Thread(target=end.write, args=(told,), daemon=True)
        writer.start()
        received = reading._received(_task(tmp_path, now), pipe)
        assert next(received).position == 1
        writer.join(30)
        taken = not writer.is_alive()
        assert len(next(received).wrong[0].value) == 5_000_000
    assert taken


def test_who_ends_an_import_does_not_wait_for_what_the_other_process_reads_next(tmp_path: Path, now: datetime) -> None:
    out, into = os.pipe()
    with open(out, "rb") as pipe, open(into, "wb") as end:  # noqa: PTH123 - descriptors
        end.write(pickle.dumps(Batch(position=1)))
        end.flush()
        received = reading._received(_task(tmp_path, now), pipe)
        assert next(received).position == 1
        ending = Thread(target=received.close, daemon=True)  # type: ignore[attr-defined] # a generator
        ending.start()
        ending.join(30)
        assert not ending.is_alive()


def test_a_file_that_only_this_process_can_open_is_read_by_it(
    tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_MEANWHILE", 0)
    task = _task(tmp_path, now)
    for told in (PermissionError(13, "not yours"), UnsupportedOperation("seek"), UsageError("/dev/stdin is a pipe")):
        assert list(reading._received(task, BytesIO(pickle.dumps(told)))) == list(task.batches())
        late = reading._received(task, BytesIO(pickle.dumps(Batch()) + pickle.dumps(told)))
        assert next(late) == Batch()
        with pytest.raises(type(told)):
            next(late)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs paths of open files")
@pytest.mark.parametrize("meanwhile", [0, 2])
def test_what_a_path_means_to_this_process_alone_is_read_by_it(
    tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch, meanwhile: int
) -> None:
    """As `contacts import /dev/stdin < FILE`: to another process that is a pipe, or nothing."""
    alone = list(_task(tmp_path, now).batches())
    _serving(monkeypatch, meanwhile=meanwhile)
    for opened in ("/dev/fd/{}", "/dev/stdin"):
        with (tmp_path / "people.csv").open("rb") as file, _stdin(file.fileno()):
            task = replace(_task(tmp_path, now), path=Path(opened.format(file.fileno())))
            with reading.batches(task) as read:
                assert list(read) == alone


@contextmanager
def _stdin(descriptor: int) -> Iterator[None]:
    """Make the file that is open as *descriptor* this process's standard input."""
    before = os.dup(0)
    try:
        os.dup2(descriptor, 0)
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


def test_a_file_that_is_replaced_while_it_is_read_is_told_of(
    engine: sa.Engine, take: Take, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two processes open it, one after the other: rows of both files would pass for one."""
    _serving(monkeypatch, meanwhile=2)
    received = reading._received

    def replaced(*given: Any) -> Any:
        other = tmp_path / "other.csv"
        other.write_text(_TEXT)
        other.replace(tmp_path / "people.csv")
        return received(*given)

    monkeypatch.setattr(reading, "_received", replaced)
    with pytest.raises(NotReady, match=r"people.csv was changed while it was read\n.*again"):
        take(_TEXT, batch=16)
    monkeypatch.setattr(reading, "_received", received)
    take(_TEXT, batch=16)
    with engine.connect() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(contact)) == _CONTACTS


def test_it_runs_nothing_that_lies_in_the_folder_where_somebody_works(
    tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "decimal.py").write_text("raise SystemExit")
    task = _task(tmp_path, now)
    monkeypatch.chdir(tmp_path)
    _serving(monkeypatch, "import decimal; import pickle, sys; pickle.dump(None, sys.stdout.buffer)")
    with reading.batches(task) as read:
        assert list(read) == []
