"""`vinculo score` as a person types it: batches, a dry run, rates that are missing, the future, the papers' contact."""

import json
import sys
from datetime import date, timedelta
from random import Random

import pytest
import sqlalchemy as sa
import typer

from vinculo.cli import contacts, events, output, score
from vinculo.db import connect, metadata
from vinculo.testing.project import write_project


def _orders() -> str:
    """Sixteen months of 300 customers who buy at rates of their own, and leave by chance."""
    dice, lines = Random(5), ["cliente,data,valor,moeda"]
    for number in range(300):
        day, weekly, gone = date(2025, 1, 1) + timedelta(dice.randrange(200)), dice.gammavariate(0.8, 0.2), False
        leaves = dice.betavariate(0.8, 2.4)
        while day < date(2026, 5, 1) and not gone:
            lines.append(f"c{number},{day},{dice.gammavariate(4, 20):.2f},BRL")
            day += timedelta(1 + int(7 * dice.expovariate(weekly)))
            gone = dice.random() < leaves
    return "\n".join(lines) + "\n"


@pytest.fixture
def type_in(tmp_path, monkeypatch, capsys):
    people = "id\n" + "".join(f"c{number}\n" for number in range(301))
    write_project(tmp_path, **{"people.csv": people, "orders.csv": _orders()})
    (tmp_path / "dollars.csv").write_text("cliente,data,valor,moeda\nc300,2026-02-03,50.00,USD\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VINCULO__SECRET_KEY", "a secret for tests only")
    engine = connect(f"sqlite:///{tmp_path / 'vinculo.db'}")
    metadata.create_all(engine)
    engine.dispose()
    app = typer.Typer(pretty_exceptions_enable=False)
    for area in (contacts, events, score):
        area.register(app)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vinculo", *words])
        code = output.guard(app)
        told = capsys.readouterr()
        return code, told.out, told.err

    run("contacts", "import", "people.csv")
    run("events", "import", "orders.csv")
    return run


def test_models_are_told_with_their_errors_and_a_contact_with_its_intervals(type_in) -> None:
    code, said, _ = type_in("score", "--at", "2026-06-01", "--expect", "2,30.43,38.86,39")
    assert code == 0
    assert "BG/NBD: r " in said
    assert " ± " in said
    assert "Expected purchases: " in said
    told = json.loads(type_in("score", "--at", "2026-06-01", "--store", "--expect", "2,30.43,38.86,39", "--json")[1])
    assert told["expected"] > 0
    assert set(told["fitted"]["errors"]) >= {"r", "alpha", "a", "b"}
    shown = type_in("contacts", "show", "c3")[1]
    assert "in a year" in shown
    assert json.loads(type_in("contacts", "show", "c3", "--json")[1])["score"]["expected"]["low"] > 0


def test_too_few_buyers_for_one_model_are_too_few_for_both(type_in) -> None:
    """80 buyers, of whom more than 20 came back and paid: what a purchase is worth could be fitted, and rests on nothing."""
    code, said, _ = type_in("score", "--at", "2025-02-25")
    assert (code, "Too few purchases to expect anything from: it needs 100 buyers" in said) == (0, True)
    assert ("BG/NBD" in said, "Gamma-gamma" in said) == (False, False)
    told = json.loads(type_in("score", "--at", "2025-02-25", "--expect", "2,30.43,38.86,39", "--json")[1])
    assert [told["fitted"][name] for name in ("purchasing", "spending", "errors")] == [None, None, {}]
    assert (told["fitted"]["why"] in said, told["expected"]) == (True, None)


def test_a_purchase_without_a_rate_is_told_with_the_line_to_add_until_it_is_there(type_in, tmp_path) -> None:
    type_in("events", "import", "dollars.csv")
    code, said, _ = type_in("score", "--at", "2026-06-01", "--store")
    assert code == 1
    assert "1 purchase in USD (50.00) without a rate" in said
    assert "`2026-02-03,USD,…`" in said
    assert json.loads(type_in("contacts", "show", "c300", "--json")[1])["score"]["unrated"] == 1
    (tmp_path / "plan" / "rates.csv").write_text("date,currency,rate\n2026-02-03,USD,5.4321\n")
    assert type_in("score", "--at", "2026-06-01", "--store")[0] == 0
    worth = json.loads(type_in("contacts", "show", "c300", "--json")[1])["score"]
    assert (worth["unrated"], worth["value"]) == (0, 27161)  # 271.605


def test_a_dry_run_may_look_ahead_and_leaves_no_row(type_in, tmp_path) -> None:
    code, _, notes = type_in("score", "--at", "2199-01-01")
    assert (code, "lies in the future" in notes, "--dry-run" in notes) == (2, True, True)
    code, said, _ = type_in("score", "--at", "2199-01-01", "--dry-run")
    assert (code, "reactivation" in said, "Nothing was changed" in said) == (0, True, True)
    with connect(f"sqlite:///{tmp_path / 'vinculo.db'}").connect() as db:
        assert db.scalar(sa.text("SELECT (SELECT count(*) FROM score) + (SELECT count(*) FROM note)")) == 0


def test_a_look_at_the_past_does_not_become_the_present(type_in) -> None:
    type_in("score", "--at", "2026-06-01", "--store")
    today = json.loads(type_in("contacts", "show", "c3", "--json")[1])["score"]
    code, said, _ = type_in("score", "--at", "2025-03-01")
    assert (code, "Nothing was changed" in said) == (0, True)
    past = json.loads(type_in("score", "--at", "2025-03-01", "--json")[1])
    assert (past["dry_run"], past["fitted"]["stages"]["awareness"] > 200) == (True, True)
    assert json.loads(type_in("contacts", "show", "c3", "--json")[1])["score"] == today


@pytest.mark.parametrize("past", ["2", "2,30,20,39", "-1,0,1,1", "2.5,1,2,3", "a,b,c,d", "1,1,2,nan", "1,1,2,0"])
def test_a_past_that_cannot_be_is_refused(type_in, past) -> None:
    code, _, notes = type_in("score", f"--expect={past}")
    assert (code, "2,30.43,38.86,39" in notes) == (2, True)
