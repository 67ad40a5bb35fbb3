"""Foreign purchases count at the rate of their day, exactly; without a rate they are listed, never dropped, never 1:1."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa

from vinculo import loyalty, scoring
from vinculo.db.tables import interaction
from vinculo.project import Loyalty, Rates
from vinculo.scoring import Rules

QUOTED = {
    "USD": [(date(2026, 1, 2), Decimal("5.4321")), (date(2026, 11, 1), Decimal("5.1"))],
    "JPY": [(date(2026, 1, 2), Decimal("0.0345"))],
    "KWD": [(date(2026, 1, 2), Decimal("17.65"))],
}
RULES = Rules("BRL", "America/Sao_Paulo", Rates("BRL", QUOTED))


def test_a_purchase_is_worth_the_rate_of_its_day(engine: sa.Engine, now: datetime, people, does, scores) -> None:
    with engine.begin() as db:
        one, two, three, four = people(db, 4)
        does(db, one, datetime(2026, 10, 31, 12, tzinfo=UTC), 1000, "USD")  # 10.00 at 5.4321
        does(db, two, datetime(2026, 11, 1, 2, tzinfo=UTC), 1000, "USD")  # still 31 October in São Paulo
        does(db, two, datetime(2026, 11, 1, 12, tzinfo=UTC), 1000, "USD")
        does(db, three, now, 999, "JPY")  # no minor unit: 999 yen at 0.0345
        does(db, four, now, 1001, "KWD")  # a thousandth: 1.001 dinars at 17.65
        fitted = scoring.run(db, now, RULES)
        found = scores(db)
    assert [found[owner].value for owner in (one, two, three, four)] == [5432, 5432 + 5100, 3447, 1767]
    assert fitted.unrated == []
    assert found[one].unrated == 0


def test_halves_go_away_from_nothing_for_a_purchase_and_its_refund(engine, now, people, does, scores) -> None:
    with engine.begin() as db:
        one, two = people(db, 2)
        does(db, one, now, 1, "USD")
        does(db, two, now, -1, "USD")
        scoring.run(db, now, Rules("BRL", "UTC", Rates("BRL", {"USD": [(date(2026, 1, 1), Decimal("2.5"))]})))
        assert [scores(db)[owner].value for owner in (one, two)] == [3, -3]


def test_without_a_rate_it_counts_and_is_listed_with_the_line_to_add(engine, now, people, does, scores) -> None:
    with engine.begin() as db:
        one, two = people(db, 2)
        does(db, one, datetime(2025, 12, 31, tzinfo=UTC), 1050, "USD")  # before the first rate
        does(db, one, now, 100, "EUR")
        does(db, one, now + timedelta(days=1), 100, "EUR")  # not yet
        does(db, two, now, 2000)
        fitted = scoring.run(db, now, RULES)
        found = scores(db)
    assert (found[one].frequency, found[one].value, found[one].unrated) == (2, 0, 2)
    euro, dollar = fitted.unrated
    assert (euro.purchases, euro.amount, euro.since) == (1, "1.00", date(2026, 12, 1))
    assert (dollar.amount, dollar.remedy) == (
        "10.50",
        "Add a line `2025-12-30,USD,…` to plan/rates.csv, and score again.",
    )
    assert any("1 purchase in USD (10.50) without a rate" in note for note in fitted.notes)


def test_a_new_rate_works_everything_out_anew_and_an_old_one_nothing(engine, now, people, does, scores) -> None:
    with engine.begin() as db:
        (one,) = people(db, 1)
        does(db, one, now, 1000, "USD")
        scoring.run(db, now, Rules("BRL"))
        assert (scores(db)[one].value, scores(db)[one].unrated) == (0, 1)
        scoring.run(db, now, RULES)
        assert (scores(db)[one].value, scores(db)[one].unrated) == (5100, 0)
        db.execute(sa.update(interaction).values(worth=7))  # nothing is worked out twice
        scoring.run(db, now, RULES)
        assert scores(db)[one].value == 7
        other = Rates("BRL", {"USD": [(date(2026, 1, 2), Decimal(6))]})
        scoring.run(db, now, Rules("BRL", "America/Sao_Paulo", other))
        assert scores(db)[one].value == 6000


def test_a_company_of_another_currency_counts_in_that(engine, now, people, does, scores) -> None:
    with engine.begin() as db:
        one, two = people(db, 2)
        does(db, one, now, 500, "CLP")
        does(db, two, now, 1000, "BRL")
        scoring.run(
            db, now, Rules("CLP", "America/Santiago", Rates("CLP", {"BRL": [(date(2026, 1, 1), Decimal("170.5"))]}))
        )
        assert [scores(db)[owner].value for owner in (one, two)] == [500, 1705]


def test_points_are_earned_by_worth_and_wait_for_a_rate(engine: sa.Engine, now: datetime, people, does) -> None:
    rules = Loyalty(points_per_unit=1)
    with engine.begin() as db:
        (one,) = people(db, 1)
        does(db, one, now, 1000, "USD")
        assert loyalty.earn(db, rules, now, "BRL") == 0
        scoring.run(db, now, RULES)
        assert loyalty.earn(db, rules, now, "BRL") == 1
        assert loyalty.standing(db, rules, [one], now)[one].points == 51
        assert loyalty.earn(db, rules, now, "BRL") == 0
