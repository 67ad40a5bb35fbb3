"""R15–R16: clocks that are wrong, jump, or are changed by law: nobody is written to twice, no occurrence happens twice."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.torture.conftest import Tally, depth
from tests.torture.laboratory import DOUBT
from vinculo.db.tables import occurrence

FAMILY = "R15-R16 clocks"
HOUR, DAY = 3600, 86_400
#: Minutes between runs that look whether something is due.
STEP = depth(120, 10)
JUMPS = [HOUR, -HOUR, DAY, -DAY, -1]


def test_r15_workers_whose_clocks_differ_by_a_day_send_each_once(make_laboratory, tally: Tally) -> None:
    lab = make_laboratory(30, environ={"VINCULO__LIMITS__BATCH": "5", "VINCULO__LIMITS__LEASE": "60"})
    job = {"at": lab.now.isoformat(), "durability": "process"}
    workers = [lab.start(skew=skew, **job) for skew in (0, HOUR, -HOUR, DAY, 0)]
    for worker in workers:
        assert lab.nursery.wait(worker)[1] == 0
    tally["faults"] += len(workers) - 2
    lab.recover(**job)
    tally.judged(lab.judge(doubt=DOUBT, one_clock=False))


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("number", [3, *[pytest.param(n, marks=pytest.mark.torture) for n in (2, 4, 5, 6, 7)]])
def test_r15_a_clock_that_jumps_in_mid_run(make_laboratory, tally: Tally, jump: int, number: int) -> None:
    lab = make_laboratory(12, environ={"VINCULO__LIMITS__BATCH": "4"})
    job = {"at": lab.now.isoformat()}
    worker = lab.start(point="after commit", number=number, signal=signal.SIGSTOP, **job)
    assert lab.nursery.wait(worker)[1] == "stopped"
    doubt = lab.flight()
    lab.clock.forward(seconds=jump)
    other = lab.start(**job)
    os.kill(worker, signal.SIGCONT)
    assert {lab.nursery.wait(worker, other)[1], lab.nursery.wait(*({worker, other} & lab.nursery.alive))[1]} == {0}
    tally["faults"] += 1
    lab.clock.forward(seconds=abs(jump))
    lab.recover(**job)
    tally.judged(lab.judge(doubt=doubt, one_clock=False), f"jump of {jump} s at commit {number}")


#: zone, the wall clock at which the campaign is due every day, the day on which the clocks change.
CHANGES = [
    ("America/Santiago", "00:00", datetime(2026, 9, 6, tzinfo=UTC)),
    ("Africa/Cairo", "00:15", datetime(2026, 4, 24, tzinfo=UTC)),
    ("Asia/Beirut", "00:00", datetime(2026, 3, 29, tzinfo=UTC)),
    ("Europe/Lisbon", "01:30", datetime(2026, 3, 29, tzinfo=UTC)),
    ("America/New_York", "01:30", datetime(2026, 11, 1, tzinfo=UTC)),
]
DAILY = """\
    kind: newsletter
    objective: keep-active
    segment: everyone
    topic: news
    channels: [email]
    template: hello
    when: {{every: day, at: "{at}", timezone: {zone}}}
"""


@pytest.mark.parametrize(("zone", "at", "day"), CHANGES)
def test_r16_a_daily_campaign_goes_out_once_a_day_through_a_change_of_clocks(
    make_laboratory, tally: Tally, zone: str, at: str, day: datetime
) -> None:
    """A run comes every so often from the day before to the day after; each local day is one occurrence."""
    lab = make_laboratory(1, files={"plan/calendar/weekly.yaml": DAILY.format(zone=zone, at=at)})
    lab.now = day - timedelta(hours=14)
    lab.renew()
    with lab.runtime() as rt:
        from vinculo import run

        for _ in range(36 * 60 // STEP):
            standing = run.standing_for(rt, rt.project.campaigns["weekly"], rt.now())
            assert standing
            run.run_occurrence(rt, rt.project.campaigns["weekly"], standing, worker="often")
            lab.clock.forward(minutes=STEP)
    tally["faults"] += 1
    with lab.read() as db:
        days = [name[:10] for name in db.scalars(sa.select(occurrence.c.occurrence).order_by("occurrence"))]
    assert len(days) == len(set(days)) >= 2
    assert f"{day:%Y-%m-%d}" in days
    tally.judged(lab.judge(doubt=0))
