"""Points are earned once, counted exactly, and lead to a tier."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from vinculo import history, loyalty
from vinculo.db.tables import contact, point
from vinculo.history import Interaction
from vinculo.loyalty import Standing
from vinculo.model import Direction
from vinculo.project.schema import Loyalty

RULES = Loyalty.model_validate(
    {
        "points_per_unit": 1.5,
        "events": {"surveyed": 20},
        "expires": "1 year",
        "tiers": [{"name": "gold", "from": 300}, {"name": "silver", "from": 100}],
    }
)


def _contact(db: sa.Connection, now: datetime) -> int:
    row = {"key": "a", "first_seen": now, "updated_at": now}
    return int(db.scalar(sa.insert(contact).values(row).returning(contact.c.id)) or 0)


def _did(
    db: sa.Connection, owner: int, at: datetime, kind: str, amount: int | None = None, currency: str = "BRL"
) -> None:
    history.record(db, [Interaction(owner, at, Direction.IN, kind, amount=amount, currency=currency)])


def test_purchases_and_events_earn_once(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        owner = _contact(db, now)
        _did(db, owner, now, "purchased", 19_990)
        _did(db, owner, now, "surveyed")
        _did(db, owner, now, "visited")
        _did(db, owner, now, "purchased", 10_000, "USD")
        assert loyalty.earn(db, RULES, now, "BRL") == 2
        assert loyalty.earn(db, RULES, now, "BRL") == 0
        assert loyalty.standing(db, RULES, [owner], now) == {owner: Standing(300 + 20, "gold")}


def test_a_refund_takes_points_back_and_nothing_is_changed(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        owner = _contact(db, now)
        _did(db, owner, now, "purchased", 20_000)
        loyalty.earn(db, RULES, now, "BRL")
        _did(db, owner, now, "purchased", -20_000)
        loyalty.earn(db, RULES, now, "BRL")
        assert loyalty.standing(db, RULES, [owner], now)[owner] == Standing(0, "")
        assert list(db.scalars(sa.select(point.c.points).order_by(point.c.id))) == [300, -300]


def test_points_stop_counting_after_their_time(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        owner = _contact(db, now)
        _did(db, owner, now - timedelta(days=366), "purchased", 100_000)
        _did(db, owner, now - timedelta(days=364), "purchased", 10_000)
        loyalty.earn(db, RULES, now, "BRL")
        assert loyalty.standing(db, RULES, [owner], now)[owner] == Standing(150, "silver")


def test_a_currency_without_cents_is_counted_whole(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        owner = _contact(db, now)
        _did(db, owner, now, "purchased", 100, "CLP")
        loyalty.earn(db, RULES, now, "CLP")
        assert loyalty.standing(db, RULES, [owner], now)[owner].points == 150
