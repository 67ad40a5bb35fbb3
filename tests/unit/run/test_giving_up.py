"""A plan that its run is asked to give up is taken back whole, and lets others write at once.

On SQLite: on a server nobody waits for it.
"""

from __future__ import annotations

from itertools import count

import pytest
import sqlalchemy as sa

from vinculo import ledger, project, run
from vinculo.audience import division
from vinculo.db import transaction
from vinculo.db.tables import delivery, occurrence
from vinculo.errors import NotReady
from vinculo.runtime import Runtime


@pytest.fixture(params=["by one connection", "by two"])
def many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(division, "MANY", 1 if request.param == "by two" else 10**9)
    monkeypatch.setattr(transaction, "_STEPS", 100)


def _planned(rt) -> int:
    with rt.read() as db:
        return sum(db.scalar(sa.select(sa.func.count()).select_from(table)) for table in (occurrence, delivery))


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("asks", [0, 5, 20])
def test_nobody_is_planned_and_others_can_write(rt, asks: int) -> None:
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


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_segment_that_takes_long_is_given_up_as_well(rt) -> None:
    """It is asked by itself first, and has `limits.sql_seconds` for it."""
    everybody = [f"c{number}" for number in range(9)]
    tables = ", ".join(f"contact {name}" for name in everybody)
    total = " + ".join(f"{name}.id" for name in everybody)
    (rt.project.root / "segments" / "slow.sql").write_text(f"SELECT c0.id FROM {tables} WHERE {total} < 0")
    files = project.load(rt.project.root, {"VINCULO__SECRET_KEY": "a secret for tests alone"})
    campaign = rt.project.campaigns["weekly"].model_copy(update={"segment": "slow"})
    shop, asked = Runtime(files, rt.engine, rt.now), count()
    with pytest.raises(NotReady, match="given up"):
        run.begin(shop, campaign, run.standing_for(rt, campaign, rt.now()), stop=lambda: next(asked) >= 3)
    assert _planned(rt) == 0
