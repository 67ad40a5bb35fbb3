"""Whom a row is about does not depend on the batch that it stands in."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
import sqlalchemy as sa

from tests.unit.contacts.conftest import Take, count, errors, one
from vinculo import consent
from vinculo.contacts import find
from vinculo.contacts.export import export
from vinculo.db.tables import contact


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite, too, each batch is a transaction."""
    monkeypatch.setattr("vinculo.contacts.importing.contacts._Writer._TOGETHER", 0.0)


@pytest.mark.parametrize("batch", [1, 2, 10])
@pytest.mark.parametrize(
    "rows",
    ["{k},a@x.org,,\n,a@x.org,,x\n", ",a@x.org,,x\n{k},a@x.org,,\n", ",,s9,x\n{k},a@x.org,s9,\n", "{k},,s9,\n,,s9,x\n"],
    ids=["key first", "key later", "system's number first", "system's number later"],
)
@pytest.mark.parametrize("named", ["csv", "jsonl"])
def test_a_row_without_a_key_and_one_with_it_are_about_one_contact_in_either_order(
    engine: sa.Engine, take: Take, rows: str, batch: int, named: str
) -> None:
    names = ("key", "email", "id.shop", "tags")
    text = ",".join(names) + "\n" + rows.format(k="7")
    if named == "jsonl":
        lines = [dict(zip(names, line.split(","), strict=True)) for line in text.splitlines()[1:]]
        text = "".join(json.dumps(line) + "\n" for line in lines)
    for _ in range(2):  # again, nothing changes
        assert take(text, name=f"p.{named}", batch=batch).failed == 0
        assert count(engine, contact) == 1
        assert one(engine, "7").tags == {"x"}


def test_what_was_taken_for_its_key_still_leads_to_the_contact(engine: sa.Engine, take: Take, now: datetime) -> None:
    take("key,email\n,a@x.org\n")
    with engine.connect() as db:
        before = find(db, "a@x.org")
    take("key,email,city\n,a@x.org,\n7,a@x.org,Natal\n", batch=1)
    take("key,city\na@x.org,Recife\n")
    with engine.connect() as db:
        assert find(db, "7") == before
        assert [row["key"] for row in export(db, before or 0, now)["alias"]] == ["a@x.org"]
    assert (count(engine, contact), one(engine, "7").city) == (1, "Recife")


def test_who_shares_an_address_and_has_a_key_of_its_own_stays_another(engine: sa.Engine, take: Take) -> None:
    take("key,email\n,a@x.org\n1,a@x.org\n2,a@x.org\n", batch=1)
    take("key,email\n3,a@x.org\n")  # of another file: a person decides
    with engine.connect() as db:
        assert set(db.scalars(sa.select(contact.c.key))) == {"1", "2", "3"}


@pytest.mark.parametrize("batch", [1, 10])
def test_a_no_in_a_wrong_row_with_a_key_is_that_of_the_contact_without_one(
    engine: sa.Engine, take: Take, now: datetime, batch: int
) -> None:
    done = take("key,email,birthdate,consent.news\n,a@x.org,,yes\n7,a@x.org,31/02/1980,no\n", batch=batch)
    assert [row["line"] for row in errors(done.errors_file)] == ["3"]
    with engine.connect() as db:
        assert consent.live(db, find(db, "a@x.org") or 0, now)["email", "news"] is False


@pytest.mark.parametrize("batch", [1, 2, 3, 10])
@pytest.mark.parametrize(
    ("rows", "keys"),
    [
        ("email,city\na@x.org;b@x.org,\nb@x.org,\n", {"a@x.org"}),
        ("key,email,id.shop,city\n1,a@x.org,,\n2,a@x.org;b@x.org,,\n,a@x.org,,Natal\n", {"1", "2"}),
        ("key,email,id.shop,city\n1,c@x.org,s1,\n2,a@x.org,s1,\n3,a@x.org;b@x.org,,\n,,s1,Natal\n", {"1", "2", "3"}),
    ],
    ids=["a second address", "the first of two", "the first of two who share something else"],
)
def test_a_name_means_the_contact_that_the_file_has_first_however_its_row_was_read(
    engine: sa.Engine, take: Take, rows: str, keys: set[str], batch: int
) -> None:
    take(rows, batch=batch)
    with engine.connect() as db:
        assert set(db.scalars(sa.select(contact.c.key))) == keys
        assert set(db.scalars(sa.select(contact.c.key).where(contact.c.city == "Natal"))) <= {"1"}


@pytest.mark.parametrize("batch", [1, 10])
def test_a_no_ends_a_yes_without_a_date_that_the_file_gives_before_it(
    engine: sa.Engine, take: Take, now: datetime, batch: int
) -> None:
    take("key,email,consent.news,consent_date\n7,a@x.org,yes,\n7,a@x.org,no,2025-01-10\n", batch=batch)
    with engine.connect() as db:
        assert consent.live(db, find(db, "7") or 0, now)["email", "news"] is False
