"""Two machines whose clocks differ by more than a lease, on one database."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from vinculo import run
from vinculo.db.tables import delivery
from vinculo.run.entry import enter
from vinculo.run.shift import Shift
from vinculo.runtime import Clock, Runtime, open_runtime, utcnow

AHEAD = timedelta(hours=1)


def _ahead() -> datetime:
    return utcnow() + AHEAD


def test_who_sends_goes_by_the_clock_of_the_server_where_there_is_one(rt: Runtime) -> None:
    another = Runtime(rt.project, rt.engine, Clock(_ahead))
    enter(another)
    wrong = AHEAD if rt.engine.dialect.name == "sqlite" else timedelta()
    assert abs(another.now() - utcnow() - wrong) < timedelta(minutes=1)


def test_a_project_that_is_opened_goes_by_it_before_anything_is_dated(
    rt: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a yes before the first message would be dated later than the no after it."""
    monkeypatch.setenv("VINCULO__DATABASE__URL", rt.engine.url.render_as_string(hide_password=False))
    wrong = AHEAD if rt.engine.dialect.name == "sqlite" else timedelta()
    with open_runtime(rt.project.root, clock=Clock(_ahead)) as opened:
        assert abs(opened.now() - utcnow() - wrong) < timedelta(minutes=1)


def test_a_clock_that_differs_by_no_more_than_the_way_to_the_server_is_left_alone() -> None:
    stands = utcnow()
    clock = Clock(lambda: stands)
    clock.set_by(stands - timedelta(seconds=1))
    assert clock() == stands
    clock.set_by(stands - timedelta(seconds=3))
    assert clock() == stands - timedelta(seconds=3)
    clock.set_by(stands)
    assert clock() == stands


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize("wrong", [AHEAD, -AHEAD])
def test_a_worker_whose_clock_is_wrong_takes_nobody_for_dead_and_is_not_taken_for_it(
    rt: Runtime, wrong: timedelta
) -> None:
    right, other = (Runtime(rt.project, rt.engine, Clock(tell)) for tell in (utcnow, lambda: utcnow() + wrong))
    campaign = rt.project.campaigns["weekly"]
    occurrence = run.standing_for(right, campaign, right.now(), adhoc=True)
    assert occurrence
    run.begin(right, campaign, occurrence, due_now=True)
    first = Shift(other if wrong < timedelta() else right, "first", "", "", lambda: False)
    assert len(first.claim() or ()) == 20
    assert run.drain(right if wrong < timedelta() else other, worker="second") == {}
    with rt.read() as db:
        rows = set(db.execute(sa.select(delivery.c.state, delivery.c.worker, delivery.c.crashes)))
    assert rows == {("claimed", "first", 0)}
