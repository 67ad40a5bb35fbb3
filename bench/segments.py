"""Segments over a crowd: the compiler's query beside the best that a person wrote by hand on the same tables.

Each segment has several queries by hand (`bench.query`), the fastest of which counts. All run in turn, as the number
and the sum of the contacts that the query finds, and must agree in both. Seconds are those of the CPU that the database
has: on SQLite ours, on PostgreSQL its process's for our connection, which asks no other process to help. The least of
the rounds counts on either side.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa

from bench.clock import Figures
from bench.crowd import NOW, Crowd, crowd
from bench.query import SEGMENTS, by_hand
from bench.stage import ROUNDS
from vinculo import facts, history
from vinculo.db import micros
from vinculo.history import Interaction
from vinculo.model import Direction, Moment
from vinculo.segment import Segment, compile_segment

SIZE = Crowd(int(os.environ.get("CONTACTS", "1000000")), int(os.environ.get("EVENTS", "20000000")))
DATABASES = os.environ.get("DATABASES", "sqlite,postgresql").split(",")
#: Segments of which the facts alone know the answer.
OF_FACTS = ("this-week", "recent-buyers", "twice-then-silent")
_MOMENT = Moment(NOW, NOW.date())
_WHOM = "SELECT count(*), sum(contact_id) FROM ({query}) AS found"
_BATCH = 1_000
#: Of less than these seconds, reading the statement is a large part: they are shown, and not compared.
_WORTH = 0.005


def measure() -> Figures:
    """For each database: the worst `ratio`, the slowest of `facts` in milliseconds, what a fact costs an event."""
    found: Figures = {}
    for database in DATABASES:
        with crowd(SIZE, database) as engine:
            with engine.connect().execution_options(read_only=True) as db:
                raced = {name: _race(db, name) for name in SEGMENTS}
            kept = _upkeep(engine)
        for name, (ours, theirs) in raced.items():
            found[f"{database}: {name}, ms"] = 1e3 * ours
            found[f"{database}: {name}, ratio"] = ours / theirs
        found[f"{database} ratio"] = max(ours / theirs for ours, theirs in raced.values() if theirs > _WORTH)
        found[f"{database} facts"] = max(1e3 * raced[name][0] for name in OF_FACTS)
        found |= {f"{database}: {name}": value for name, value in kept.items()}
    return found


# ── questions ────────────────────────────────────────────────────────────────────────────────────────────────────
def _race(db: sa.Connection, name: str) -> tuple[float, float]:
    """The least seconds of the compiler's query, and of the fastest by hand."""
    segments = {each: Segment(name=each, who=who, currency="BRL") for each, who in SEGMENTS.items()}
    ours = compile_segment(segments, name, _MOMENT)
    queries = [str(ours.compile(dialect=db.dialect, compile_kwargs={"literal_binds": True}))]
    queries += by_hand(name, db.dialect.name, micros(NOW))
    # Written out and compiled beforehand: both sides are the database's work alone.
    asked = [_WHOM.format(query=query) for query in queries]
    taken: dict[str, list[tuple[float, tuple[int, int]]]] = {ask: [] for ask in asked}
    for number in range(ROUNDS):
        # Who is asked first finds less in the caches.
        for ask in asked if number % 2 else reversed(asked):
            taken[ask].append(_seconds(db, ask))
    assert len({found for rounds in taken.values() for _, found in rounds}) == 1, name
    least = {ask: min(seconds for seconds, _ in rounds) for ask, rounds in taken.items()}
    return least[asked[0]], min(least[ask] for ask in asked[1:])


def _seconds(db: sa.Connection, text: str) -> tuple[float, tuple[int, int]]:
    clock = _clock(db)
    since = clock()
    number, total = db.exec_driver_sql(text).one()
    return clock() - since, (number, total)


def _clock(db: sa.Connection) -> Callable[[], float]:
    """The seconds of CPU that the database has had for this connection."""
    if db.dialect.name == "sqlite":
        return time.process_time
    of_process = Path(f"/proc/{db.scalar(sa.text('SELECT pg_backend_pid()'))}/schedstat")
    return lambda: int(of_process.read_text().split()[0]) / 1e9


# ── upkeep ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _upkeep(engine: sa.Engine) -> dict[str, float]:
    """Microseconds an event: appended to the history with its fact, its fact's part, and that part of those contacts
    who did the most ÷ of those who did the least.
    """
    dice, clock = Random(3), time.process_time if engine.dialect.name == "sqlite" else time.perf_counter
    found: dict[str, list[float]] = {"an event": [], "its fact": [], "of the busiest": [], "of the idlest": []}
    with engine.connect() as db, db.begin() as change:
        busy, idle = _busiest(db, "DESC"), _busiest(db, "ASC")
        for _ in range(ROUNDS):
            rows = [_event(dice.randint(1, SIZE.contacts)) for _ in range(_BATCH)]
            found["an event"].append(_took(clock, lambda rows=rows: history.record(db, rows)))
            for name, who in (("its fact", [row.contact_id for row in rows]), ("of the busiest", busy),
                              ("of the idlest", idle)):  # fmt: skip
                lines = [(each, "purchased", micros(NOW), 1990, "BRL") for each in who]
                found[name].append(_took(clock, lambda lines=lines: facts.add(db, lines)))
        change.rollback()
    least = {name: min(values) / _BATCH * 1e6 for name, values in found.items()}
    return {
        "an event with its fact, us": least["an event"],
        "the fact alone, us": least["its fact"],
        "busiest ÷ idlest": least["of the busiest"] / least["of the idlest"],
    }


def _took(clock: Callable[[], float], work: Callable[[], Any]) -> float:
    since = clock()
    work()
    return clock() - since


def _busiest(db: sa.Connection, order: str) -> Sequence[int]:
    ask = f"SELECT contact_id FROM fact WHERE kind = 'purchased' ORDER BY count {order}, contact_id * 7919 % 1000003"
    return db.scalars(sa.text(f"{ask} LIMIT {_BATCH}")).all()


def _event(contact_id: int) -> Interaction:
    return Interaction(contact_id, NOW, Direction.IN, "purchased", amount=1990, currency="BRL", source="bench")
