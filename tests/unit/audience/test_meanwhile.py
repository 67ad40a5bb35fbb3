"""Whoever says no, or yes anew, while an occurrence is planned on PostgreSQL: the plan heeds it, and nobody waits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import audience, consent, ledger
from vinculo.audience import division
from vinculo.db.tables import consent as consents
from vinculo.db.tables import contact, delivery, permission
from vinculo.project.schema import Campaign
from vinculo.testing import store

from .conftest import Hall, project

DAY = timedelta(days=1)
#: Holds a plan when its audience is worked out, or begins to be, and before the first of its rows is there.
GATE = 7
HELD = f"""
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN PERFORM pg_advisory_xact_lock({GATE}); RETURN NULL; END';
CREATE TRIGGER hold BEFORE INSERT ON delivery FOR EACH STATEMENT EXECUTE FUNCTION hold()"""


@pytest.fixture
def hall(postgres_engine: sa.Engine, now: datetime) -> Hall:
    return Hall(postgres_engine, now)


@pytest.fixture(params=["in one statement", "by a second connection"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(division, "MANY", 1 if "second" in request.param else 10**9)


def _enter(hall: Hall, file: Campaign) -> int:
    files = project()
    files.settings.limits = SimpleNamespace(sql_seconds=60)
    with hall.engine.begin() as db:
        return audience.enter(db, files, file, store.occurrence(file, hall.now), hall.now, zones=[hall.home])


def _planned_while(hall: Hall, file: Campaign, happens: Callable[[], None]) -> dict[int, sa.Row[Any]]:
    """The rows of an occurrence during whose planning something happens on other connections."""
    with hall.engine.begin() as db:
        db.exec_driver_sql(HELD)
    with ThreadPoolExecutor(1) as pool, hall.engine.connect() as gate:
        gate.execute(sa.select(sa.func.pg_advisory_xact_lock(GATE)))
        planning = pool.submit(_enter, hall, file)
        while not gate.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")):
            assert not planning.done()
        happens()
        gate.rollback()
        planning.result()
    with hall.engine.begin() as db:
        return {row.contact_id: row for row in db.execute(sa.select(delivery))}


@pytest.mark.usefixtures("way")
def test_whoever_says_no_meanwhile_is_left_out_and_all_others_are_planned(hall: Hall) -> None:
    people = [hall.add(key=f"k{number}", email=f"{number}@e.org") for number in range(40)]
    leaving, from_all, renewed, back, bounced, silent = people[:20:2], *people[1:10:2]

    def happens() -> None:
        for one in leaving:
            with hall.engine.begin() as db:
                consent.withdraw(db, one, "email", "news", hall.now, source="link")
        with hall.engine.begin() as db:
            consent.withdraw(db, from_all, "email", "", hall.now, source="word")
            consent.grant(db, renewed, "email", "news", hall.now, source="form", expires_at=hall.now + 9 * DAY)
            consent.withdraw(db, back, "email", "news", hall.now, source="link")
            consent.grant(db, back, "email", "news", hall.now + timedelta(seconds=1), source="form")
            store.suppress(db, "email", "7@e.org")
            db.execute(sa.delete(permission).where(permission.c.contact_id == silent))  # by nothing of ours: no answer

    rows = _planned_while(hall, store.campaign(), happens)
    left_out = {*leaving, from_all, silent}
    assert {who for who, row in rows.items() if (row.state, row.reason) == ("skipped", "no_consent")} == left_out
    assert {who for who, row in rows.items() if row.state == "planned"} == {*people} - left_out
    for row in (rows[who] for who in left_out):
        assert (row.channel, row.address, row.basis, row.consent_id, row.lapses_at) == ("email", "", "", None, None)
    with hall.engine.begin() as db:  # what is said later, and what the ledger alone does not know, is asked at the end
        claims = ledger.claim(db, "worker", 100, hall.now, timedelta(minutes=5))
        gone = ledger.submit(db, claims, hall.now)
        sent = set(db.scalars(sa.select(delivery.c.contact_id).where(delivery.c.id.in_(gone))))
    assert sent == {*people} - left_out - {bounced}


@pytest.mark.usefixtures("way")
def test_a_row_planned_on_a_yes_that_was_renewed_meanwhile_falls_with_the_next_no(hall: Hall) -> None:
    one = hall.add(key="a", email="a@e.org")
    hall.add(key="b", email="b@e.org")

    def happens() -> None:
        with hall.engine.begin() as db:
            consent.grant(db, one, "email", "news", hall.now, source="form")

    assert _planned_while(hall, store.campaign(), happens)[one].state == "planned"
    with hall.engine.begin() as db:
        consent.withdraw(db, one, "email", "news", hall.now + DAY, source="link")
        assert db.scalar(sa.select(delivery.c.lapses_at).where(delivery.c.contact_id == one)) == hall.now + DAY


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        ("its own", {}),
        ("its own", {"lapses_at": 2**60}),
        ("its own", {"topic": "offers"}),
        ("of another contact", {}),
        ("of another topic", {}),
        ("of another channel", {}),
        ("a no", {}),
    ],
)
def test_only_what_was_the_contacts_own_yes_permits_who_says_yes_anew(
    hall: Hall, names: str, wrong: dict[str, Any]
) -> None:
    one, other = (hall.add(key=key, email=f"{key}@e.org") for key in "ab")
    yes = {"contact_id": one, "channel": "email", "topic": "news", "granted": True, "at": hall.now}
    lines = {"its own": {}, "of another contact": {"contact_id": other}, "of another topic": {"topic": "offers"},
             "of another channel": {"channel": "sms"}, "a no": {"granted": False}}  # fmt: skip
    with hall.engine.begin() as db:
        db.execute(sa.insert(consents), [yes | line | {"source": name} for name, line in lines.items()])
        said = db.scalar(sa.select(consents.c.id).where(consents.c.source == names))
        rests = {"basis": sa.literal("consent"), "consent_id": sa.literal(said)}
        rests |= {"lapses_at": sa.literal(wrong.get("lapses_at"), sa.BigInteger)}
        rows = store.allocation(hall.now, topic=wrong.get("topic", "news")).where(contact.c.id == one)
        rows = rows.add_columns(*(value.label(name) for name, value in rests.items()))
        file = store.campaign()
        right = names == "its own" and not wrong
        with nullcontext() if right else pytest.raises(sa.exc.IntegrityError, match="no live consent"):
            assert ledger.plan(db, file, store.occurrence(file, hall.now), rows, hall.now) == 1
