"""Reading a file in batches; a large one in a process of its own, so that one core reads while another writes.

That process is told what to read on its standard input, which stays open while what it draws is of use, and pickles
batches to its standard output: it is never ahead by more than a few.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from select import select
from subprocess import DEVNULL, PIPE, Popen
from typing import IO

from vinculo.contacts.importing.batch import Batch, Wrong
from vinculo.contacts.importing.file.sheet import BadRow, Chunk, Row, Sheet
from vinculo.contacts.importing.row.lot import Lot
from vinculo.contacts.importing.row.reader import Reader
from vinculo.contacts.importing.row.wholesale import Wholesale
from vinculo.contacts.importing.row.wrong import RowError
from vinculo.contacts.importing.writing.laying import Drawn
from vinculo.errors import NotReady, UsageError

#: So many rows are read at a time: as many as the processor's cache holds.
_CHUNK = 2_000
#: Files of so many bytes are worth another process, which takes half a second to start.
_LARGE = 5_000_000
#: So many batches this process reads until the other, which keeps them back, has started.
_MEANWHILE = 3
#: So many batches wait to be taken: while one is committed, others are read ahead.
_AHEAD = 2
_PIPE = 1 << 20
_SERVE = "from vinculo.contacts.importing.reading import serve; serve()"


@dataclass(frozen=True, slots=True)
class Task:
    """Read *path* as *reader* does, in batches of *size* rows. *source*: where contacts come from that say nothing.

    *draws*: with this another process also draws what new contacts are in the database.
    """

    path: Path
    reader: Reader
    source: str
    size: int
    draws: Callable[[Sequence[Lot], datetime, str], Drawn | None] | None = None

    def batches(self) -> Iterator[Batch]:
        """Read the file."""
        batch, sale = Batch(), Wholesale(self.reader, self.source)
        with Sheet(self.path) as sheet:
            for each in sheet.chunks(min(self.size, _CHUNK)) if sale.able else sheet.rows():
                rows: Iterable[Row | BadRow] = [each] if not isinstance(each, Chunk) else []
                if isinstance(each, Chunk):
                    lot, rows = sale.read(each)
                    batch.lots.append(lot)
                for row in rows:
                    self._take(row, batch)
                batch.position, batch.thousands = sheet.position, self.reader.thousands
                if len(batch) + len(batch.wrong) >= self.size:
                    yield batch
                    batch = Batch()
            batch.position, batch.thousands = sheet.position, self.reader.thousands
        yield batch

    def _take(self, row: Row | BadRow, batch: Batch) -> None:
        if isinstance(row, BadRow):
            batch.wrong.append(Wrong(row.line, row.value, row.reason, {}))
            return
        try:
            batch.drafts.append(self.reader.draft(row))
        except RowError as error:
            batch.wrong.append(Wrong(row.line, error.value, error.reason, row.cells))
            if no := self.reader.noes(row):
                batch.noes.append(no)


@contextmanager
def batches(task: Task) -> Iterator[Iterator[Batch]]:
    """The batches of *task*, read by another process if the file is large and one can be started."""
    opened = task.path.stat()
    process = _started(task) if opened.st_size >= _LARGE else None
    if process is None:
        yield task.batches()
        return
    with process:
        assert process.stdin
        assert process.stdout
        try:
            yield _read(task, opened, process.stdin, process.stdout)
        finally:
            process.kill()


def _read(task: Task, opened: os.stat_result, use: IO[bytes], pipe: IO[bytes]) -> Iterator[Batch]:
    """What this process reads while the other starts, then what that one does. Raises `NotReady` if it may have been
    another file by then.
    """
    yield from islice(task.batches(), _MEANWHILE)
    yield from _used(_received(task, pipe), use)
    with suppress(OSError):  # who took the file away has not changed it
        if _version(task.path.stat()) != _version(opened):
            raise NotReady(
                f"{task.path} was changed while it was read", "Import it again: what is there is not taken twice."
            )


def _version(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _started(task: Task) -> Popen[bytes] | None:
    try:
        # -P: else it would take for Python's own whatever lies in the folder that somebody works in.
        command = [sys.executable, "-P", "-c", _SERVE]
        process = Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, pipesize=_PIPE)
    except OSError:
        return None
    assert process.stdin
    with suppress(BrokenPipeError):  # it has ended already: `_received` sees that
        told = pickle.dumps((task, _MEANWHILE))
        os.write(process.stdin.fileno(), told)  # past the buffer: nothing is left to fail when it closes
    return process


def _used(read: Iterator[Batch], use: IO[bytes]) -> Iterator[Batch]:
    """What is *read*; closes *use* once a batch was drawn in vain."""
    for batch in read:
        yield batch
        if batch.vain:
            use.close()


def _received(task: Task, pipe: IO[bytes]) -> Iterator[Batch]:
    """What the other process reads; where it could not start, what this one does. Raises what it raised."""
    started = False
    # What comes next is taken while a batch is written: the database would wait while 5 MB go through the pipe.
    taker = ThreadPoolExecutor(1)
    try:
        coming = taker.submit(pickle.load, pipe)
        while True:
            try:
                each = coming.result()
            except (EOFError, pickle.UnpicklingError):  # it was ended between two batches, or within one
                break
            if isinstance(each, OSError | UsageError) and not started:
                break  # what the path means to this process it need not mean to another: /dev/stdin
            if isinstance(each, Exception):
                raise each
            if each is None:
                return
            started = True
            coming = taker.submit(pickle.load, pipe)
            yield each
    finally:
        taker.shutdown(wait=False)  # who ends an import does not wait for what comes next, if anything does
    if started:
        raise NotReady(
            f"The process that read {task.path} was ended", "Import again: what is there is not taken twice."
        )
    yield from islice(task.batches(), _MEANWHILE, None)


def serve() -> None:
    """Be the other process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks decides when it is enough
    gc.disable()  # as it does
    task: Task
    task, meanwhile = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own process
    end: Exception | None = None
    with suppress(BrokenPipeError), ThreadPoolExecutor(1) as writer:  # broken: nobody takes them any more
        waiting: deque[Future[None]] = deque()
        try:
            for batch in islice(task.batches(), meanwhile, None):
                if task.draws and not select([sys.stdin], [], [], 0)[0]:
                    batch.drawn = task.draws(batch.lots, task.reader.now, task.source)
                _send(batch, writer, waiting)
        except Exception as error:  # noqa: BLE001 - the process that asks raises it
            end = error
        _send(end, writer, waiting)


def _send(each: Batch | Exception | None, writer: ThreadPoolExecutor, waiting: deque[Future[None]]) -> None:
    """Have *each* written while others are read, and wait until few are *waiting*."""
    waiting.append(writer.submit(_write, pickle.dumps(each, pickle.HIGHEST_PROTOCOL)))
    while len(waiting) > _AHEAD:
        waiting.popleft().result()


def _write(told: bytes) -> None:
    sys.stdout.buffer.write(told)
    sys.stdout.buffer.flush()
