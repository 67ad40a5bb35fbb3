"""On what a run's deliveries are spread, and how they end when the run is asked to stop."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from prefect.context import SyncClientContext
from prefect.exceptions import TerminationSignal
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from vinculo.errors import UsageError
from vinculo.launch import bound_to_parent
from vinculo.project.schema import PrefectSettings

#: Seconds after which a run that is asked to stop gives up what keeps others from writing. From Cancel on Prefect gives
#: it thirty: the rest is for pausing its campaign, which has to be written.
PATIENCE = 15.0
_asked = threading.Event()
_since = 0.0


@contextmanager
def pool(settings: PrefectSettings, workers: int) -> Iterator[TaskRunner[Any]]:
    """The workers, started. Threads share one client of Prefect: each would make two, at 20 ms for certificates."""
    with SyncClientContext.get_or_create(), task_runner(settings, workers) as runner:
        yield runner


def task_runner(settings: PrefectSettings, workers: int) -> TaskRunner[Any]:
    """*workers* threads, processes of this machine, or workers of a Dask cluster. The ledger is the same afterwards."""
    if settings.task_runner == "processes":
        return ProcessPoolTaskRunner(max_workers=workers, initializer=bound_to_parent)
    if settings.task_runner == "dask":
        return _dask(settings.dask_address, workers)
    return ThreadPoolTaskRunner(max_workers=workers)


def _dask(address: str, workers: int) -> TaskRunner[Any]:
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ModuleNotFoundError:
        raise UsageError("prefect.task_runner is dask, but Dask is absent", "pip install 'vinculo[dask]'") from None
    if address:
        return DaskTaskRunner(address=address)
    # One thread each: a worker is there for the sake of its own interpreter lock.
    own = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    return DaskTaskRunner(cluster_kwargs=own)


@contextmanager
def ended_early() -> Iterator[None]:
    """As `until_asked`, in the run's own process: what ends the block before its end lets deliveries end first.

    Prefect's handler of SIGTERM, which ends it, must stay where it is. A run with another in its place does not hear
    that a person has cancelled it: it is called crashed, and so is started again.
    """
    try:
        yield
    except (asyncio.CancelledError, TerminationSignal):
        _ask()
        raise


@contextmanager
def until_asked() -> Iterator[Callable[[], bool]]:
    """Within the block SIGTERM first lets deliveries end after the messages in flight, then does what it did before.

    A container that is stopped has ten seconds: enough for the answers, not for a campaign. What is not sent goes back
    to the ledger. Yields whether it was asked. In another thread than the main one, that one hears it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield _asked.is_set
        return
    before = signal.getsignal(signal.SIGTERM)

    def hear(number: int, frame: Any) -> None:
        _ask()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, hear)
    try:
        yield _asked.is_set
    finally:
        signal.signal(signal.SIGTERM, before)


def patient(*_: object) -> bool:
    """Whether this process was not asked to stop, or only just now. Prefect asks it before it tries a task again."""
    return not _asked.is_set() or time.monotonic() < _since + PATIENCE


def _ask() -> None:
    global _since
    _since = time.monotonic()
    _asked.set()
    for child in multiprocessing.active_children():  # the pool's: the signal may have come to us alone
        child.terminate()
