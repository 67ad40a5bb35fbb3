"""A few contacts and what they do, for every test of scoring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import history
from vinculo.db.tables import contact, score
from vinculo.history import Interaction
from vinculo.model import Direction

Does = Callable[..., None]


@pytest.fixture
def people(now: datetime) -> Callable[[sa.Connection, int], Sequence[int]]:
    """Add so many contacts; return their ids."""

    def add(db: sa.Connection, number: int) -> Sequence[int]:
        db.execute(sa.insert(contact), [{"key": f"c{i}", "first_seen": now, "updated_at": now} for i in range(number)])
        return list(db.scalars(sa.select(contact.c.id).order_by(contact.c.id)))

    return add


@pytest.fixture
def does() -> Does:
    """Note what a contact did; without a kind it bought something."""

    def note(db: sa.Connection, owner: int, at: datetime, amount: int | None = None, currency: str = "BRL",
             kind: str = "purchased", **data: Any) -> None:  # fmt: skip
        said = {"amount": amount, "currency": currency} if amount is not None else {}
        history.record(db, [Interaction(owner, at, Direction.IN, kind, data=data, **said)])

    return note


@pytest.fixture
def scores() -> Callable[[sa.Connection], dict[int, Any]]:
    """The rows of `score`, by contact."""

    def read(db: sa.Connection) -> dict[int, Any]:
        return {row.contact_id: row for row in db.execute(sa.select(score))}

    return read
