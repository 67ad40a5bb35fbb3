"""A large audience in parts is the audience."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from vinculo import audience, ledger
from vinculo.audience import division
from vinculo.db import relay
from vinculo.db.tables import contact, delivery, permission
from vinculo.ledger.planning import ALLOCATED, RESTS_ON
from vinculo.model import Moment
from vinculo.segment import Segment
from vinculo.testing import store

from .conftest import Hall

POLICY = {"caps": [{"at_most": 2, "within": "5 days"}, {"at_most": 1, "within": "3 days", "channels": ["sms"]}]}
CAMPAIGNS = [
    store.campaign(exclude=["staff"], holdout="10%", variants={"a": {}, "b": {}}),
    store.campaign(kind="promotion", channels=["sms", "email"], exclude=["staff"]),
    store.campaign(kind="service", channels=["email", "sms"]),
]


def _files(hall, **policy):
    files = hall.project(**policy)
    files.settings.limits = SimpleNamespace(sql_seconds=60)
    return files


def _fill(hall, seed: int) -> None:
    dice = Random(seed)
    for number in range(60):
        one = hall.add(
            key=f"k{number}",
            kind="staff" if dice.random() < 0.1 else "customer",
            addresses=[
                *([("email", f"{dice.randrange(40)}@e.org")] if dice.random() < 0.9 else []),
                *([("sms", f"+55{dice.randrange(25)}")] if dice.random() < 0.5 else []),
            ],
            consent=["news"] if dice.random() < 0.8 else [],
            preferences={"frequency": "weekly"} if dice.random() < 0.2 else {},
        )
        for _ in range(dice.randrange(3)):
            hall.had(one, round(dice.uniform(0, 8), 3), channel=dice.choice(["email", "sms"]))
    with hall.engine.begin() as db:
        store.suppress(db, "email", "7@e.org")


@pytest.fixture
def relayed(monkeypatch) -> list[int]:
    """How many rows came by a second connection, part by part."""
    counts, enter = [], relay.Rows.enter

    def entered(rows, db):
        counts.append(enter(rows, db))
        return counts[-1]

    monkeypatch.setattr(relay.Rows, "enter", entered)
    return counts


def _entered(hall, files, file) -> tuple[list[sa.Row], bool]:
    """The rows of an audience, which is taken back, and whether it came in parts on SQLite."""
    date = store.occurrence(file, hall.now)
    columns = (delivery.c[name] for name in (*ALLOCATED, *RESTS_ON))
    with hall.engine.begin() as db:
        count = audience.enter(db, files, file, date, hall.now, zones=[hall.home])
        rows = sa.select(*columns).where(delivery.c.campaign == file.name).order_by(delivery.c.contact_id)
        found, parted = list(db.execute(rows)), bool(db.info.get("attached"))
        db.rollback()
    assert len(found) == count
    return found, parted


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("file", CAMPAIGNS, ids=lambda file: file.kind)
def test_in_parts_the_audience_is_the_same(hall, monkeypatch, relayed, file, seed) -> None:
    _fill(hall, seed)
    files = _files(hall, **POLICY)
    plain, whole = _entered(hall, files, file)
    monkeypatch.setattr(division, "MANY", 10)
    parts, parted = _entered(hall, files, file)
    assert parts == plain
    sqlite = hall.engine.dialect.name == "sqlite"
    assert (whole, parted, sum(relayed)) == (False, sqlite, 0 if sqlite else 60)
    assert len(parts) == 60
    assert "duplicate_address" in {row.reason for row in parts}


def test_what_the_same_transaction_wrote_before_is_in_the_audience(hall, monkeypatch, relayed) -> None:
    """A second connection would not see it, so there is none."""
    monkeypatch.setattr(division, "MANY", 1)
    for key in "abc":
        hall.add(key=key, email=f"{key}@e.org")
    file = store.campaign()
    with hall.engine.begin() as db:
        store.add_contact(db, key="d", email="d@e.org", consent=["news"])
        date = store.occurrence(file, hall.now)
        assert audience.enter(db, _files(hall), file, date, hall.now, zones=[hall.home]) == 4
        late = store.occurrence(file, hall.now.replace(hour=13))
        assert audience.enter(db, _files(hall), file, late, hall.now, zones=[hall.home]) == 4
        assert not db.info.get("attached")
        assert not relayed


def test_a_consent_that_is_withdrawn_when_its_row_is_there_lets_nothing_leave(
    postgres_engine, now, monkeypatch
) -> None:
    """And nobody else sees it yet: it is asked again before it leaves. One withdrawn before: `test_meanwhile`."""
    monkeypatch.setattr(division, "MANY", 1)
    hall, enter, entered = Hall(postgres_engine, now), relay.Rows.enter, []
    one, *others = (hall.add(key=key, email=f"{key}@e.org") for key in "abc")

    def withdrawn(rows, db):
        if sum(entered) == 1:
            with hall.engine.begin() as other:
                no = sa.update(permission).where(permission.c.contact_id == one).values(granted=False)
                assert other.execute(no).rowcount == 1
        entered.append(enter(rows, db))
        return entered[-1]

    monkeypatch.setattr(relay.Rows, "enter", withdrawn)
    file = store.campaign()
    with hall.engine.begin() as db:
        assert audience.enter(db, _files(hall), file, store.occurrence(file, now), now, zones=[hall.home]) == 3
    with hall.engine.begin() as db:
        claims = ledger.claim(db, "worker", 10, now, timedelta(minutes=5))
        assert len(claims) == 3
        gone = ledger.submit(db, claims, now)
        rows = sa.select(delivery.c.contact_id, delivery.c.reason).where(delivery.c.id.not_in(gone))
        assert db.execute(rows).all() == [(one, "no_consent")]
        assert len(gone) == len(others)


def test_what_asks_more_than_the_contacts_own_rows_is_asked_once(hall, monkeypatch) -> None:
    monkeypatch.setattr(division, "MANY", 1)
    for key in "abc":
        hall.add(key=key, email=f"{key}@e.org", tags=["friend"])
    files = _files(hall)
    files.segments["nobody"] = Segment(name="nobody", who={"tag": "stranger"})
    moment = Moment(hall.now, hall.now.date())
    with hall.engine.begin() as db:
        for asked in ({"segment": "friends"}, {"exclude": ["nobody"]}):
            assert not division.divisible(db, files, store.campaign(**asked), moment)
        assert division.divisible(db, files, store.campaign(), moment)


def test_nothing_stays_behind_and_the_next_transaction_begins_anew(hall, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(division, "MANY", 1)
    for key in "abc":
        hall.add(key=key, email=f"{key}@e.org")
    file, files = store.campaign(), _files(hall)
    for hour in (12, 13):
        date = store.occurrence(file, hall.now.replace(hour=hour))
        with hall.engine.begin() as db:
            assert audience.enter(db, files, file, date, hall.now, zones=[hall.home]) == 3
            assert not list(tmp_path.glob(".ahead-*"))
    with hall.engine.begin() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(contact)) == 3
        if hall.engine.dialect.name == "sqlite":
            assert {row[1] for row in db.exec_driver_sql("PRAGMA database_list")} <= {"main", "temp"}
