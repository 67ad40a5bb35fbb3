"""What a batch of a file says is written before the next is taken, or soon after."""

from __future__ import annotations

from datetime import datetime

import pytest
import sqlalchemy as sa

from tests.unit.contacts.conftest import Take
from vinculo import consent
from vinculo.contacts import find, importing


def test_what_a_long_run_of_wrong_rows_says_is_written_before_its_end(
    engine: sa.Engine, take: Take, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing._Writer, "_TOGETHER", 2)
    take("key,email,consent.news\na,a@x.org,yes\n")
    said: list[bool] = []

    def look(_: int) -> None:
        with engine.connect().execution_options(read_only=True) as db:
            said.append(consent.live(db, find(db, "a") or 0, now)["email", "news"])

    wrong = "a,a@x.org,31/02/1980,no\n" * 6
    take(f"key,email,birthdate,consent.news\n{wrong}", batch=2, progress=look)
    assert said == [False] * 4
