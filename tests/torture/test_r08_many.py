"""R8: two to eight processes plan and send the same occurrence at once. R9: a worker sleeps through its lease."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from tests.torture.conftest import Tally, depth
from tests.torture.laboratory import Laboratory
from vinculo.db.tables import delivery

FAMILY = "R8-R9 many at once, one asleep"
#: It holds its first claim, and no lock.
AFTER_CLAIM = {"point": "before load", "number": 1, "signal": signal.SIGSTOP}
#: The transaction that marks first: before it nothing is in hand that could be sent too late, and at its end all of it.
FIRST = 6
LEASE = {"VINCULO__LIMITS__LEASE": "60"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.torture)])
def make(request: pytest.FixtureRequest, make_laboratory: Callable[..., Laboratory]) -> Callable[..., Laboratory]:
    if request.param == "sqlite":
        return make_laboratory
    store = request.getfixturevalue("postgres_store")
    return lambda people, **more: make_laboratory(people, store=store(people), **more)


@pytest.mark.parametrize("workers", [2, 8])
def test_r8_any_number_of_processes_send_each_once(make, tally: Tally, workers: int) -> None:
    """Each has planned it, and holds its first claim, before any of them sends."""
    people = depth(120, 2000)
    lab = make(people, environ={"VINCULO__LIMITS__BATCH": "10"})
    alive = [lab.spawn(durability="process", **AFTER_CLAIM) for _ in range(workers)]
    for worker in alive:
        lab.nursery.go(worker)
    assert [lab.nursery.wait(worker)[1] for worker in alive] == ["stopped"] * workers
    for worker in alive:
        os.kill(worker, signal.SIGCONT)
    assert [lab.nursery.wait(worker)[1] for worker in alive] == [0] * workers
    tally["faults"] += workers - 1
    tally.judged(lab.judge(doubt=0))
    assert lab.count("accepted") == people
    with lab.read() as db:
        assert set(db.scalars(sa.select(delivery.c.worker))) == set(map(str, alive))


#: Stopped inside a transaction it would hold SQLite's lock: those points are PostgreSQL's.
STOPS = {
    "sqlite": ["before begin", "after commit"],
    "postgresql": ["after claim", "before submit", "after submit", "after begin", "after commit", "before settle"],
}
CASES = [
    pytest.param(kind, point, number, marks=() if kind == "sqlite" and number < 8 else pytest.mark.torture)
    for kind, points in STOPS.items()
    for point in points
    for number in ((FIRST, 7, 8) if point.split()[1] in {"begin", "commit"} else (2, 3, 4))
]


@pytest.mark.parametrize(("kind", "point", "number"), CASES)
def test_r9_a_worker_that_wakes_up_after_its_lease_sends_nothing_that_others_sent(
    request: pytest.FixtureRequest, make_laboratory, tally: Tally, kind: str, point: str, number: int
) -> None:
    people = 24  # answers are settled several claims at once: so that the fifth time comes
    store = request.getfixturevalue("postgres_store")(people) if kind == "postgresql" else None
    lab = make_laboratory(people, store=store, environ=LEASE | {"VINCULO__LIMITS__BATCH": "2"})
    sleeper = lab.start(point=point, number=number, signal=signal.SIGSTOP)
    assert lab.nursery.wait(sleeper)[1] == "stopped"
    tally["faults"] += 1
    doubt = lab.flight()
    lab.clock.forward(seconds=120)
    assert lab.run() == 0
    before = {one.delivery for one in lab.record()}
    os.kill(sleeper, signal.SIGCONT)
    assert lab.nursery.wait(sleeper)[1] == 0
    late = {one.delivery for one in lab.record()} - before
    with lab.read() as db:
        fences = dict(db.execute(sa.select(delivery.c.id, delivery.c.fence)).all())
    # Later the connector has some that may be on their way. What never left it gives back, and may claim anew.
    assert number != FIRST or all(fences[one] > 1 for one in late)
    lab.recover()
    tally.judged(lab.judge(doubt=doubt), f"asleep {point} number {number}")
