"""Objectives are on the console's first page: what they ask must not read the whole history."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa

from vinculo.project.schema import Objective
from vinculo.report import objectives

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


def test_who_bought_again_is_counted_by_the_index_of_purchases(sqlite_engine: sa.Engine) -> None:
    asked: list[tuple[str, Any]] = []
    again = Objective(description="x", metric="repeat_rate", baseline=1, target=2, deadline=date(2027, 1, 1))
    with sqlite_engine.connect() as db:
        sa.event.listen(db, "before_cursor_execute", lambda *said: asked.append((said[2], said[3])))
        objectives(db, {"again": again}, {}, NOW)
        [(statement, values)] = [each for each in asked if "purchased" in repr(each)]
        plan = [row[3] for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert any("USING INDEX ix_interaction_purchase" in step for step in plan), plan
