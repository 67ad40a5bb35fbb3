"""R2: kill -9 before and after each step of a run, and at each phase of the handover, at the first, a middle and the
last message.

The steps are the product's own functions, wrapped from outside (worker.py); the phases are seen by the mail server.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.torture.conftest import FULL, Tally
from tests.torture.laboratory import KILLED, Laboratory
from tests.torture.worker import POINTS
from vinculo.mail.verdict import Phase
from vinculo.testing import oracle
from vinculo.testing.oracle import Taken
from vinculo.testing.smtp import SmtpSink
from vinculo.testing.store import SIGNER

FAMILY = "R2 kill -9 at a named step"
PEOPLE = 6
#: A run comes there once.
ONCE = {"plan", "load", "finish", "release"}
#: A provider that is not there: what was claimed for it is given back.
NOBODY = "smtp://127.0.0.1:1"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.torture)])
def lab(request: pytest.FixtureRequest, make_laboratory: Callable[..., Laboratory]) -> Laboratory:
    if request.param == "sqlite":
        return make_laboratory(PEOPLE)
    return make_laboratory(PEOPLE, store=request.getfixturevalue("postgres_store")(PEOPLE))


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_each_step(lab: Laboratory, point: str, tally: Tally) -> None:
    seam = point.split()[1]
    first = 1 if FULL or seam in ONCE else 2
    url = NOBODY if seam == "release" else f"{lab.sink.url}?connections=1"  # one message a group: many groups
    for number in range(first, 100 if FULL else first + 1):
        if lab.run(point=point, number=number, environ={"VINCULO__SMTP__URL": url}) != KILLED:
            assert number > first, f"no run comes to {point} so often"
            break
        tally["kills"] += 1
        doubt = lab.flight()
        lab.recover()
        tally.judged(lab.judge(doubt=doubt), f"{point} number {number}")
        lab.renew()


# ── what only the server sees ────────────────────────────────────────────────────────────────────────────────────
class Deadly(SmtpSink):
    """Kills its client when a phase comes for the nth time. `ANSWER` is between the dot and the 250."""

    def __init__(self) -> None:
        super().__init__()
        self.client = self.left = 0
        self.moment: Phase | None = None

    def next_fault(self, phase: Phase) -> str | None:
        self.left -= phase is self.moment
        if phase is self.moment and self.left == 0:
            os.kill(self.client, signal.SIGKILL)
        return super().next_fault(phase)


class Server:
    """`Deadly`, as a laboratory sees its receiver."""

    record = None

    def __init__(self, sink: Deadly) -> None:
        self.sink, self.url = sink, sink.url


@pytest.fixture
def deadly() -> Iterator[Deadly]:
    with Deadly() as sink:
        yield sink


class Watched(Laboratory):
    """A laboratory whose receiver is `Deadly`."""

    def record(self) -> list[Taken]:
        return oracle.received(self.sink.sink.received, SIGNER)


PHASES = [Phase.CONNECT, Phase.EHLO, Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.BODY, Phase.ANSWER]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("number", [pytest.param(1, marks=pytest.mark.torture), PEOPLE // 2, PEOPLE])
def test_killed_at_each_phase_of_the_handover(
    make_laboratory: Callable[..., Laboratory], deadly: Deadly, tally: Tally, phase: Phase, number: int
) -> None:
    lab = make_laboratory(PEOPLE, sink=Server(deadly), kind=Watched)
    worker = lab.spawn()
    deadly.client, deadly.moment, deadly.left = worker, phase, number
    lab.nursery.go(worker)
    ended = lab.nursery.wait(worker)[1]
    assert ended == KILLED or (phase in {Phase.CONNECT, Phase.EHLO} and number > 1)  # there are few connections
    tally["kills"] += ended == KILLED
    doubt = lab.flight()
    lab.recover()
    tally.judged(lab.judge(doubt=doubt), f"{phase} number {number}")
