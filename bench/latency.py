"""A server whose answers take 50 ms: how near we come to one message a round trip on each of 128 connections.

Three times as many messages as elsewhere: opening the connections takes some ten round trips, which are not measured
here, and of a send to 20,000 they are a sixteenth.
"""

from __future__ import annotations

from collections import defaultdict

from bench import connector
from bench.clock import Figures, spent
from bench.delay import Far
from bench.letter import letters
from bench.stage import CONTACTS, ROUNDS, stage
from vinculo.testing.postfix import PostfixSink

SECONDS, CONNECTIONS = 0.05, 128
MESSAGES = 3 * CONTACTS
#: Messages a second that one round trip each allows.
LIMIT = CONNECTIONS / SECONDS


def measure() -> Figures:
    """`ratio` is the path’s rate by connections ÷ round trip, connecting included; `connector` the connector’s."""
    found: dict[str, list[float]] = defaultdict(list)
    some = letters(200)
    messages = [some[number % len(some)] for number in range(MESSAGES)]
    with PostfixSink("-m", "400") as sink, Far(sink.port, SECONDS) as far:
        url = f"{far.url}?connections={CONNECTIONS}&pipeline=full"
        for _ in range(ROUNDS):
            alone = spent(lambda: connector.send(url, messages))
            found["connector"].append(len(messages) / alone.wall / LIMIT)
            with stage(MESSAGES, url) as on:
                on.plan()
                took = spent(on.drain)
                sent = on.finish()["accepted"]
            found["ratio"].append(sent / took.wall / LIMIT)
            found["cpu"].append(took.cpu / sent * 1e6)
    return dict(found)
