"""R27: a database of the first revision, in the middle of a campaign with rows in every state, is brought up to date."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from alembic import command

from vinculo import ledger
from vinculo.connector import Receipt
from vinculo.db import metadata, migration, upgrade
from vinculo.db.tables import contact, delivery, occurrence
from vinculo.model import FINAL, DeliveryState
from vinculo.testing import store

#: The columns of a delivery in the first revision.
LATER = {"lost_at", "basis", "consent_id", "lapses_at"}
#: The states of what is, or was, handed over.
HANDED = {DeliveryState.SUBMITTING, DeliveryState.IN_DOUBT, DeliveryState.ACCEPTED, DeliveryState.REJECTED}
COLUMNS = [column.name for column in delivery.c if column.name not in LATER]


@pytest.fixture
def old(engine: sa.Engine, now: datetime) -> sa.Engine:
    """A database of revision 0001: ten contacts, each with a delivery in another state."""
    metadata.drop_all(engine)
    with engine.begin() as db:
        command.upgrade(migration.config(db), "0001")
        campaign = store.campaign()
        place = {"campaign": "weekly", "occurrence": "2026-12-01T12:00[UTC]"}
        row = {**place, "state": "open", "due_at": now, "planned_at": now}
        db.execute(sa.insert(occurrence).values(**row, definition=campaign.model_dump(mode="json", by_alias=True)))
        for number, state in enumerate(DeliveryState):
            email = f"c{number}@example.org"
            who = store.add_contact(db, key=f"c{number}", email=email, consent=["news"])
            handed = state in HANDED
            held = state in {DeliveryState.CLAIMED, DeliveryState.SUBMITTING, DeliveryState.EXPIRED}
            db.execute(
                sa.insert(delivery).values(
                    **place, contact_id=who, state=state.value, channel="email", address=email, topic="news",
                    due_at=now - timedelta(hours=1), expires_at=now + timedelta(days=1), fence=1, worker="old",
                    lease_until=now - timedelta(minutes=1) if held else None,
                    submitted_at=now - timedelta(minutes=9) if handed else None,
                    settled_at=now if state in FINAL else None, response="said so",
                )
            )  # fmt: skip
    return engine


def _rows(engine: sa.Engine) -> list[sa.Row]:
    with engine.begin() as db:
        return list(db.execute(sa.select(*(delivery.c[name] for name in COLUMNS)).order_by(delivery.c.id)))


def _lasting(row: sa.Row) -> dict[str, object]:
    """All but the lease, which only a held row keeps."""
    return {name: value for name, value in row._mapping.items() if name != "lease_until"}


def test_nothing_is_lost_and_the_campaign_goes_on(old: sa.Engine, now: datetime) -> None:
    before = _rows(old)
    assert upgrade(old) == "0001"
    after = _rows(old)
    assert [_lasting(row) for row in after] == [_lasting(row) for row in before]
    assert [row.state for row in after if row.lease_until] == ["claimed", "submitting"]
    with old.begin() as db:
        recovered = ledger.recover(db, now)
        assert (recovered.released, recovered.in_doubt) == (1, 1)
        claims = ledger.claim(db, "new", 10, now, timedelta(minutes=5))
        assert {claim.address for claim in claims} == {"c0@example.org", "c1@example.org", "c4@example.org"}
        assert len(ledger.submit(db, claims, now)) == 3
        ledger.settle(db, [ledger.Settlement(claim, Receipt()) for claim in claims], now)
        assert sum(ledger.counts(db, "weekly").values()) == db.scalar(sa.select(sa.func.count()).select_from(contact))
        assert ledger.counts(db, "weekly")["accepted", ""] == 4
        assert not ledger.finish(db, "weekly", "2026-12-01T12:00[UTC]", now)
        ledger.resolve(db, [one.id for one in ledger.in_doubt(db)], "write_off", now)
        assert ledger.finish(db, "weekly", "2026-12-01T12:00[UTC]", now)


def test_what_was_handed_over_at_no_known_instant_was_when_it_was_settled_or_due(old: sa.Engine, now: datetime) -> None:
    """Vinculo has always written it down; another program may not have, and the upgrade must not fail for that."""
    with old.begin() as db:
        db.execute(sa.update(delivery).values(submitted_at=None))
    upgrade(old)
    due = now - timedelta(hours=1)
    expected = dict.fromkeys(HANDED, due) | {DeliveryState.ACCEPTED: now, DeliveryState.REJECTED: now}
    assert {row.state: row.submitted_at for row in _rows(old) if row.submitted_at} == expected


def test_the_number_of_a_delivery_that_is_gone_is_not_given_again(old: sa.Engine, now: datetime) -> None:
    with old.begin() as db:
        command.upgrade(migration.config(db), "0024")  # after it the table is copied on SQLite
        last = db.scalar(sa.select(sa.func.max(delivery.c.id)))
        db.execute(sa.delete(delivery).where(delivery.c.id == last))
    upgrade(old)
    with old.begin() as db:
        place = {"campaign": "weekly", "occurrence": "2026-12-01T12:00[UTC]", "contact_id": last, "state": "skipped"}
        put = sa.insert(delivery).values(**place, due_at=now, expires_at=now).returning(delivery.c.id)
        assert db.scalar(put) == (last or 0) + 1


def test_a_worker_that_has_locked_its_rows_and_the_upgrade_do_not_wait_for_each_other(
    postgres_engine: sa.Engine,
) -> None:
    metadata.drop_all(postgres_engine)
    with postgres_engine.begin() as db:
        command.upgrade(migration.config(db), "0024")
    waits = sa.text("SELECT count(*) FROM pg_locks WHERE relation = 'delivery'::regclass AND NOT granted")
    with ThreadPoolExecutor(1) as pool, postgres_engine.connect() as worker:
        worker.execute(sa.select(delivery.c.id).with_for_update())
        upgraded = pool.submit(upgrade, postgres_engine)
        while not (worker.scalar(waits) or upgraded.done()):
            pass
        worker.execute(sa.update(delivery).values(worker="w"))
        worker.commit()
        assert upgraded.result() == "0024"
