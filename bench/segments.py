"""Segments over a crowd: the compiler's query beside the best that a person wrote by hand on the same tables.

Each segment has several queries by hand (`bench.query`), the fastest of which counts. All run in turn, as the number
and the sum of the contacts that the query finds, and must agree in both. Seconds are those of the CPU that the database
has: on SQLite ours, on PostgreSQL its process's for our connection, which asks no other process to help. A trial goes
before the rounds and brings what is read into the caches; a query by hand that takes ten times ours in it is stopped
and not asked again, for one database would be days about what is fast on the other. The least of trial and rounds
counts on either side.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
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
#: The same people's first hundredth, with as many events each: a batch of theirs costs the same in either history.
HUNDREDTH = Crowd(SIZE.contacts // 100, SIZE.events // 100)
#: Segments of which the facts alone know the answer.
OF_FACTS = ("this-week", "recent-buyers", "twice-then-silent")
_MOMENT = Moment(NOW, NOW.date())
_WHOM = "SELECT count(*), sum(contact_id) FROM ({query}) AS found"
_BATCH = 1_000
#: Of less than these seconds, reading the statement is a large part: they are shown, and not compared.
_WORTH = 0.005
#: So many seconds a query by hand may always take, and so many each is asked for, one round or more.
_PATIENCE, _SOUGHT = 0.5, 2


def measure() -> Figures:
    """For each database: the worst `ratio`, the slowest of `facts` in milliseconds, what a fact costs an event, and
    that cost ÷ the same in a history of a hundredth.
    """
    found: Figures = {}
    for database in DATABASES:
        with crowd(SIZE, database) as engine:
            with engine.connect().execution_options(read_only=True) as db:
                if database == "postgresql":
                    db.execute(sa.text("SET max_parallel_workers_per_gather = 0"))
                    db.commit()
                raced = {name: _race(db, name) for name in SEGMENTS}
            large = _upkeep(engine, HUNDREDTH.contacts)
        with crowd(HUNDREDTH, database) as engine:
            kept = _kept(large, _upkeep(engine, HUNDREDTH.contacts))
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
    taken = {asked[0]: [_seconds(db, asked[0])]}
    patience = max(10 * taken[asked[0]][0][0], _PATIENCE)
    taken |= {ask: [tried] for ask in asked[1:] if (tried := _within(db, ask, patience))}
    # What is short is asked more often: a least is known by the seconds that it was looked for.
    for number in range(max(ROUNDS, min(20, int(_SOUGHT / taken[asked[0]][0][0])))):
        # Who is asked first finds less in the caches.
        for ask in list(taken) if number % 2 else reversed(taken):
            taken[ask].append(_seconds(db, ask))
    assert len({found for rounds in taken.values() for _, found in rounds}) == 1, name
    ours_least, *least = (min(seconds for seconds, _ in rounds) for rounds in taken.values())
    return ours_least, min(least, default=patience)


def _within(db: sa.Connection, text: str, patience: float) -> tuple[float, tuple[int, int]] | None:
    """As `_seconds`; None when it is stopped because it has taken more than *patience*."""
    driver: Any = db.connection.driver_connection
    clock, done = _clock(db), threading.Event()
    stop, until = driver.interrupt if db.dialect.name == "sqlite" else driver.cancel, clock() + patience

    def watch() -> None:
        while not done.wait(0.05):
            if clock() > until:
                stop()

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        return _seconds(db, text)
    except sa.exc.OperationalError:
        if clock() < until:
            raise
        db.rollback()
        return None
    finally:
        done.set()
        watching.join()


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
def _upkeep(engine: sa.Engine, contacts: int) -> dict[str, float]:
    """The least microseconds of CPU, ours and the database's, for an event of one of the first *contacts*: appended to
    the history with its fact; its fact's part, and that part of who did the most and of who did the least; the fact
    changed by hand.
    """
    dice, least = Random(3), dict[str, float]()
    with engine.connect() as db, db.begin() as change:
        busy, idle = _busiest(db, "DESC"), _busiest(db, "ASC")
        for _ in range(ROUNDS):
            rows = [_event(dice.randint(1, contacts)) for _ in range(_BATCH)]
            who = [row.contact_id for row in rows]
            works: dict[str, Callable[[], Any]] = {
                "an event": partial(history.record, db, rows),
                "a fact": partial(facts.add, db, [_line(each) for each in who]),
                "by hand": partial(db.execute, _BY_HAND, [{"contact": each, "at": micros(NOW)} for each in who]),
                "busiest": partial(facts.add, db, [_line(each) for each in busy]),
                "idlest": partial(facts.add, db, [_line(each) for each in idle]),
            }
            for name, work in works.items():
                least[name] = min(_took(db, work), least.get(name, 1e9))
        change.rollback()
    return {name: seconds / _BATCH * 1e6 for name, seconds in least.items()}


#: What somebody would write who knows that events come one after the other.
_BY_HAND = sa.text(f"""
INSERT INTO fact VALUES (:contact, 'purchased', 1, 1990, 'BRL', :at, {", ".join([str(facts.NEVER)] * 4)})
ON CONFLICT (contact_id, kind) DO UPDATE SET count = fact.count + 1, amount = fact.amount + excluded.amount,
  at_5 = fact.at_4, at_4 = fact.at_3, at_3 = fact.at_2, at_2 = fact.at_1, at_1 = excluded.at_1
""")


def _kept(large: dict[str, float], small: dict[str, float]) -> dict[str, float]:
    return {
        "an event with its fact, us": large["an event"],
        "the fact alone, us": large["a fact"],
        "the fact ÷ by hand": large["a fact"] / large["by hand"],
        "busiest ÷ idlest": large["busiest"] / large["idlest"],
        "a batch ÷ at a hundredth": large["a fact"] / small["a fact"],
    }


def _took(db: sa.Connection, work: Callable[[], Any]) -> float:
    clock = _clock(db)
    since, ours = clock(), time.process_time()
    work()
    ours = time.process_time() - ours if db.dialect.name != "sqlite" else 0.0
    return clock() - since + ours


def _busiest(db: sa.Connection, order: str) -> Sequence[int]:
    ask = f"SELECT contact_id FROM fact WHERE kind = 'purchased' ORDER BY count {order}, contact_id * 7919 % 1000003"
    return db.scalars(sa.text(f"{ask} LIMIT {_BATCH}")).all()


def _line(contact_id: int) -> facts.Line:
    return (contact_id, "purchased", micros(NOW), 1990, "BRL")


def _event(contact_id: int) -> Interaction:
    return Interaction(contact_id, NOW, Direction.IN, "purchased", amount=1990, currency="BRL", source="bench")
