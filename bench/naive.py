"""The engine against the naive loop by CPU a message. Start-up is left out: both are slopes between two sizes."""

from __future__ import annotations

from collections import defaultdict

from bench import rival
from bench.clock import Figures, ratios, spent
from bench.stage import CONTACTS, ROUNDS, smtp, stage
from vinculo.testing.postfix import PostfixSink

#: The sizes between which the slopes are taken.
NAIVE, ENGINE = (20, 120), (CONTACTS // 10, CONTACTS)


def measure() -> Figures:
    """`ratio` is the naive loop's CPU a message by ours, both through SMTP into smtp-sink, planning included."""
    found: dict[str, list[float]] = defaultdict(list)
    with PostfixSink() as sink:
        for _ in range(ROUNDS):
            few, many = (rival.loop(sink, number) for number in NAIVE)
            found["naive cpu"].append((many - few) / (NAIVE[1] - NAIVE[0]) * 1e6)
            found["engine cpu"].append(_engine(sink))
    return {**found, "ratio": ratios(found["naive cpu"], found["engine cpu"])}


def _engine(sink: PostfixSink) -> float:
    """CPU microseconds of one more message."""
    sent: list[int] = []
    cpu: list[float] = []
    for size in ENGINE:
        with stage(size, smtp(sink.url)) as on:
            cpu.append(spent(lambda on=on: sent.append(on.send())).cpu)  # type: ignore[misc]
    return (cpu[1] - cpu[0]) / (sent[1] - sent[0]) * 1e6
