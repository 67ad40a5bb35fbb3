"""What an import says about consent: nobody who left comes back, and a no counts wherever it stands."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.unit.contacts.conftest import Take, count, one
from vinculo import consent
from vinculo.contacts import find
from vinculo.db.tables import consent as consents
from vinculo.db.tables import permission


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_a_no_in_a_wrong_row_counts_at_once_and_a_yes_does_not(
    engine: sa.Engine, take: Take, now: datetime, batch: int
) -> None:
    take("key,email,consent.news\na,a@x.org,yes\nb,b@x.org,yes\nc,c@x.org,\nd,d@x.org,yes\ne,e@x.org,yes\n")
    done = take(
        "key,email,birthdate,consent.news\n"
        "a,a@x.org,31/02/1980,no\n"  # no such day
        ",b@x.org,soon,não\n"  # known by its address
        "c,c@x.org,31/02/1980,yes\n"
        "d,d@x.org,,no,more\n"  # shifted, perhaps
        "e,e@x.org,31/02/1980,maybe\n"
        "nobody,n@x.org,31/02/1980,no\n",
        batch=batch,
    )
    assert (done.rows, done.failed, done.created, done.updated, done.left) == (6, 6, 0, 0, 2)
    with engine.connect() as db:
        said = {key: consent.live(db, find(db, key) or 0, now).get(("email", "news")) for key in "abcde"}
        assert find(db, "nobody") is None
    assert said == {"a": False, "b": False, "c": None, "d": True, "e": True}


@pytest.mark.parametrize("batch", [1, 2, 100])
@pytest.mark.parametrize(
    ("wrong", "good"),
    [
        ("a,a@x.org,31/02/1980,no", "a,a@x.org,,yes"),
        ("a,a@x.org,31/02/1980,no", "a,a@x.org;z@x.org,,yes"),
        ("a,a@x.org,31/02/1980,no", ",a@x.org,,yes"),
        ("a,a@x.org,31/02/1980,no", "a,,,"),
        ("a,a@x.org,31/02/1980,no", "k,a@x.org,,yes"),
        (",a@x.org,soon,no", "a,a@x.org,,yes"),
        (",a@x.org,soon,no", ",A@x.org,,yes"),
    ],
)
def test_a_no_in_a_wrong_row_holds_for_a_later_row_that_brings_its_contact(
    engine: sa.Engine, take: Take, now: datetime, wrong: str, good: str, batch: int
) -> None:
    others = "".join(f"b{n},b{n}@x.org,,yes\n" for n in range(3))
    done = take(f"key,email,birthdate,consent.email.news\n{wrong}\n{others}{good}\n{others}", batch=batch)
    assert (done.created, done.failed) == (4, 1)
    with engine.connect() as db:
        who = next(filter(None, (find(db, key) for key in ("a", "k", "a@x.org"))))
        assert not consent.live(db, who, now).get(("email", "news"))
        assert all(consent.live(db, find(db, f"b{n}") or 0, now)["email", "news"] for n in range(3))
    assert done.left == 1


def test_a_no_in_a_wrong_row_beats_a_yes_of_the_same_file_and_a_dry_run_records_none(
    engine: sa.Engine, take: Take, now: datetime
) -> None:
    text = "key,email,birthdate,consent.news\na,a@x.org,,yes\na,a@x.org,31/02/1980,no\na,a@x.org,,yes\n"
    assert take(text, dry_run=True).left == 1
    assert count(engine, consents) == 0
    take(text)
    with engine.connect() as db:
        assert consent.live(db, find(db, "a") or 0, now) == {("email", "news"): False}


def test_nobody_who_left_comes_back(engine: sa.Engine, take: Take, now: datetime) -> None:
    take("id;email;consent.news\n1;a@example.com;sim\n")
    who = one(engine, "1").id
    with engine.begin() as db:
        consent.withdraw(db, who, "email", "news", now - timedelta(days=1) + timedelta(days=1), source="page")
    done = take("id;email;consent.news;consent_date\n1;a@example.com;sim;2020-01-01\n")
    assert done.refused == 1
    assert take("id;email;consent.news\n1;a@example.com;sim\n").refused == 1
    with engine.connect() as db:
        assert consent.live(db, who, now) == {("email", "news"): False}


@pytest.mark.parametrize("several", ["", ";c@example.com"], ids=["column by column", "row by row"])
@pytest.mark.parametrize(("dated", "live"), [("", False), ("2020-01-01", False), ("2026-01-01", True)])
def test_the_no_of_an_address_holds_for_whoever_comes_in_with_it(
    engine: sa.Engine, take: Take, now: datetime, several: str, dated: str, live: bool
) -> None:
    take("id;email\n1;a@example.com\n")
    first = one(engine, "1").id
    with engine.begin() as db:
        consent.withdraw(db, first, "email", "", now.replace(year=2025), source="page")
    head = "id;email;consent.news;consent.offers;consent_date"
    done = take(f'{head}\n2;"a@example.com{several}";sim;;{dated}\n3;b@example.com;sim;sim;{dated}\n')
    assert (done.created, done.refused) == (2, 0 if live else 1)
    second, third = one(engine, "2").id, one(engine, "3").id
    with engine.connect() as db:
        assert consent.live(db, second, now) == ({("email", "news"): True} if live else {})
        assert consent.live(db, third, now) == {("email", "news"): True, ("email", "offers"): True}


@pytest.mark.parametrize("rows", [("1;a@x.com;sim", "2;a@x.com;não"), ("1;a@x.com;não", "2;a@x.com;sim")])
@pytest.mark.parametrize("between", [0, 3], ids=["one batch", "two batches"])
@pytest.mark.parametrize("several", ["", "|c@x.com"], ids=["column by column", "row by row"])
def test_of_two_with_one_address_in_a_file_the_no_of_one_holds_for_both(
    engine: sa.Engine, take: Take, now: datetime, rows: tuple[str, str], between: int, several: str
) -> None:
    others = "".join(f"9{n};b{n}@x.com;sim\n" for n in range(between))
    first, last = (row.replace("a@x.com", f"a@x.com{several}") for row in rows)
    done = take(f"id;email;consent.news\n{first}\n{others}{last}\n", batch=2)
    assert (done.created, done.refused) == (2 + between, 1)
    left, stayed = ([one(engine, key).id for key in keys] for keys in (("1", "2"), [f"9{n}" for n in range(between)]))
    with engine.connect() as db:
        assert all(consent.live(db, who, now) in ({}, {("email", "news"): False}) for who in left)
        assert all(consent.live(db, who, now) == {("email", "news"): True} for who in stayed)


@pytest.mark.parametrize(("given", "live"), [("2024-06-01", False), ("2025-06-01", True)])
def test_a_no_of_a_file_holds_for_whoever_is_there_with_the_address_unless_the_yes_is_newer(
    engine: sa.Engine, take: Take, now: datetime, given: str, live: bool
) -> None:
    take(f"id;email;consent.news;consent_date\n1;a@example.com;sim;{given}\n")
    take("id;email;consent.news;consent_date\n2;a@example.com;não;2025-01-01\n")
    first = one(engine, "1").id
    with engine.connect() as db:
        assert consent.live(db, first, now) == {("email", "news"): live}


def test_each_consent_of_a_contact_named_twice_keeps_its_own_date_and_proof(
    engine: sa.Engine, take: Take, now: datetime
) -> None:
    """A yes of 2020 must not borrow the date of another topic's, and so outlive the no that came between."""
    take("id;email;consent.news\n1;a@example.com;sim\n")
    who, left = one(engine, "1").id, now.replace(year=2022)
    with engine.begin() as db:
        db.execute(sa.delete(permission))
        db.execute(sa.delete(consents))
        consent.withdraw(db, who, "email", "news", left, source="page")
    done = take(
        "id;email;consent.email.news;consent.email.offers;consent_date;consent_source\n"
        "1;a@example.com;sim;;2020-01-01;fair\n1;a@example.com;;sim;2024-01-01;shop\n"
    )
    assert done.refused == 1
    with engine.connect() as db:
        assert consent.live(db, who, now) == {("email", "news"): False, ("email", "offers"): True}
    take(
        "id;email;consent.email.news;consent_date;consent_source\n"
        "2;b@example.com;sim;2020-01-01;fair\n2;b@example.com;sim;2019-01-01;web\n"
        "3;c@example.com;nao;;fair\n3;c@example.com;sim;2024-01-01;shop\n"
    )
    two, three = one(engine, "2").id, one(engine, "3").id
    with engine.connect() as db:
        said = {row.contact_id: (row.granted, row.at.year, row.source) for row in db.execute(sa.select(consents))}
    assert said[two] == (True, 2020, "fair")
    assert said[three] == (False, now.year, "fair")


def test_consent_keeps_its_proof(engine: sa.Engine, take: Take) -> None:
    take("id;email;consent.news;consent_date;consent_source;base legal\n1;a@example.com;sim;05/03/2024;shop;contract\n")
    with engine.connect() as db:
        row = db.execute(sa.select(consents)).one()
    assert (row.channel, row.topic, row.granted, row.source, row.legal_basis) == (
        "email",
        "news",
        True,
        "shop",
        "contract",
    )
    assert row.at.date() == date(2024, 3, 5)
