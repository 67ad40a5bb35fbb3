"""R1: kill -9 at every system call that makes something durable, or tells the server something.

strace kills the worker at the Nth `fdatasync`, `pwrite64` … of its life, for N = 1 until it comes through alive.
"""

from __future__ import annotations

import pytest

from tests.torture.conftest import FULL, Tally
from tests.torture.laboratory import KILLED, Laboratory

FAMILY = "R1 kill -9 at a system call"
CALLS = ["fdatasync", "pwrite64", "write", "sendmsg", "recvfrom", "close"]
#: In `make test` every so many calls one is taken.
STRIDE = {"pwrite64": 43, "recvfrom": 17, "sendmsg": 11, "close": 31, "fdatasync": 11, "write": 7}


@pytest.mark.parametrize("call", CALLS)
def test_killed_at_each_call_on_sqlite(strace: None, make_laboratory, tally: Tally, call: str) -> None:
    _each(make_laboratory(), call, 1 if FULL else STRIDE[call], tally)


@pytest.mark.parametrize(
    "call", ["sendto", *[pytest.param(c, marks=pytest.mark.torture) for c in ("recvfrom", "close")]]
)
def test_killed_at_each_call_on_postgresql(
    strace: None, make_laboratory, postgres_store, tally: Tally, call: str
) -> None:
    _each(make_laboratory(store=postgres_store(4)), call, 1 if FULL else 127, tally)


def _each(lab: Laboratory, call: str, stride: int, tally: Tally) -> None:
    moment = 1
    while lab.traced(f"{call}:signal=KILL:when={moment}") == KILLED:
        tally["kills"] += 1
        doubt = lab.flight()
        lab.recover()
        tally.judged(lab.judge(doubt=doubt), f"killed at {call} number {moment}")
        lab.renew()
        moment += stride
    tally.judged(lab.judge(doubt=0), f"{call}: not killed")
    assert tally["kills"], f"no worker calls {call}"
