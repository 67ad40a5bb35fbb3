"""R8: two to eight processes plan and send the same occurrence at once. R9: a worker sleeps through its lease."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.torture.conftest import Tally, depth
from tests.torture.laboratory import Laboratory

FAMILY = "R8-R9 many at once, one asleep"
LEASE = {"VINCULO__LIMITS__LEASE": "60"}
DOUBT = 12


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.torture)])
def make(request: pytest.FixtureRequest, make_laboratory: Callable[..., Laboratory]) -> Callable[..., Laboratory]:
    if request.param == "sqlite":
        return make_laboratory
    store = request.getfixturevalue("postgres_store")
    return lambda people, **more: make_laboratory(people, store=store(people), **more)


@pytest.mark.parametrize("workers", [2, 8])
def test_r8_any_number_of_processes_send_each_once(make, tally: Tally, workers: int) -> None:
    people = depth(80, 2000)
    lab = make(people)
    alive = [lab.spawn(durability="process", environ={"VINCULO__LIMITS__BATCH": "10"}) for _ in range(workers)]
    for worker in alive:
        lab.nursery.go(worker)
    assert [lab.nursery.wait(worker)[1] for worker in alive] == [0] * workers
    tally["faults"] += workers - 1
    tally.judged(lab.judge(doubt=0))
    assert lab.count("accepted") == people


STOPS = ["after claim", "before submit", "after submit", "after begin", "after commit", "before settle", "after settle"]


@pytest.mark.parametrize("point", STOPS)
@pytest.mark.parametrize(
    "number", [2, pytest.param(3, marks=pytest.mark.torture), pytest.param(5, marks=pytest.mark.torture)]
)
def test_r9_a_worker_that_wakes_up_after_its_lease_sends_nothing_that_others_sent(
    make, tally: Tally, point: str, number: int
) -> None:
    """Stopped inside a transaction it would hold SQLite's lock: those points are left to PostgreSQL."""
    people = 12
    lab = make(people, environ=LEASE | {"VINCULO__LIMITS__BATCH": "4"})
    if lab.url.startswith("sqlite") and point != "after commit":
        point = "before begin"
    sleeper = lab.start(point=point, number=number, signal=signal.SIGSTOP)
    if lab.nursery.wait(sleeper)[1] != "stopped":
        pytest.skip("it never comes there so often")
    tally["faults"] += 1
    lab.clock.forward(seconds=120)
    assert lab.run() == 0
    os.kill(sleeper, signal.SIGCONT)
    assert lab.nursery.wait(sleeper)[1] == 0
    lab.recover()
    tally.judged(lab.judge(doubt=DOUBT), f"asleep {point} number {number}")
