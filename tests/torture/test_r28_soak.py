"""R28: a hundred thousand contacts, fifty kills, and no growth of memory."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from tests.torture.conftest import Tally, depth
from tests.torture.laboratory import KILLED

FAMILY = "R28 soak"
#: The last workers' memory may be so many times that of the first.
GROWTH = 1.1


@pytest.mark.torture
def test_r28_a_long_run_with_many_kills_keeps_its_memory_and_its_promise(make_laboratory, tally: Tally) -> None:
    people, kills = depth(2000, 100_000, "PEOPLE"), depth(5, 50, "KILLS")
    lab = make_laboratory(people)
    chance = random.Random(28)
    peaks: list[int] = []
    doubt = 0
    for number in range(1, kills + 1):
        worker = lab.start(durability="process")
        goal = number * people // (kills + 1) + chance.randrange(people // (4 * kills))
        lab.await_messages(goal, [worker])
        peaks.append(_peak(worker))
        os.kill(worker, signal.SIGKILL)
        tally["kills"] += lab.nursery.wait(worker)[1] == KILLED
        doubt += lab.flight(worker)
        lab.clock.forward(hours=1)
    lab.recover(durability="process")
    tally.judged(lab.judge(doubt=doubt))
    assert tally["kills"] == kills
    early, late = sorted(peaks[: kills // 3]), sorted(peaks[-(kills // 3) :])
    assert late[len(late) // 2] <= GROWTH * early[len(early) // 2], peaks


def _peak(worker: int) -> int:
    """The most memory that the process ever had, in KB."""
    lines = Path(f"/proc/{worker}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
