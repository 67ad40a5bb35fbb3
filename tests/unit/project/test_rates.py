"""plan/rates.csv: what it says, to the last decimal, and every way in which it can be wrong."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from vinculo.model import Money
from vinculo.project import Rates, check, load
from vinculo.project.rates import read_rates
from vinculo.testing.project import write_project

GOOD = "# from our bank\ndate,currency,rate\n2026-03-01,USD,5.50\n2026-01-02,USD,5.4321\n\n2026-01-02,jpy,0.0345\n"


def test_the_last_rate_on_or_before_the_day_counts() -> None:
    rates, problems = read_rates(GOOD, "BRL")
    assert problems == []
    days = [date(2026, 1, 1), date(2026, 1, 2), date(2026, 2, 28), date(2026, 3, 1), date(2030, 1, 1)]
    assert [rates.rate("USD", day) for day in days] == [
        None, Decimal("5.4321"), Decimal("5.4321"), Decimal("5.50"), Decimal("5.50"),
    ]  # fmt: skip
    assert rates.rate("BRL", days[0]) == 1
    assert rates.rate("EUR", days[-1]) is None
    assert rates.worth(Money(999, "JPY"), days[1]) == 3447  # 999 yen, 34.4655 reais
    assert rates.worth(Money(1, "EUR"), days[1]) is None


def test_minor_units_of_both_sides_are_their_own() -> None:
    def worth(money: Money, home: str, rate: str) -> int | None:
        return Rates(home, {money.currency: [(date(2026, 1, 1), Decimal(rate))]}).worth(money, date(2026, 1, 1))

    assert worth(Money(1_001, "KWD"), "CLP", "3100") == 3103  # 1.001 dinars at 3,100 pesos, which have no cents
    assert worth(Money(100, "CLP"), "KWD", "0.00032") == 32  # 100 pesos are 0.032 dinars
    assert worth(Money(-50, "USD"), "JPY", "151") == -76  # half a dollar back is 75.5 yen


@pytest.mark.parametrize(
    ("line", "place", "says", "advises"),
    [
        ("2026-02-30,USD,5", ":2:1", "no day `2026-02-30`", "2026-12-01"),
        ("30/01/2026,USD,5", ":2:1", "no day `30/01/2026`", "2026-12-01"),
        ("0026-01-01,USD,5", ":2:1", "no day", "2026-12-01"),
        ("2026-01-02,UDS,5", ":2:12", "no currency `UDS`", "Did you mean"),
        ("2026-01-02,BRL,1", ":2:12", "the company's own currency", "take the line out"),
        ("2026-01-02,USD,0", ":2:16", "`0` cannot be a rate", "above 0"),
        ("2026-01-02,USD,-5.4", ":2:16", "`-5.4` cannot be a rate", "above 0"),
        ("2026-01-02,USD,nan", ":2:16", "`nan` cannot be a rate", "above 0"),
        ("2026-01-02,USD,1e3", ":2:16", "`1e3` cannot be a rate", "above 0"),
        ("2026-01-02,USD,5,43", ":2:1", "4 values and not 3", "a decimal point"),
        ("2026-01-02,USD", ":2:1", "2 values and not 3", "a decimal point"),
        ("2026-01-02,USD,5.1\n2026-01-02,USD,5.2", ":3:1", "two rates on 2026-01-02", "line 2"),
        ("2026-01-02,USD,5.43\n2026-02-02,USD,543", ":3:1", "from 5.43 to 543 within a year", "decimal mark"),
    ],
)
def test_a_wrong_line_is_told_with_place_and_remedy(tmp_path: Path, line, place, says, advises) -> None:
    write_project(tmp_path, **{"plan/rates.csv": f"date,currency,rate\n{line}\n"})
    [problem] = map(str, check(tmp_path, {}))
    assert problem.startswith(f"plan/rates.csv{place}: ")
    assert says in problem
    assert advises in problem


def test_a_file_without_its_first_line_is_told(tmp_path: Path) -> None:
    write_project(tmp_path, **{"plan/rates.csv": "2026-01-02,USD,5.43\n"})
    [problem] = map(str, check(tmp_path, {}))
    assert "the first line does not name the columns" in problem
    assert "`date,currency,rate`" in problem


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    write_project(tmp_path, **{"plan/rates.csv": b"date,currency,rate\n2026-01-02,USD,5\xff\n"})
    [problem] = map(str, check(tmp_path, {}))
    assert "not UTF-8" in problem


def test_a_project_has_its_rates_and_without_the_file_none(tmp_path: Path) -> None:
    write_project(tmp_path, **{"plan/rates.csv": GOOD})
    assert load(tmp_path, {}).rates.rate("USD", date(2026, 3, 1)) == Decimal("5.50")
    (tmp_path / "plan/rates.csv").unlink()
    assert load(tmp_path, {}).rates == Rates("BRL")
