"""The SMTP connector alone against smtp-source: messages rendered before, nothing durable."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import rival
from bench.clock import Figures, ratios, spent
from bench.letter import letters
from bench.stage import CONTACTS, ROUNDS
from connectors.smtp import Smtp
from vinculo.connector import Receipt
from vinculo.model import Message
from vinculo.testing.postfix import PostfixSink

#: As many connections as smtp-source has.
OPTIONS = f"connections={rival.SESSIONS}&pipeline=full"


def measure() -> Figures:
    """`ratio` is our messages a second by smtp-source's."""
    found: dict[str, list[float]] = defaultdict(list)
    some = letters(200)
    messages = [some[number % len(some)] for number in range(CONTACTS)]
    with PostfixSink() as sink, tempfile.TemporaryDirectory() as folder:
        message = rival.as_file(some[0].mime, Path(folder) / "message")
        ways: list[Callable[[], dict[str, float]]] = [
            lambda: _ours(sink, messages),
            lambda: _theirs(sink, message),
        ]
        for number in range(ROUNDS):
            for way in ways if number % 2 else reversed(ways):
                for name, value in way().items():
                    found[name].append(value)
    return {**found, "ratio": ratios(found["rate"], found["smtp-source rate"])}


def _theirs(sink: PostfixSink, message: Path) -> dict[str, float]:
    took = rival.source(sink, message, CONTACTS)
    return {"smtp-source rate": CONTACTS / took.wall, "smtp-source cpu": took.cpu / CONTACTS * 1e6}


def _ours(sink: PostfixSink, messages: Sequence[Message]) -> dict[str, float]:
    took = spent(lambda: send(f"{sink.url}?{OPTIONS}", messages), sink.pid)
    number = len(messages)
    return {
        "rate": number / took.wall,
        "cpu": took.cpu / number * 1e6,
        "sink cpu": took.other / number * 1e6,
    }


def send(url: str, messages: Sequence[Message]) -> None:
    """Hand all over; everyone must be taken."""
    taken = 0
    with Smtp(url) as connector:
        for _, outcome in connector.send_many(iter(messages)):
            assert isinstance(outcome, Receipt), outcome
            taken += 1
    assert taken == len(messages)
