"""Where scores are kept there is room for those that are written anew."""

from __future__ import annotations

import sqlalchemy as sa


def test_a_page_of_scores_has_room_for_what_scoring_writes_anew(postgres_engine: sa.Engine) -> None:
    with postgres_engine.begin() as db:
        assert db.scalar(sa.text("SELECT reloptions FROM pg_class WHERE relname = 'score'")) == ["fillfactor=50"]
