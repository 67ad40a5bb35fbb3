"""Who goes while an occurrence is planned on PostgreSQL leaves no row behind that the planner made meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import contacts, ledger, optin
from vinculo.conversation import posting
from vinculo.db.tables import delivery
from vinculo.project.schema import Policy
from vinculo.testing import store

_SETTINGS = SimpleNamespace(company=SimpleNamespace(timezone="UTC"), channels={"email": "connectors.smtp:Smtp"})


def _erased(db: sa.Connection, one: int, other: int, now: datetime) -> None:
    del other
    contacts.erase(db, one, now)


def _merged(db: sa.Connection, one: int, other: int, now: datetime) -> None:
    contacts.merge(db, other, one, now)


def _all(db: sa.Connection, one: int, now: datetime) -> None:
    del one
    campaign = store.campaign()
    ledger.plan_alone(db)
    rows = store.allocation(now, topic=campaign.topic, expires=campaign.expires)
    assert ledger.plan(db, campaign, store.occurrence(campaign, now), rows, now) == 2


def _asked(db: sa.Connection, one: int, now: datetime) -> None:
    policy = Policy.model_validate(
        {"topics": {"offers": {"title": {"en": "Offers"}}}, "confirm": {"topics": ["offers"]}}
    )
    project: Any = SimpleNamespace(policy=policy, settings=_SETTINGS, asks={"email"})
    assert optin.ask(db, project, one, "email", "offers", now, source="form") == "asked"


def _answered(db: sa.Connection, one: int, now: datetime) -> None:
    project: Any = SimpleNamespace(settings=_SETTINGS)
    way = posting.way_to(db, project, one, "email", "")
    assert way is not None
    assert posting.post(db, posting.day_of(project, "answer", now), one, way, now, template="answer")


@pytest.mark.parametrize("plan", [_all, _asked, _answered])
@pytest.mark.parametrize("go", [_erased, _merged])
def test_who_goes_while_rows_are_planned_has_none_that_is_open(
    postgres_engine: sa.Engine,
    now: datetime,
    go: Callable[[sa.Connection, int, int, datetime], None],
    plan: Callable[[sa.Connection, int, datetime], None],
) -> None:
    with postgres_engine.begin() as db:
        one, other = (
            store.add_contact(db, key=key, email=f"{key}@example.org", consent=["news"]) for key in ("one", "other")
        )

    def goes() -> None:
        with postgres_engine.begin() as db:
            go(db, one, other, now)

    with ThreadPoolExecutor() as pool, postgres_engine.connect() as planner, postgres_engine.begin() as eye:
        plan(planner, one, now)
        going = pool.submit(goes)
        while not going.done() and not eye.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            pass
        planner.commit()
        going.result()
    d = delivery.c
    with postgres_engine.begin() as db:
        left = db.execute(sa.select(d.state, d.address).where(d.contact_id == one)).all()
    # What one merged contact alone was to get is now the other's.
    assert {state for state, _ in left} <= {"cancelled"}
    assert {address for _, address in left} <= ({""} if go is _erased else {"one@example.org"})
    assert left or (go is _merged and plan is not _all)
