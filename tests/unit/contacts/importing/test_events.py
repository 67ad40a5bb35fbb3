"""Purchases come in exactly, once, and to the right contact."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo.contacts import EventRules, ImportedEvents, import_events
from vinculo.contacts.importing.events import minor_units
from vinculo.contacts.importing.row.wrong import RowError
from vinculo.db.tables import address, contact, interaction
from vinculo.errors import UsageError

Add = Callable[..., ImportedEvents]


@pytest.fixture
def add(engine: sa.Engine, tmp_path: Path, now: datetime) -> Add:
    with engine.begin() as db:
        for key in ("c1", "c2"):
            who = db.scalar(sa.insert(contact).values(key=key, first_seen=now, updated_at=now).returning(contact.c.id))
            row = {"contact_id": who, "channel": "email", "value": f"{key}@example.com", "hash": key, "added_at": now}
            db.execute(sa.insert(address).values(row))

    def add(content: str, name: str = "events.csv", **rules: Any) -> ImportedEvents:
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        company = {"currency": "BRL", "country": "BR", "zone": "America/Sao_Paulo"}
        return import_events(engine, path, EventRules(now, **{**company, **rules}))

    return add


def _rows(engine: sa.Engine) -> list[Any]:
    with engine.connect() as db:
        return list(db.execute(sa.select(interaction).order_by(interaction.c.at)))


def test_a_brazilian_export_of_orders(engine: sa.Engine, add: Add) -> None:
    done = add(
        "cliente;data;valor;pedido;loja\nc1;03/02/2026 10:30;R$ 1.199,90;77;Centro\nC2@example.com;2026-02-04;10;78;\n"
    )
    assert (done.rows, done.added, done.known, done.failed) == (2, 2, 0, 0)
    first, second = _rows(engine)
    assert (first.kind, first.amount, first.currency, first.event_id) == ("purchased", 119990, "BRL", "purchased:77")
    assert first.at == datetime(2026, 2, 3, 13, 30, tzinfo=UTC)
    assert first.data == {"loja": "Centro"}
    assert second.amount == 1000


def test_the_same_file_again_adds_nothing(engine: sa.Engine, add: Add) -> None:
    text = "contact,at,amount,id\nc1,2026-02-03,1.50,\nc1,2026-02-03,1.50,9\nc1,2026-02-03,1.50,9\n"
    assert (add(text).added, add(text).added) == (2, 0)
    assert add(text).known == 3
    assert len(_rows(engine)) == 2


def test_two_equal_purchases_of_one_day_are_two_and_of_one_minute_one(engine: sa.Engine, add: Add) -> None:
    days = "contact,at,amount\nc1,2026-02-03,9.99\nc1,2026-02-03,9.99\nc1,2026-02-03,9.99\n"
    minutes = "contact,at,amount\nc1,2026-02-04 10:30,9.99\nc1,2026-02-04 10:30,9.99\n"
    assert [add(days).added, add(days).added, add(days, batch=1).added] == [3, 0, 0]
    assert [add(minutes).added, add(minutes).known] == [1, 2]
    assert len(_rows(engine)) == 4


def test_json_lines_of_visits(engine: sa.Engine, add: Add) -> None:
    add('{"contact": "c1", "kind": "visited", "at": "2026-02-03T10:00:00Z", "page": "/tea"}\n', name="visits.jsonl")
    (row,) = _rows(engine)
    assert (row.kind, row.amount, row.data) == ("visited", None, {"page": "/tea"})


def test_wrong_rows_are_told_and_the_others_kept(engine: sa.Engine, add: Add) -> None:
    done = add(
        "contact,at,amount,kind,currency\nnobody,2026-01-01,1,,\nc1,yesterday,1,,\nc1,2026-01-01,,,\nc1,2026-01-01,x,,\n"
        "c1,2090-01-01,1,,\nc1,2026-01-01,1,purchsaed,\nc1,2026-01-01,1,,XYZ\nc1,2026-01-01,1,,\n"
    )
    assert (done.added, done.failed) == (1, 7)
    with Path(done.errors_file).open(encoding="utf-8-sig", newline="") as file:
        told = {int(row["line"]): row["reason"] for row in csv.DictReader(file)}
    assert "no such contact" in told[2]
    assert "purchase needs an amount" in told[4]
    assert "Did you mean `purchased`" in told[7]
    assert "no currency code" in told[8]


def test_a_dry_run_adds_nothing(engine: sa.Engine, add: Add) -> None:
    assert add("contact,at,amount\nc1,2026-02-03,1\n", dry_run=True).added == 1
    assert _rows(engine) == []


@pytest.mark.parametrize("batch", [1, 2, 10_000])
def test_a_dry_run_of_several_batches_says_what_the_import_does(add: Add, batch: int) -> None:
    add("contact,at,amount,id\nc2,2026-02-03,1,there\n")
    rows = "c1,2026-02-03,1,7\nc2,2026-02-03,1,there\nnobody,2026-02-03,1,8\nc1,2026-02-03,1,7\n"
    rows += "c1,2026-02-03,2,\nc1,2026-02-03,2,\nc1,2026-02-03 10:30,2,\nc1,2026-02-03 10:30,2,\nc2,2026-02-05,1,7\n"
    tried, done = (add(f"contact,at,amount,id\n{rows}", batch=batch, dry_run=dry) for dry in (True, False))
    told = [(each.rows, each.added, each.known, each.failed) for each in (tried, done)]
    assert told == [(9, 4, 4, 1)] * 2


def test_a_file_without_dates_is_refused(add: Add) -> None:
    with pytest.raises(UsageError, match="--map"):
        add("contact,amount\nc1,3\n")


@pytest.mark.parametrize(
    ("written", "currency", "minor"),
    [
        ("199,90", "BRL", 19990),
        ("199.90", "BRL", 19990),
        ("R$ 199,90", "BRL", 19990),
        ("199,90 R$", "BRL", 19990),
        ("-R$ 199,90", "BRL", -19990),
        ("1\u00a0234,56\u00a0€", "EUR", 123456),
        ("EUR 12", "EUR", 1200),
        ("$ 12,50", "ARS", 1250),
        ("$ 12,50", "BRL", None),
        ("€ 199,90", "BRL", None),
        ("US$ 12", "BRL", None),
        ("U$S 12", "USD", 1200),
        ("XYZ 12", "BRL", None),
        ("1.234,56", "BRL", 123456),
        ("1,234.56", "USD", 123456),
        ("1.234.567", "BRL", 123456700),
        ("1 234,5", "EUR", 123450),
        ("-10", "BRL", -1000),
        ("0,07", "BRL", 7),
        (0.07, "BRL", 7),
        (1.1, "BRL", 110),
        ("1500", "CLP", 1500),
        ("1.500.000", "CLP", 1500000),
        ("1.2345", "KWD", None),
        ("0.125", "KWD", 125),
        ("1.234", "BRL", None),
        ("0.001", "BRL", None),
        ("12.34.56", "BRL", None),
        ("1,5", "CLP", None),
        ("", "BRL", None),
        ("ten", "BRL", None),
        (True, "BRL", None),
        (float("inf"), "BRL", None),
        ("9" * 30, "BRL", None),
    ],
)
def test_amounts_are_exact_or_refused(written: Any, currency: str, minor: int | None) -> None:
    if minor is None:
        with pytest.raises(RowError):
            minor_units(written, currency)
    else:
        assert minor_units(written, currency) == minor


def test_an_amount_in_the_companys_currency_is_read_as_its_country_writes_thousands_and_it_is_told(
    engine: sa.Engine, add: Add
) -> None:
    rows = ["R$ 1.500;;R$ 2.500", "R$ 1.500;BRL;R$ 9", "-R$ 2.750;;", "R$ 5.00;;R$ 5,899", "R$ 1.234,00;;"]
    wrong = ["R$ 5,899;;", "1.500;;", "1.500;BRL;", "US$ 1.500;;", "US$ 1,500;USD;", "€ 1.500;EUR;"]
    text = "cliente;data;valor;moeda;frete\n" + "".join(f"c1;2026-02-03;{row}\n" for row in rows + wrong)
    done = add(text, batch=2)
    assert [row.amount for row in _rows(engine)] == [150000, 150000, -275000, 500, 123400]
    assert [row.data for row in _rows(engine)] == [{"frete": 2500}, {"frete": 9}, {}, {"frete": "R$ 5,899"}, {}]
    assert (done.failed, done.thousands) == (6, {"amount": {"R$ 1.500": 1500}, "frete": {"R$ 2.500": 2500}})


def test_an_amount_without_the_mark_of_one_country_is_refused_as_before(engine: sa.Engine, add: Add) -> None:
    text = "contact;at;amount\nc1;2026-02-03;R$ 1.500\n"
    assert [add(text, name, country=country).failed for name, country in (("ca.csv", "CA"), ("us.csv", "US"))] == [1, 1]
    assert add("contact;at;amount\nc1;2026-02-03;US$ 1,500\n", country="US", currency="USD").added == 1
    assert [row.amount for row in _rows(engine)] == [150000]


def test_the_sign_of_an_amount_says_its_currency_and_none_is_taken_for_the_companys(
    engine: sa.Engine, add: Add, tmp_path: Path
) -> None:
    done = add("contact;at;amount\nc1;2026-02-03 10:00;€ 199,90\nc1;2026-02-03 11:00;10,00\nc1;2026-02-03 12:00;$ 5\n")
    assert (done.added, done.failed) == (2, 1)
    assert [(row.amount, row.currency) for row in _rows(engine)] == [(19990, "EUR"), (1000, "BRL")]
    assert "`$` can be many currencies: write US$" in Path(done.errors_file).read_text(encoding="utf-8")
    done = add("contact;at;amount;currency\nc1;2026-02-04 10:00;€ 1;BRL\n", "second.csv")
    assert "the amount is in EUR and its currency is BRL" in Path(done.errors_file).read_text(encoding="utf-8")
