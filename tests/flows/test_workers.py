"""On what deliveries are spread is a setting, and a run that is asked to stop stops."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.exceptions import TerminationSignal
from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

from flows import send, workers
from tests.flows.conftest import SECRET, lay_project
from vinculo.db import connect, transaction, upgrade
from vinculo.errors import NotReady
from vinculo.project.schema import PrefectSettings
from vinculo.runtime import utcnow
from vinculo.testing import store


@pytest.fixture(autouse=True)
def _unasked() -> Iterator[None]:
    yield
    workers._asked.clear()


def test_threads_processes_and_dask_are_choices_of_the_settings() -> None:
    from prefect_dask import DaskTaskRunner

    threads = workers.task_runner(PrefectSettings(), 3)
    assert isinstance(threads, ThreadPoolTaskRunner)
    assert threads._max_workers == 3
    processes = workers.task_runner(PrefectSettings(task_runner="processes"), 3)
    assert isinstance(processes, ProcessPoolTaskRunner)
    assert processes._max_workers == 3
    dask = workers.task_runner(PrefectSettings(task_runner="dask"), 3)
    assert isinstance(dask, DaskTaskRunner)
    assert dask.cluster_kwargs["n_workers"] == 3
    there = workers.task_runner(PrefectSettings(task_runner="dask", dask_address="tcp://dask:8786"), 3)
    assert isinstance(there, DaskTaskRunner)
    assert there.address == "tcp://dask:8786"


def test_sigterm_stops_deliveries_first_and_then_does_what_it_did_before() -> None:
    heard: list[bool] = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append(workers._asked.is_set()))
    try:
        with workers.until_asked() as asked:
            assert not asked()
            os.kill(os.getpid(), signal.SIGTERM)
            assert asked()
        assert heard == [True]
        workers._asked.clear()
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard == [True, False]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_thread_hears_of_it_from_the_main_thread() -> None:
    inside, go, seen = threading.Event(), threading.Event(), []

    def deliver() -> None:
        with workers.until_asked() as asked:
            inside.set()
            go.wait(10)
            seen.append(asked())

    thread = threading.Thread(target=deliver)
    thread.start()
    inside.wait(10)
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with workers.until_asked():
            os.kill(os.getpid(), signal.SIGTERM)
            go.set()
            thread.join(10)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [True]


def test_a_plan_is_given_up_only_some_time_after_its_run_was_asked_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    assert workers.patient()
    with pytest.raises(TerminationSignal), workers.ended_early():
        raise TerminationSignal(signal.SIGTERM)
    assert workers.patient()
    monkeypatch.setattr(workers, "PATIENCE", 0.0)
    assert not workers.patient()


def test_a_plan_hears_that_its_run_is_asked_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    planning, heard = threading.Event(), threading.Event()

    def plan(*_: object, **__: object) -> None:
        planning.set()
        if workers._asked.wait(20):
            heard.set()

    async def cancelled() -> None:
        run = asyncio.create_task(send.send({"name": "weekly"}, utcnow()))
        assert await asyncio.to_thread(planning.wait, 20)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    monkeypatch.setattr(send, "plan", plan)
    asyncio.run(cancelled())
    assert heard.is_set()


def test_a_plan_that_is_given_up_plans_nobody_and_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VINCULO__DATABASE__URL", f"sqlite:///{tmp_path / 'vinculo.db'}")
    monkeypatch.setenv("VINCULO__SECRET_KEY", SECRET)
    monkeypatch.setattr(transaction, "_STEPS", 100)
    monkeypatch.setattr(workers, "PATIENCE", 0.0)
    engine = connect(f"sqlite:///{tmp_path / 'vinculo.db'}")
    upgrade(engine)
    with engine.begin() as db:
        store.add_contact(db, key="ana", email="ana@e.org", consent=["news"])
    workers._ask()
    definition = store.campaign(segment="active", template="weekly-news").model_dump(mode="json", by_alias=True)
    with pytest.raises(NotReady, match="given up"):
        send.plan.fn(definition, utcnow(), adhoc=True)
    assert not send.plan.retry_condition_fn(send.plan, None, None)
    workers._asked.clear()
    assert send.plan.retry_condition_fn(send.plan, None, None)
    assert send.plan.fn(definition, utcnow(), adhoc=True)["contacts"] == 1
