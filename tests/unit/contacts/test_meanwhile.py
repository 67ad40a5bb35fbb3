"""Who goes while an occurrence is planned on PostgreSQL leaves no row behind that the planner made meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
import sqlalchemy as sa

from vinculo import contacts, ledger
from vinculo.db.tables import delivery
from vinculo.testing import store


def _erased(db: sa.Connection, one: int, other: int, now: datetime) -> None:
    del other
    contacts.erase(db, one, now)


def _merged(db: sa.Connection, one: int, other: int, now: datetime) -> None:
    contacts.merge(db, other, one, now)


@pytest.mark.parametrize("go", [_erased, _merged])
def test_who_goes_while_rows_are_planned_has_none_that_is_open(
    postgres_engine: sa.Engine, now: datetime, go: Callable[[sa.Connection, int, int, datetime], None]
) -> None:
    with postgres_engine.begin() as db:
        one, other = (
            store.add_contact(db, key=key, email=f"{key}@example.org", consent=["news"]) for key in ("one", "other")
        )
    campaign = store.campaign()

    def goes() -> None:
        with postgres_engine.begin() as db:
            go(db, one, other, now)

    with ThreadPoolExecutor() as pool, postgres_engine.connect() as planner, postgres_engine.begin() as eye:
        ledger.plan_alone(planner)
        rows = store.allocation(now, topic=campaign.topic, expires=campaign.expires)
        assert ledger.plan(planner, campaign, store.occurrence(campaign, now), rows, now) == 2
        going = pool.submit(goes)
        while not going.done() and not eye.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            pass
        planner.commit()
        going.result()
    with postgres_engine.begin() as db:
        left = db.execute(sa.select(delivery).where(delivery.c.contact_id == one)).one()
    assert left.state == "cancelled"
    assert left.address == ("" if go is _erased else "one@example.org")
