"""The last check before a message can leave, in the statement that marks it as possibly sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from vinculo.db.tables import delivery
from vinculo.ledger.permission import row_consents, row_reachable
from vinculo.ledger.row import TOO_LATE, Claim, D, controlled, held_by, its_occurrence
from vinculo.model import DeliveryState, SkipReason


def submit(db: sa.Connection, claims: Sequence[Claim], now: datetime) -> set[int]:
    """Mark *claims* as being handed over; return the ids of those that may go. Commit before the first byte leaves.

    What pause, cancellation, consent, suppression or age forbid is settled here by what forbade it. A claim that is
    void, because its lease is over or another worker has the row, is not returned and nothing is changed for it.
    """
    if not claims:
        return set()
    ours = sa.and_(held_by(claims), D.state == DeliveryState.CLAIMED)
    may = sa.and_(
        D.lease_until > now, D.expires_at > now, its_occurrence("open"), sa.not_(controlled()),
        row_reachable(), row_consents(now),
    )  # fmt: skip
    handed = {"state": DeliveryState.SUBMITTING, "submitted_at": now, "attempts": D.attempts + 1}
    gone = set(db.scalars(sa.update(delivery).where(ours, may).values(**handed).returning(D.id)))
    if len(gone) < len(claims):
        _refuse(db, ours, now)
    return gone


def _refuse(db: sa.Connection, ours: sa.ColumnElement[bool], now: datetime) -> None:
    """Settle what the last check refused, by the first of these that holds; else the row is free again."""
    causes = [
        (sa.or_(controlled("cancelled"), its_occurrence("cancelled")), DeliveryState.CANCELLED, ""),
        (sa.or_(controlled(), sa.not_(its_occurrence("open"))), DeliveryState.PLANNED, ""),
        (D.expires_at <= now, DeliveryState.EXPIRED, TOO_LATE),
        (sa.not_(row_reachable()), DeliveryState.SKIPPED, SkipReason.SUPPRESSED.value),
        (sa.not_(row_consents(now)), DeliveryState.SKIPPED, SkipReason.NO_CONSENT.value),
    ]
    state = sa.case(*((held, value.value) for held, value, _ in causes), else_=DeliveryState.PLANNED.value)
    reason = sa.case(*((held, why) for held, _, why in causes), else_="")
    settled = sa.case((state == DeliveryState.PLANNED.value, sa.null()), else_=sa.literal(now, D.settled_at.type))
    alive = sa.and_(ours, D.lease_until > now)
    db.execute(
        sa.update(delivery).where(alive).values(state=state, reason=reason, settled_at=settled, lease_until=None)
    )
