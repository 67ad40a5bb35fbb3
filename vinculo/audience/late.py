"""What becomes of those for whom an occurrence comes too late."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo.model import DeliveryState, SkipReason


def without_missed(allocation: sa.Select[Any], oldest: datetime) -> sa.Select[Any]:
    """The same rows; who was due before *oldest* is skipped as missed. In a contact's own zone that differs by contact.

    Prefect starts every run that it missed during an outage: last week's newsletter must not go out today.
    """
    rows = allocation.subquery("on_time")
    missed = sa.and_(rows.c.state == DeliveryState.PLANNED.value, rows.c.due_at < oldest)
    changed = {"state": DeliveryState.SKIPPED.value, "reason": SkipReason.MISSED.value, "address": "", "variant": ""}
    return sa.select(
        *(
            sa.case((missed, changed[column.name]), else_=column).label(column.name)
            if column.name in changed
            else column
            for column in rows.c
        )
    )
