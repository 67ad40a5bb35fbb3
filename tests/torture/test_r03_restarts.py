"""R3: three workers are killed at random and started again, over and over, while they send."""

from __future__ import annotations

import os
import random
import signal

from tests.torture.conftest import Tally, depth
from tests.torture.laboratory import DOUBT, KILLED

FAMILY = "R3 random kills, three workers"


def test_killed_at_random_and_started_again(make_laboratory, tally: Tally) -> None:
    kills = depth(12, 300, "KILLS")
    lab = make_laboratory(depth(200, 2000))
    chance = random.Random(depth(1, 1, "SEED"))
    workers = [lab.start(durability="process") for _ in range(3)]
    while tally["kills"] < kills and workers:
        _pass_time(lab, chance)
        victim = chance.choice(workers)
        os.kill(victim, signal.SIGKILL)
        ended, status = lab.nursery.wait(victim)
        workers.remove(ended)
        tally["kills"] += status == KILLED
        workers.append(lab.start(durability="process"))
    for worker in workers:
        lab.nursery.wait(worker)
    lab.recover(durability="process")
    tally.judged(lab.judge(doubt=DOUBT * tally["kills"]))


def _pass_time(lab, chance: random.Random) -> None:
    """Until so many more messages have reached the server; the leases of the dead end now and then."""
    goal = len(list(lab.sink.record.iterdir())) + chance.randrange(8)
    while len(list(lab.sink.record.iterdir())) < goal and lab.count("planned", "claimed", "submitting", "deferred"):
        lab.clock.forward(seconds=chance.choice([0, 1, 30]))
    lab.clock.forward(minutes=chance.choice([0, 1, 15]))
