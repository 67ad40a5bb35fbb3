"""The demo company is laid from one seed and looks like a company."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
import sqlalchemy as sa

from vinculo.consent import address_hash
from vinculo.db import connect, metadata
from vinculo.db.tables import address, consent, contact, interaction, permission, preference, suppression, tag
from vinculo.demo.company import lay
from vinculo.mail import normalise_address
from vinculo.signing import Signer

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
SIGNER = Signer("a secret of the tests, long enough")


def _lay(engine: sa.Engine, contacts: int, seed: int = 7) -> Counter[str]:
    with engine.begin() as db:
        return lay(db, signer=SIGNER, seed=seed, contacts=contacts, now=NOW)


def _rows(engine: sa.Engine, table: sa.Table) -> list[tuple]:
    with engine.connect() as db:
        return sorted(tuple(map(str, row)) for row in db.execute(sa.select(table)))


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """A thousand contacts, to look at."""
    engine = connect(f"sqlite:///{tmp_path_factory.mktemp('demo') / 'vinculo.db'}")
    metadata.create_all(engine)
    _lay(engine, 1000)
    with engine.connect() as db:
        yield db
    engine.dispose()


def test_the_same_seed_lays_the_same_rows_and_another_seed_others(tmp_path):
    engines = [connect(f"sqlite:///{tmp_path / name}.db") for name in "abc"]
    for engine, seed in zip(engines, (1, 1, 2), strict=True):
        metadata.create_all(engine)
        _lay(engine, 120, seed)
    for table in (contact, address, tag, preference, consent, permission, suppression, interaction):
        first, again, other = (_rows(engine, table) for engine in engines)
        assert first == again
        assert first != other or not first
    for engine in engines:
        engine.dispose()


def test_both_databases_take_it_and_the_count_is_what_is_there(engine):
    laid = _lay(engine, 100)
    with engine.connect() as db:
        assert laid["contacts"] == 100 == db.scalar(sa.select(sa.func.count()).select_from(contact))
        assert laid["purchases"] == db.scalar(sa.select(sa.func.count()).select_from(interaction)) > 200


def test_the_contacts_live_where_the_shop_sells(company):
    shares = Counter(company.scalars(sa.select(contact.c.country)))
    assert 0.57 < shares["BR"] / 1000 < 0.67
    assert set(shares) == {"BR", "PT", "AR", "US"}
    assert min(shares.values()) > 60
    for zone in set(company.scalars(sa.select(contact.c.timezone))):
        ZoneInfo(zone)


def test_there_are_customers_leads_staff_and_partners(company):
    kinds = Counter(company.scalars(sa.select(contact.c.kind)))
    assert kinds["staff"] == 24
    assert kinds["customer"] > 750
    assert kinds["lead"] > 80
    assert kinds["partner"] > 10


def test_every_address_is_one_that_an_import_would_take_and_nobody_shares_one(company):
    rows = company.execute(sa.select(address.c.channel, address.c.value, address.c.hash)).all()
    assert len({(row.channel, row.value) for row in rows}) == len(rows)
    for row in rows:
        assert normalise_address(row.channel, row.value) == row.value
        assert row.hash == address_hash(SIGNER, row.channel, row.value)
        if row.channel == "email":
            assert row.value.endswith(".example")
        else:
            assert phonenumbers.is_valid_number(phonenumbers.parse(row.value))


def test_nobody_buys_before_the_first_day_or_after_today_and_only_people_who_can(company):
    rows = company.execute(
        sa.select(interaction.c.at, interaction.c.amount, contact.c.first_seen, contact.c.kind).join(contact)
    ).all()
    assert all(row.first_seen < row.at < NOW for row in rows)
    assert all(row.amount >= 3000 for row in rows)
    assert {row.kind for row in rows} <= {"customer", "staff"}
    assert min(row.first_seen for row in rows) > NOW - timedelta(days=3 * 366)


def test_purchases_differ_from_contact_to_contact_so_that_rfm_means_something(company):
    counts = Counter(company.scalars(sa.select(interaction.c.contact_id)))
    once, often = (sum(test(n) for n in counts.values()) for test in (lambda n: n <= 2, lambda n: n >= 20))
    assert once > 150
    assert often > 50


def test_november_and_december_are_busier_than_january_and_february(company):
    months = Counter(at.month for at in company.scalars(sa.select(interaction.c.at)) if at.year == 2025)
    assert months[11] + months[12] > 1.3 * (months[1] + months[2])


def test_birthdays_are_spread_over_the_year_and_agree_with_birthdates(company):
    rows = company.execute(sa.select(contact.c.birthdate, contact.c.birthday)).all()
    born = [row for row in rows if row.birthdate]
    assert 800 < len(born) < 950
    assert all(f"{row.birthdate:%m-%d}" == row.birthday for row in born)
    assert all(row.birthday == "" for row in rows if not row.birthdate)
    assert len({row.birthday[:2] for row in born}) == 12
    assert all(row.birthdate < NOW.date() - timedelta(days=18 * 365) for row in born)


def test_consent_is_dated_sourced_partial_and_sometimes_withdrawn(company):
    rows = company.execute(sa.select(consent, contact.c.first_seen).join(contact)).all()
    assert all(row.first_seen <= row.at <= NOW and row.source for row in rows)
    assert all(row.text_hash for row in rows if row.granted and row.legal_basis == "consent")
    live = company.execute(sa.select(permission).where(permission.c.topic == "news")).all()
    said_yes = [row for row in live if row.granted]
    assert 600 < len(said_yes) < 850
    assert len(live) > len(said_yes)


def test_some_addresses_are_suppressed_and_some_people_have_wishes(company):
    assert 2 <= company.scalar(sa.select(sa.func.count()).select_from(suppression)) < 40
    names = Counter(company.scalars(sa.select(preference.c.name)))
    assert names["frequency"] > 10
