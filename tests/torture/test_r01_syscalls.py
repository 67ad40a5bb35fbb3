"""R1: kill -9 at every system call that makes something durable, or tells the server something.

strace kills the worker at the Nth `fdatasync`, `pwrite64` … of its life, for N = 1 until it comes through alive.
"""

from __future__ import annotations

import pytest

from tests.torture.conftest import FULL, Tally
from tests.torture.laboratory import KILLED, Laboratory

FAMILY = "R1 kill -9 at a system call"
#: How many rows may be in doubt after one kill: what the connector holds, and half as many marked ahead.
DOUBT = 12
CALLS = {
    "sqlite": ["fdatasync", "pwrite64", "write", "sendto", "recvfrom", "close"],
    "postgresql": ["sendto", "recvfrom", "close"],
}
#: In `make test` every so many calls one is taken.
STRIDE = {"pwrite64": 37, "recvfrom": 13, "sendto": 13, "close": 23, "fdatasync": 7, "write": 5}


@pytest.mark.parametrize("call", CALLS["sqlite"])
def test_killed_at_each_call_on_sqlite(strace: None, make_laboratory, tally: Tally, call: str) -> None:
    _each(make_laboratory(), call, 1 if FULL else STRIDE[call], tally)


@pytest.mark.parametrize("call", CALLS["postgresql"])
def test_killed_at_each_call_on_postgresql(
    strace: None, make_laboratory, postgres_store, tally: Tally, call: str
) -> None:
    _each(make_laboratory(store=postgres_store(4)), call, 1 if FULL else 97, tally)


def _each(lab: Laboratory, call: str, stride: int, tally: Tally) -> None:
    moment = 1
    while lab.traced(f"{call}:signal=KILL:when={moment}") == KILLED:
        tally["kills"] += 1
        lab.recover()
        tally.judged(lab.judge(doubt=DOUBT), f"killed at {call} number {moment}")
        lab.renew()
        moment += stride
    tally.judged(lab.judge(doubt=0), f"{call}: not killed")
