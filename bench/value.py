"""Recency, frequency and value of a crowd: the batches of scoring beside one statement in raw SQL with the same answer.

The statement gives equal values equal fifths with windows, as a person would write it. Both sides run in turn, in
transactions that are taken back, and must agree. On SQLite seconds are those of our CPU; PostgreSQL works in processes
of its own, so there they are the clock's, and two of our transactions run beside one another. Foreign purchases have no
rate here: they count, and add no value.
`ONLY=value CONTACTS=1000000 EVENTS=20000000 make bench` is the million.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import sqlalchemy as sa

from bench.clock import Figures, ratios
from bench.crowd import NOW, Crowd, crowd
from vinculo import scoring
from vinculo.db import micros
from vinculo.scoring import rfm
from vinculo.scoring.run import SPAN

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SIZE = Crowd(int(os.environ.get("CONTACTS", "1000000")), int(os.environ.get("EVENTS", "20000000")))
DATABASES = os.environ.get("DATABASES", "sqlite,postgresql").split(",")
#: Transactions in which a server scores at the same time, as `vinculo score` does.
AT_ONCE = 2
_SUMS = """SELECT count(*), sum(r), sum(f), sum(m), sum(frequency), sum(value), sum(unrated) FROM score
WHERE r > 0 AND (contact_id - 1) / :size % :number = :lane"""
_FIFTH = """1 + (5 * (2 * (rank() OVER (PARTITION BY f > 0 ORDER BY {0}) - 1)
                 + count(*) OVER (PARTITION BY f > 0, {0}))) / (2 * count(*) OVER (PARTITION BY f > 0))"""
_RAW = f"""
WITH bought AS (
  SELECT contact_id, count(*) FILTER (WHERE coalesce(amount, 0) >= 0) AS f,
         CAST(coalesce(sum(CASE WHEN currency IN ('BRL', '') THEN coalesce(amount, 0) ELSE worth END), 0)
              AS BIGINT) AS v,
         max(at) FILTER (WHERE coalesce(amount, 0) >= 0) AS l,
         count(*) FILTER (WHERE currency NOT IN ('BRL', '') AND worth IS NULL) AS u
  FROM interaction WHERE kind = 'purchased' AND at <= :now GROUP BY contact_id),
aged AS (SELECT contact_id, f, v, l, u, -((:now - l) / 86400000000) AS a FROM bought)
INSERT INTO score (contact_id, recency, frequency, value, unrated, r, f, m, at)
SELECT contact_id, (:now - l) / 86400000000.0, f, v, u,
       CASE WHEN f > 0 THEN {_FIFTH.format("a")} END,
       CASE WHEN f > 0 THEN {_FIFTH.format("f")} END,
       CASE WHEN f > 0 THEN {_FIFTH.format("v")} END, :now
FROM aged WHERE true
ON CONFLICT (contact_id) DO UPDATE SET recency = excluded.recency, frequency = excluded.frequency,
  value = excluded.value, unrated = excluded.unrated, r = excluded.r, f = excluded.f, m = excluded.m, at = excluded.at
""".replace(":now", f"{micros(NOW)}")


def measure() -> Figures:
    """Per database: `s` for everybody's recency, frequency, value and fifths; `raw s`; `ratio` of the two."""
    found: Figures = {}
    for database in DATABASES:
        with crowd(SIZE, database) as engine:
            rounds = [_round(engine) for _ in range(ROUNDS)]
            if database == "postgresql":
                with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
                    db.execute(sa.text("VACUUM score, interaction"))
        ours, raw = [one for one, _ in rounds], [other for _, other in rounds]
        found |= {f"{database} s": ours, f"{database} raw s": raw, f"{database} ratio": ratios(ours, raw)}
    found["s"] = max(min(found[f"{database} s"]) for database in DATABASES)  # type: ignore[arg-type]
    return found


def _round(engine: sa.Engine) -> tuple[float, float]:
    """Seconds of our way and of the statement."""
    ours, one = _taken_back(engine, _ours, 1 if engine.dialect.name == "sqlite" else AT_ONCE)
    raw, other = _taken_back(engine, lambda lanes: lanes[0].execute(sa.text(_RAW)), 1)
    if one != other:
        raise RuntimeError(f"Not the same fifths: {one} and {other}")
    return ours, raw


def _ours(lanes: Sequence[sa.Connection]) -> None:
    cut, todo = rfm.cuts(lanes[0], NOW, "BRL"), scoring.spans(lanes[0])

    def write(lane: int) -> None:
        for span in todo[lane :: len(lanes)]:
            rfm.write(lanes[lane], NOW, "BRL", cut, span)

    if len(lanes) == 1:
        write(0)
        return
    with ThreadPoolExecutor(len(lanes)) as pool:
        list(pool.map(write, range(len(lanes))))


def _taken_back(
    engine: sa.Engine, work: Callable[[Sequence[sa.Connection]], Any], number: int
) -> tuple[float, list[int]]:
    """Seconds of *work* on so many connections, and the sums of what each has written."""
    clock = time.process_time if engine.dialect.name == "sqlite" else time.perf_counter
    with ExitStack() as stack:
        lanes = [stack.enter_context(engine.connect()) for _ in range(number)]
        for db in lanes:
            db.begin()  # closing takes it back
        began = clock()
        work(lanes)
        seconds = clock() - began
        told = [
            db.execute(sa.text(_SUMS), {"size": SPAN, "number": number, "lane": lane}).one()
            for lane, db in enumerate(lanes)
        ]
    return seconds, [sum(column) for column in zip(*told, strict=True)]
