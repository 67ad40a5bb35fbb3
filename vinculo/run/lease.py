"""A worker's hold on what it has claimed: renewed while it works, given back when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from vinculo import ledger
from vinculo.ledger import Claim
from vinculo.run.needs import Needs


class Lease:
    """The claims of one round, on all their channels: those of the last channel wait while the others are sent.

    Without renewal a slow provider would outlast it, and the rest of the round would look like a dead worker's.
    """

    def __init__(self, rt: Needs, claims: Sequence[Claim]) -> None:
        self.rt, self.claims = rt, claims
        self.length = timedelta(seconds=rt.project.settings.limits.lease)
        self.renewed_at = rt.now()

    def keep(self, db: sa.Connection) -> None:
        """Renew it when a third is over, so that whatever leaves next has two thirds to be answered in."""
        now = self.rt.now()
        if now - self.renewed_at >= self.length / 3:
            ledger.renew(db, self.claims, now, self.length)
            self.renewed_at = now

    def end(self) -> None:
        """Give back what was never handed over."""
        with self.rt.begin() as db:
            ledger.release(db, self.claims, self.rt.now())
