"""One worker's rounds: claim, pass the gate, hand over channel by channel, and wait where a rate says so."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from vinculo import ledger, traffic
from vinculo.connector import Unavailable
from vinculo.deliver import State, deliver
from vinculo.errors import VinculoError
from vinculo.ledger import Claim
from vinculo.run.batch import Batch
from vinculo.run.connectors import Connectors
from vinculo.run.entry import enter, recover, same_providers
from vinculo.run.lease import Lease
from vinculo.run.needs import Needs

log = logging.getLogger(__name__)
#: A turn that is further away is left to the next run.
PATIENCE = timedelta(minutes=5)
#: A worker that waits asks again no sooner (tokens are taken in blocks) and no later: something else may be due.
_SOONEST, _LATEST = timedelta(seconds=0.5), timedelta(seconds=5)


class Shift:
    """What one worker does until nothing is left for it.

    *total*: outcomes; *down*: channels that work for nobody, *paused*: campaigns, both with the reason.
    """

    def __init__(self, rt: Needs, worker: str, campaign: str, occurrence: str, stop: Callable[[], bool]) -> None:
        self.rt, self.worker, self.campaign, self.occurrence, self.stop = rt, worker, campaign, occurrence, stop
        self.gate = traffic.Gate(rt.project)
        self.connectors = Connectors(rt)
        self.total: Counter[str] = Counter()
        self.down: dict[str, str] = {}
        self.paused: dict[str, str] = {}
        #: What of the round waits for its channel's turn; whether some of it cannot leave now, and is given back at
        #: its end.
        self._hand: dict[str, list[Claim]] = {}
        self._left = False
        #: When the last claim was made.
        self._claimed_at = rt.now()

    def claim(self) -> list[Claim] | None:
        """Take what is due into our hands and return what may leave now; None: nothing is due.

        Raises `NotReady` when the database is a copy.
        """
        enter(self.rt)
        recover(self.rt)
        rt, limits = self.rt, self.rt.project.settings.limits
        lease = timedelta(seconds=limits.lease)
        with rt.begin() as db:
            if not same_providers(rt, db):  # a worker with other settings came in between: enter anew
                return []
            for campaign, reason in traffic.judge(db, rt.project.policy.breakers, rt.now()):
                log.error("%s is paused: %s", campaign, reason)
            self._claimed_at = rt.now()
            claims = ledger.claim(
                db, self.worker, limits.batch, self._claimed_at, lease,
                campaign=self.campaign, occurrence=self.occurrence, without=tuple(self.down),
            )  # fmt: skip
            admitted = self.gate.admit(db, claims, rt.now())
        return admitted if claims else None

    def wait(self) -> bool:
        """Wait for the first turn of what a rate holds back. False: nothing waits, or it is not worth waiting."""
        rt = self.rt
        if not self.gate.holds:
            return False
        with rt.read() as db:
            turn = ledger.next_turn(db, self.campaign, self.occurrence, without=tuple(self.down))
        now = rt.now()
        if turn is None or turn - now > PATIENCE:
            return False
        self.close()
        until = min(max(turn, now + _SOONEST), now + _LATEST)
        while not self.stop() and (before := rt.now()) < until:
            rt.sleep(min(until - before, _SOONEST).total_seconds())
            if rt.now() <= before:  # a clock that stands still brings no turn
                return False
        return True

    def round(self, claims: Sequence[Claim]) -> None:
        """Send *claims*, channel by channel, and what is claimed meanwhile; give back what did not leave."""
        if not claims:
            return
        lease = Lease(self.rt, claims, self._claimed_at)
        self._left = False
        self._sort(claims)
        try:
            while self._hand:
                channel = min(self._hand)
                reason = self._hand_over(channel, self._hand.pop(channel), lease)
                if reason:
                    self.down[channel], self._left = reason, True
        finally:
            lease.end(self.gate)

    def _sort(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._hand.setdefault(claim.channel, []).append(claim)

    def _more(self, channel: str, lease: Lease) -> Sequence[Claim]:
        """The next claim's share of *channel*, taken while answers are still out, so that no connection is idle.

        None while others of the round wait: for their channel's turn, or to be given back.
        """
        if self._hand or self._left:
            return ()
        claims = self.claim() or ()
        # Somebody whose clock is ahead took what we are sending for a dead worker's: its answers must come first.
        again = any(claim.id in lease.claims for claim in claims)
        lease.add(claims, self._claimed_at)
        self._sort(claims)
        return () if again else self._hand.pop(channel, ())

    def _hand_over(self, channel: str, claims: Sequence[Claim], lease: Lease) -> str:
        """Send *claims* through *channel*'s connector, as far as it pulls. Returns why it is down."""
        rt = self.rt
        circuit = rt.circuit(channel)
        try:
            connector = self.connectors.get(channel)
        except VinculoError as error:  # vinculo.toml names none that works: the other channels have theirs
            return error.message
        batch = Batch(rt, connector, claims, lease, self.gate, more=partial(self._more, channel, lease))
        try:
            if circuit.state(rt.now()) is not State.OPEN:
                self.connectors.open(channel)
                messages, prepare = batch.messages(self.stop), partial(batch.prepare, self.stop)
                for key, outcome in deliver(connector, messages, circuit=circuit, now=rt.now, prepare=prepare):
                    batch.answer(key, outcome)
        except Unavailable as error:  # it could not even be opened
            circuit.learn(error, rt.now())
        finally:
            self.paused |= batch.unfit.paused
            self.total.update(batch.close())
            if circuit.state(rt.now()) is not State.CLOSED:
                self.connectors.close(channel)
        return circuit.reason if circuit.state(rt.now()) is State.OPEN else ""

    def close(self) -> None:
        """Let go of the connections."""
        self.connectors.close()
