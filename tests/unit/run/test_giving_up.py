"""A plan that its run is asked to give up is taken back whole, and lets others write at once: SQLite."""

from __future__ import annotations

from itertools import count

import pytest
import sqlalchemy as sa

from vinculo import ledger, run
from vinculo.audience import division
from vinculo.db import transaction
from vinculo.db.tables import delivery, occurrence
from vinculo.errors import NotReady


@pytest.fixture(params=["by one connection", "by two"])
def many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(division, "MANY", 1 if request.param == "by two" else 10**9)
    monkeypatch.setattr(transaction, "_STEPS", 100)


def _planned(rt) -> int:
    with rt.read() as db:
        return sum(db.scalar(sa.select(sa.func.count()).select_from(table)) for table in (occurrence, delivery))


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("asks", [0, 5, 20])
def test_nobody_is_planned_and_others_can_write(rt, asks: int) -> None:
    if rt.engine.dialect.name != "sqlite":
        pytest.skip("on a server nobody waits")
    campaign = rt.project.campaigns["weekly"]
    asked = count()
    at = rt.now()
    date = run.standing_for(rt, campaign, at)
    with pytest.raises(NotReady, match="given up"):
        run.begin(rt, campaign, date, stop=lambda: next(asked) >= asks)
    assert next(asked) == asks + 1  # it ended at the first yes
    assert _planned(rt) == 0
    with rt.begin() as db:
        ledger.pause(db, campaign.name, at, "a person has stopped it")
    assert run.begin(rt, campaign, date) == 20
