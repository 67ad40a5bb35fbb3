"""What a contact leaves behind when it goes, by erasure or by becoming part of another."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import alias, delivery
from vinculo.model import DeliveryState

_OPEN = (DeliveryState.PLANNED, DeliveryState.CLAIMED, DeliveryState.DEFERRED)


def selves(db: sa.Connection, contact_id: int) -> list[int]:
    """Return *contact_id* and the ids of all that became part of it: their empty rows still hold deliveries."""
    ids = db.scalars(sa.select(alias.c.key).where(alias.c.contact_id == contact_id, alias.c.key.startswith("#")))
    return [contact_id, *sorted(int(key[1:]) for key in ids)]


def call_off(db: sa.Connection, contact_id: int, reason: str, now: datetime) -> None:
    """Cancel the contact's open deliveries for *reason*; a worker that holds one finds its claim void."""
    values: dict[str, Any] = {"state": DeliveryState.CANCELLED, "reason": reason, "settled_at": now}
    mine = (delivery.c.contact_id == contact_id) & delivery.c.state.in_(_OPEN)
    db.execute(sa.update(delivery).where(mine).values(values | {"fence": delivery.c.fence + 1}))
