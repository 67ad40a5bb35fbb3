"""The whole path against smtp-source: same bytes, same smtp-sink, in turn. From segment to history, durable."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from bench import rival
from bench.clock import Figures, ratios, spent
from bench.letter import letters
from bench.stage import CONTACTS, ROUNDS, smtp, stage
from vinculo.testing.postfix import PostfixSink


def measure() -> Figures:
    """`ratio` is our messages a second by smtp-source's, from planning to the finished occurrence."""
    found: dict[str, list[float]] = defaultdict(list)
    with PostfixSink() as sink, tempfile.TemporaryDirectory() as folder:
        message = rival.as_file(letters(1)[0].mime, Path(folder) / "message")
        ways: list[Callable[[], dict[str, float]]] = [lambda: _ours(sink), lambda: _theirs(sink, message)]
        for number in range(ROUNDS):
            for way in ways if number % 2 else reversed(ways):  # who begins alternates
                for name, value in way().items():
                    found[name].append(value)
    return {
        **found,
        "ratio": ratios(found["rate"], found["smtp-source rate"]),
        "ratio without planning": ratios(found["drain rate"], found["smtp-source rate"]),
        "bytes": message_size(),
    }


def message_size() -> float:
    """Octets of one message."""
    return float(len(letters(1)[0].mime))


def _theirs(sink: PostfixSink, message: Path) -> dict[str, float]:
    took = rival.source(sink, message, CONTACTS)
    return {
        "smtp-source rate": CONTACTS / took.wall,
        "smtp-source cpu": took.cpu / CONTACTS * 1e6,
        "smtp-source sink cpu": took.other / CONTACTS * 1e6,
    }


def _ours(sink: PostfixSink) -> dict[str, float]:
    with stage(CONTACTS, smtp(sink.url)) as on:
        plan = spent(on.plan)
        drain = spent(on.drain, sink.pid)
        finish = spent(on.finish)
        sent = on.finish()["accepted"]
    wall, cpu = plan.wall + drain.wall + finish.wall, plan.cpu + drain.cpu + finish.cpu
    return {
        "rate": sent / wall,
        "drain rate": sent / drain.wall,
        "cpu": cpu / sent * 1e6,
        "plan cpu": plan.cpu / sent * 1e6,
        "drain cpu": drain.cpu / sent * 1e6,
        "sink cpu": drain.other / sent * 1e6,
    }
