"""A worker's hold on what it has claimed: renewed while it works, given back when it ends."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa

from vinculo import ledger
from vinculo.ledger import Claim
from vinculo.run.needs import Needs
from vinculo.traffic import Gate

log = logging.getLogger(__name__)


class Lease:
    """The claims of one round, on all their channels: those of the last channel wait while the others are sent.

    Without renewal a slow provider would outlast it, and the rest of the round would look like a dead worker's.
    *since*: no later than they were claimed, which may take its time to commit.
    """

    def __init__(self, rt: Needs, claims: Iterable[Claim], since: datetime) -> None:
        self.rt = rt
        self.claims = {claim.id: claim for claim in claims}
        self.length = timedelta(seconds=rt.project.settings.limits.lease)
        #: When a third of it is over.
        self._due_at = since + self.length / 3
        #: When it ends, by the last renewal that was committed.
        self.until = since + self.length

    def add(self, claims: Iterable[Claim], since: datetime) -> None:
        """Hold *claims* too, made no sooner than *since*: one renewal serves all.

        Their own lease ends later, unless the clock was set back meanwhile: what ends first ends all.
        """
        self.claims.update((claim.id, claim) for claim in claims)
        self._due_at = min(self._due_at, since + self.length / 3)
        self.until = min(self.until, since + self.length)

    def is_due(self) -> bool:
        """Whether a third of it is over: whatever leaves next should have two thirds to be answered in."""
        return self.rt.now() >= self._due_at

    def keep(self, db: sa.Connection) -> datetime:
        """Renew it when it is due, unless it is over; return what is its end once *db* is committed."""
        if not self.is_due():
            return self.until
        now = self.rt.now()
        self._due_at = now + self.length / 3
        if now >= self.until:
            return self.until
        ledger.renew(db, self.claims.values(), now, self.length)
        return now + self.length

    def settled(self, claims: Iterable[Claim]) -> None:
        """Let go of *claims*: their rows are settled, as far as this worker can."""
        for claim in claims:
            held = self.claims.get(claim.id)
            if held is claim or held == claim:  # else it is ours anew
                del self.claims[claim.id]

    def end(self, gate: Gate) -> None:
        """Give back what was never handed over, to the *gate* too. Without a database it runs out by itself."""
        if not self.claims:
            return
        try:
            with self.rt.begin() as db:
                ledger.release(db, self.claims.values(), self.rt.now())
                gate.give_back(db, self.claims.values(), self.rt.now())
        except sa.exc.DBAPIError as error:
            log.warning(
                "%d claims were not given back (%s): they are free again when their lease is over",
                len(self.claims),
                type(error.orig).__name__,
            )
