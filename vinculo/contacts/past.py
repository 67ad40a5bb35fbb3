"""What a contact leaves behind when it goes, by erasure or by becoming part of another."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import alias, delivery
from vinculo.model import DeliveryState

#: Not gone out yet.
OPEN = (DeliveryState.PLANNED, DeliveryState.CLAIMED, DeliveryState.DEFERRED)
#: The person has it, or may have it.
_OUT = (DeliveryState.SUBMITTING, DeliveryState.IN_DOUBT, DeliveryState.ACCEPTED)


def selves(db: sa.Connection, contact_id: int) -> list[int]:
    """Return *contact_id* and the ids of all that became part of it: their empty rows still hold deliveries."""
    ids = db.scalars(sa.select(alias.c.key).where(alias.c.contact_id == contact_id, alias.c.key.startswith("#")))
    return [contact_id, *sorted(int(key[1:]) for key in ids)]


def call_off(db: sa.Connection, contact_id: int, reason: str, now: datetime, *which: sa.ColumnElement[bool]) -> None:
    """Cancel the contact's open deliveries, or *which* of them, for *reason*; who holds one finds its claim void.

    In doubt is one that was handed over without an answer before, and was to be sent again.
    """
    d = delivery.c
    lost = d.lost_at.is_not(None)
    values: dict[str, Any] = {
        "state": sa.case((lost, DeliveryState.IN_DOUBT.value), else_=DeliveryState.CANCELLED.value),
        "settled_at": sa.case((lost, sa.null()), else_=sa.literal(now, d.settled_at.type)),
        "reason": reason,
        "lease_until": None,
        "fence": d.fence + 1,
    }
    mine = (d.contact_id == contact_id) & d.state.in_(OPEN)
    db.execute(sa.update(delivery).where(mine, *which).values(values))


def had_by(ids: Collection[int]) -> sa.ColumnElement[bool]:
    """Whether one of the contacts *ids* has, or may have, a message of a delivery's occurrence."""
    other = delivery.alias("other")
    same = (other.c.campaign == delivery.c.campaign) & (other.c.occurrence == delivery.c.occurrence)
    return sa.exists().where(other.c.contact_id.in_(ids), same, other.c.state.in_(_OUT))
