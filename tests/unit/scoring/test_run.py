"""Scoring as a whole, on both databases: exact sums, moves in the history, batches, lifetime value."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import history, scoring
from vinculo.contacts import erase
from vinculo.db.tables import contact, score
from vinculo.errors import NotFound
from vinculo.history import Interaction
from vinculo.model import Direction
from vinculo.scoring import Rules

RULES = Rules("BRL")


def _contacts(db: sa.Connection, number: int, now: datetime) -> list[int]:
    rows = [{"key": f"c{i}", "first_seen": now, "updated_at": now} for i in range(number)]
    db.execute(sa.insert(contact), rows)
    return list(db.scalars(sa.select(contact.c.id).order_by(contact.c.id)))


def _buys(db: sa.Connection, owner: int, at: datetime, amount: int = 1000, currency: str = "BRL") -> None:
    history.record(db, [Interaction(owner, at, Direction.IN, "purchased", amount=amount, currency=currency)])


def _scores(db: sa.Connection) -> dict[int, Any]:
    return {row.contact_id: row for row in db.execute(sa.select(score))}


def test_equal_pasts_get_equal_scores(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        ids = _contacts(db, 10, now)
        for place, owner in enumerate(ids):
            _buys(db, owner, now - timedelta(days=place), amount=500 if place < 6 else 100 * place)
        scoring.run(db, now, RULES)
        found = _scores(db)
    assert [found[owner].r for owner in ids] == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert {found[owner].f for owner in ids} == {3}
    assert [found[owner].m for owner in ids] == [2] * 6 + [4, 4, 5, 5]


def test_recency_frequency_and_value_are_exact(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        one, two = _contacts(db, 2, now)
        _buys(db, one, now - timedelta(days=10, hours=12), 19990)
        _buys(db, one, now - timedelta(days=100), 10)
        _buys(db, one, now - timedelta(days=3), -5000)  # a refund is no purchase
        _buys(db, one, now - timedelta(days=50), 700, "USD")
        _buys(db, one, now + timedelta(days=1), 99)  # not yet
        scoring.run(db, now, RULES)
        found = _scores(db)
    assert (found[one].recency, found[one].frequency, found[one].value) == (10.5, 3, 15000)
    assert (found[two].recency, found[two].frequency, found[two].value, found[two].stage) == (None, 0, 0, "awareness")


def test_a_move_to_another_stage_is_in_the_history_once(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        (owner,) = _contacts(db, 1, now)
        _buys(db, owner, now)
        assert scoring.run(db, now, RULES).moved == 0
        later = now + timedelta(days=400)
        assert scoring.run(db, later, RULES).moved == 1
        assert scoring.run(db, later, RULES).moved == 0
        moves = [line for line in history.timeline(db, owner) if line.kind == "scored"]
    assert [(line.summary, line.at) for line in moves] == [("conversion → reactivation", later)]
    assert moves[0].data == {"stage": ["conversion", "reactivation"], "rfm": ["3-3-3", "3-3-3"]}


def test_spans_of_any_size_give_what_one_transaction_gives(engine: sa.Engine, now: datetime) -> None:
    """A run in batches, stopped after some and begun again, ends where a run in one go ends."""
    with engine.begin() as db:
        for place, owner in enumerate(_contacts(db, 23, now)):
            for day in range(place % 5):
                _buys(db, owner, now - timedelta(days=30 * day + place), 100 * place)
        scoring.run(db, now, RULES)
        whole = _scores(db)
        db.execute(sa.delete(score))
        basis = scoring.prepare(db, now, RULES)
        scoring.score_span(db, basis, RULES, scoring.spans(db, 7)[0])
    fitted = scoring.run_in_spans(engine.begin, now, RULES, 7)
    with engine.begin() as db:
        assert _scores(db) == whole
        assert fitted.contacts == 23
        assert fitted.moved == 0


def test_spans_that_a_server_scores_at_once_give_what_one_transaction_gives(
    postgres_engine: sa.Engine, now: datetime
) -> None:
    engine, later = postgres_engine, now + timedelta(days=400)
    with engine.begin() as db:
        for place, owner in enumerate(_contacts(db, 23, now)):
            _buys(db, owner, now - timedelta(days=place), 100 * place)
        scoring.run(db, now, RULES)
    with engine.connect() as db, db.begin() as rehearsal:
        moved, whole = scoring.run(db, later, RULES).moved, _scores(db)
        rehearsal.rollback()
    fitted = scoring.run_in_spans(engine.begin, later, RULES, 5, at_once=2)
    with engine.begin() as db:
        assert _scores(db) == whole
    assert fitted.moved == moved > 0


@pytest.mark.parametrize("before", [True, False])
def test_two_who_score_at_once_give_what_one_gives(postgres_engine: sa.Engine, now: datetime, before: bool) -> None:
    engine = postgres_engine
    with engine.begin() as db:
        if before:  # the rates are known, and who is new is not
            scoring.run(db, now, RULES)
        for owner in _contacts(db, 3, now)[:2]:
            _buys(db, owner, now)
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as db:
            scoring.run(db, now, RULES)
            other = pool.submit(scoring.run_in_spans, engine.begin, now, RULES)
            waits = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while not other.done() and not db.scalar(waits):
                pass  # until it waits for what we have written
        assert other.result(timeout=30).contacts == 3


def test_what_a_batch_needs_to_know_is_kept_in_the_database(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        with pytest.raises(NotFound, match="vinculo score"):
            scoring.kept(db)
        for owner in _contacts(db, 3, now):
            _buys(db, owner, now, 5, "USD")
        basis = scoring.prepare(db, now, RULES)
        scoring.keep(db, basis)
        scoring.keep(db, basis)
        assert scoring.kept(db) == basis


def test_the_erased_are_not_scored(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        ids = _contacts(db, 2, now)
        _buys(db, ids[0], now)
        erase(db, ids[0], now)
        assert scoring.run(db, now, RULES).contacts == 1


def test_too_little_to_learn_from_is_said(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        (owner,) = _contacts(db, 1, now)
        _buys(db, owner, now)
        fitted = scoring.run(db, now, RULES)
        found = _scores(db)[owner]
    assert fitted.purchasing is None
    assert fitted.notes == [fitted.why]
    assert fitted.why in fitted.markdown
    assert "100 buyers" in fitted.why
    assert (found.alive, found.expected, found.lifetime_value) == (None, None, None)


def test_lifetime_value_prefers_who_came_lately_and_often(engine: sa.Engine, now: datetime) -> None:
    chance = random.Random(5)
    with engine.begin() as db:
        ids = _contacts(db, 250, now)
        rows = []
        for owner in ids[2:]:
            at, gap = now - timedelta(days=chance.randint(30, 700)), chance.expovariate(1 / 60) + 5
            while at < now:
                rows.append(_purchase(owner, at, chance.randint(2_000, 20_000)))
                at += timedelta(days=chance.expovariate(1 / gap) + 1)
                if chance.random() < 0.25:
                    break
        rows += [_purchase(ids[0], now - timedelta(days=d), 10_000) for d in (2, 30, 60, 90, 120, 150)]
        rows += [_purchase(ids[1], now - timedelta(days=d), 10_000) for d in (500, 530, 560, 590, 620, 650)]
        history.record(db, rows)
        fitted = scoring.run(db, now, RULES)
        found = _scores(db)
    assert fitted.purchasing
    assert fitted.spending
    assert set(fitted.errors) == {"r", "alpha", "a", "b", "p", "q", "v"}
    for row in (found[owner] for owner in ids):
        assert row.alive_low <= row.alive <= row.alive_high <= 1
        assert 0 < row.expected_low < row.expected < row.expected_high
        assert row.lifetime_low <= row.lifetime_value <= row.lifetime_high
    assert found[ids[0]].next_at > now
    assert found[ids[1]].next_at is None  # as likely as not it never comes back
    assert found[ids[0]].alive > 0.7
    assert found[ids[1]].alive < 0.1
    assert found[ids[0]].lifetime_value > 5 * found[ids[1]].lifetime_value


def _purchase(owner: int, at: datetime, amount: int) -> Interaction:
    return Interaction(owner, at, Direction.IN, "purchased", amount=amount, currency="BRL")
