"""Messages that cannot be rendered: whether the contact or the template is at fault."""

from __future__ import annotations

import logging

import sqlalchemy as sa

from vinculo import ledger
from vinculo.ledger import Claim
from vinculo.model import SkipReason
from vinculo.render import RenderError
from vinculo.run.needs import Needs

log = logging.getLogger(__name__)
#: So many messages of one campaign in a row that fail at the same place, and it is the template's fault.
BROKEN = 20


class Unfit:
    """The claims of one batch whose messages failed.

    *number*: how many contacts are left out for it; *left_out*: those of them of which the database does not know;
    *paused*: the campaigns whose template fails, and how it does.
    """

    def __init__(self, rt: Needs) -> None:
        self.rt = rt
        self.number = 0
        self.paused: dict[str, str] = {}
        self._failing: list[tuple[Claim, RenderError]] = []
        self.left_out: list[tuple[Claim, RenderError]] = []

    def fails(self, claim: Claim, error: RenderError) -> None:
        """Keep *claim* until it is known whether the contact or the template is at fault."""
        if self._failing and _fault(*self._failing[-1]) != _fault(claim, error):
            self.passes()
        self._failing.append((claim, error))
        if len(self._failing) >= BROKEN:
            self._pause(claim.key.campaign, error)

    def passes(self) -> None:
        """It is the contacts' fault: others' messages can be rendered, or too few failed to tell."""
        if self._failing:
            if not self.number:  # one that fails for many would fill the log
                # Without the reason, which may quote the contact: logs go to Prefect. `vinculo why` tells it.
                log.warning("%s cannot be rendered", self._failing[0][0].key)
            self.number += len(self._failing)
            self.left_out += self._failing
            self._failing = []

    def skip(self, db: sa.Connection) -> None:
        """Leave the contacts out whose fault it is; `skipped` once that is committed."""
        for claim, error in self.left_out:
            ledger.skip(db, claim, SkipReason.RENDER_ERROR, str(error), self.rt.now())

    def skipped(self) -> None:
        """What `skip` wrote is durable."""
        self.left_out = []

    def _pause(self, campaign: str, error: RenderError) -> None:
        """Stop a campaign whose template fails for everybody. Nobody is left out: all are given back and wait."""
        self._failing = []
        self.paused[campaign] = str(error)
        log.error("%s is paused: its template fails, %d times in a row", campaign, BROKEN)
        with self.rt.begin() as db:
            ledger.pause(db, campaign, self.rt.now(), f"the template fails: {error}")


def _fault(claim: Claim, error: RenderError) -> tuple[object, ...]:
    """Where a message fails: the same campaign at the same place of its template, else for the same reason."""
    return claim.key.campaign, error.template, error.line, "" if error.line else error.reason
