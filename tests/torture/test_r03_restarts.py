"""R3: three workers are killed at random and started again, over and over, while they send."""

from __future__ import annotations

import os
import random
import signal

from tests.torture.conftest import Tally, depth
from tests.torture.laboratory import KILLED, Laboratory, alive

FAMILY = "R3 random kills, three workers"


def test_killed_at_random_and_started_again(make_laboratory, tally: Tally) -> None:
    kills, people = depth(12, 300, "KILLS"), depth(200, 2000)
    lab = make_laboratory(people, environ={"VINCULO__LIMITS__BATCH": "20"})
    chance = random.Random(depth(3, 3, "SEED"))
    while tally["kills"] < kills:  # a story ends when everybody was written to, then another begins
        doubt = _tell(lab, chance, tally, kills)
        lab.recover(durability="process")
        tally.judged(lab.judge(doubt=doubt))
        lab.renew()


def _tell(lab: Laboratory, chance: random.Random, tally: Tally, kills: int) -> int:
    """Let three workers send, and kill one after the other, each soon replaced, up to *kills* in all.

    Returns how many rows the dead were handing over.
    """
    workers: list[int] = []
    doubt = 0
    while tally["kills"] < kills and (not workers or lab.count("planned", "claimed", "submitting", "deferred")):
        workers += [lab.start(durability="process") for _ in range(3 - len(workers))]
        there = lab.await_messages(0, [])
        lab.await_messages(there + 1 + chance.randrange(1 + 2 * lab.people // kills), workers)
        victim = chance.choice(workers)
        os.kill(victim, signal.SIGKILL)
        tally["kills"] += lab.nursery.wait(victim)[1] == KILLED
        doubt += lab.flight(victim)
        workers = [worker for worker in workers if worker != victim and _lives(lab, worker)]
        lab.clock.forward(minutes=chance.choice([0, 1, 15]))
    for worker in workers:
        lab.nursery.wait(worker)
    return doubt


def _lives(lab: Laboratory, worker: int) -> bool:
    """One that has nothing to do ends by itself, well."""
    return alive(worker) or lab.nursery.wait(worker)[1] != 0
