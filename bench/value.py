"""Recency, frequency and value of a crowd: the batches of scoring beside one statement in raw SQL with the same answer.

The statement gives equal values equal fifths with windows, as a person would write it. Both sides run in turn, each in
a transaction that is taken back, and must agree. On SQLite seconds are those of our CPU; PostgreSQL works in processes
of its own, so there they are the clock's. Foreign purchases have no rate here: they count, and add no value.
`ONLY=value CONTACTS=1000000 EVENTS=20000000 make bench` is the million.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from bench.clock import Figures, ratios
from bench.crowd import NOW, Crowd, crowd
from vinculo import scoring
from vinculo.db import micros
from vinculo.scoring import rfm

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SIZE = Crowd(int(os.environ.get("CONTACTS", "1000000")), int(os.environ.get("EVENTS", "20000000")))
DATABASES = os.environ.get("DATABASES", "sqlite,postgresql").split(",")
_SUMS = "SELECT count(*), sum(r), sum(f), sum(m), sum(frequency), sum(value), sum(unrated) FROM score WHERE r > 0"
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
    ours, one = _taken_back(engine, _ours)
    raw, other = _taken_back(engine, lambda db: db.execute(sa.text(_RAW)))
    if one != other:
        raise RuntimeError(f"Not the same fifths: {one} and {other}")
    return ours, raw


def _ours(db: sa.Connection) -> None:
    cut = rfm.cuts(db, NOW, "BRL")
    for span in scoring.spans(db):
        rfm.write(db, NOW, "BRL", cut, span)


def _taken_back(engine: sa.Engine, work: Callable[[sa.Connection], Any]) -> tuple[float, tuple[Any, ...]]:
    clock = time.process_time if engine.dialect.name == "sqlite" else time.perf_counter
    with engine.connect() as db, db.begin() as transaction:
        began = clock()
        work(db)
        seconds = clock() - began
        answer = tuple(db.execute(sa.text(_SUMS)).one())
        transaction.rollback()
    return seconds, answer
