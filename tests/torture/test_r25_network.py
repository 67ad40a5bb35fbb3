"""R25: the network loses packets, delays them, lets them overtake each other, and is cut in the middle of a run."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.torture import link
from tests.torture.conftest import Tally, depth
from tests.torture.laboratory import Laboratory
from tests.torture.worker import NOT_READY
from vinculo.testing import oracle
from vinculo.testing.oracle import Taken
from vinculo.testing.postfix import PostfixSink, tool
from vinculo.testing.store import SIGNER

FAMILY = "R25 network"


class FarSink(PostfixSink):
    """`smtp-sink` at the far end of the wire."""

    def __init__(self, end: str, *options: str, record: Path) -> None:
        super().__init__(*options, record=record, host=link.ADDRESSES[1])
        self.end, self.port = end, 2525

    def _command(self, binary: Path) -> Sequence[str]:
        return ["ip", "netns", "exec", self.end, *super()._command(binary)]

    def _wait(self) -> None:
        until = time.monotonic() + 10
        while not link.connected(self.end, self.host, self.port):
            assert time.monotonic() < until, "smtp-sink does not start"


class Far(Laboratory):
    """A laboratory whose receiver is at the far end of the wire."""

    sink: Any

    def record(self) -> list[Taken]:
        link.inside(self.sink.end, self._visit)
        return oracle.mails(self.sink.messages(), SIGNER)

    def _visit(self) -> None:
        with smtplib.SMTP(self.sink.host, self.sink.port) as witness:
            for _ in range(3):
                witness.ehlo("witness.example")


CASES: dict[str, dict[str, Any]] = {
    "one packet in ten is lost": {"loss": 0.1},
    "they are late and overtake each other": {"delay": 0.02},
    "lost and late": {"loss": 0.05, "delay": 0.02},
    "cut at once": {"cut": (3, 3.0)},
    "cut in the first message": {"cut": (14, 3.0)},
    "cut in mid-run": {"cut": (60, 3.0)},
    "cut late, and lossy": {"cut": (90, 3.0), "loss": 0.03},
}
SHORT = {"cut in mid-run"}


@pytest.mark.parametrize(
    "case", [case if case in SHORT else pytest.param(case, marks=pytest.mark.torture) for case in CASES]
)
def test_r25_a_bad_network_makes_nobody_get_it_twice(make_laboratory, tmp_path: Path, tally: Tally, case: str) -> None:
    if not link.possible() or tool("smtp-sink") is None:
        pytest.skip("this user may make no networks here, or there is no smtp-sink")
    people = depth(20, 100)
    with link.network(**CASES[case]) as (near, far), FarSink(far, record=tmp_path / "far") as sink:
        lab = make_laboratory(people, sink=sink, kind=Far)
        timeout = {"VINCULO__SMTP__URL": f"{sink.url}?timeout=1&connections=2"}
        for _ in range(10):
            assert lab.run(netns=near, environ=timeout) in {0, NOT_READY}
            tally["faults"] += 1
            lab.clock.forward(minutes=45)
            if not lab.count("planned", "deferred", "claimed", "submitting"):
                break
        tally.judged(lab.judge(doubt=people))
        assert lab.count("accepted", "in_doubt") == people
