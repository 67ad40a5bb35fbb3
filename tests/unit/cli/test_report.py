"""`report` as a person types it, after a campaign went out."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from vinculo import history, ledger
from vinculo.cli import report
from vinculo.connector import Receipt
from vinculo.db import connect, metadata
from vinculo.db.tables import delivery
from vinculo.history import Interaction
from vinculo.model import Direction
from vinculo.testing import store
from vinculo.testing.project import write_project


@pytest.fixture
def type_in(tmp_path, monkeypatch, command_line):
    """Type a command in a project whose campaign `weekly` went to three contacts, one of whom clicked and bought."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    engine, now = connect(f"sqlite:///{tmp_path / 'vinculo.db'}"), datetime.now(UTC) - timedelta(days=1)
    metadata.create_all(engine)
    with engine.begin() as db:
        for key in "abc":
            store.add_contact(db, key=key, email=f"{key}@example.org", consent=["news"])
        file = store.campaign()
        ledger.plan(db, file, store.occurrence(file, now), store.allocation(now), now)
        claims = ledger.claim(db, "w", 10, now, timedelta(minutes=1))
        ledger.submit(db, claims, now)
        ledger.settle(db, [ledger.Settlement(claim, Receipt("x")) for claim in claims], now)
        who, sent, later = claims[0].key.contact_id, claims[0].id, now + timedelta(hours=1)
        place = {"campaign": claims[0].key.campaign, "occurrence": claims[0].key.occurrence, "delivery_id": sent}
        clicked = Interaction(who, later, Direction.IN, "clicked", **place, data={"class": "human"})
        bought = Interaction(who, later, Direction.IN, "purchased", amount=19990, currency="BRL")
        history.record(db, [clicked, bought])
    engine.dispose()
    return command_line(report)


def test_a_report_is_told_and_written(type_in, tmp_path) -> None:
    code, said = type_in("report", "weekly", "--html", "report.html")
    assert code == 0
    assert "33.3%" in said
    assert "1 bought, for 199.90 BRL" in said
    assert "Nobody was left out" in said
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    found = json.loads(type_in("report", "weekly", "--json")[1])
    assert found["funnel"] == {"segment": 3, "consented": 3, "reachable": 3, "sent": 3, "failed": 0}


@pytest.mark.parametrize(
    ("place", "code", "words"),
    [("nowhere/report.html", 2, "a folder that is there"), ("/dev/full", 3, "Make room")],
)
def test_a_place_that_cannot_be_written_is_named(type_in, place: str, code: int, words: str) -> None:
    found, said = type_in("report", "weekly", "--html", place)
    assert (found, words in said) == (code, True)


def test_two_variants_that_cannot_be_told_apart_say_how_many_it_takes(type_in, tmp_path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'vinculo.db'}")
    with engine.begin() as db:
        first, *_ = db.execute(sa.select(delivery.c.id).order_by(delivery.c.id)).scalars()
        db.execute(sa.update(delivery).values(variant=sa.case((delivery.c.id == first + 1, "b"), else_="a")))
    engine.dispose()
    said = type_in("report", "weekly")[1]
    # One of two clicked: to tell 62.5 % from 50 % takes 249 in each (two-sided 5 %, power 80 %).
    assert "no decision; to show a quarter more clicks each needs about 249 deliveries" in said
