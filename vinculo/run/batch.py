"""Claimed deliveries on their way through a connector."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain
from typing import NoReturn

import sqlalchemy as sa

from vinculo import history, ledger
from vinculo.connector import Connector, InDoubt, Outcome, Receipt, Unavailable
from vinculo.db import instance
from vinculo.ledger import Claim, Settlement
from vinculo.model import Message, SkipReason
from vinculo.render import RenderError, Replying, Sending, together, write
from vinculo.render.renderer import Prepared
from vinculo.run.answers import Answers, folder
from vinculo.run.entry import dedupes
from vinculo.run.lease import Lease
from vinculo.run.needs import Needs
from vinculo.run.quiet import Quiet
from vinculo.run.sending import Planned, sendings
from vinculo.run.unfit import Unfit
from vinculo.traffic import Gate

log = logging.getLogger(__name__)
#: What rendering needs is loaded for so many at once: few queries, and no connection waits long for them.
AHEAD = 256

Rendered = list[tuple[Claim, Message]]


class Batch:
    """Claimed deliveries of one channel on their way through its connector.

    Messages go by groups: a group is rendered, and marked `submitting` in one durable commit that also settles what was
    answered since the last. A connector holds at most `can.bulk` unanswered, and a group is half of that: at most
    `bulk + bulk // 2` rows are marked at any time, and so many are in doubt after a kill. When *claims* come to their
    end, *more* are taken while the last answers are still out; none: it was the end.
    """

    def __init__(
        self, rt: Needs, connector: Connector, claims: Sequence[Claim], lease: Lease, gate: Gate, *,
        more: Callable[[], Sequence[Claim]] = tuple,
    ) -> None:  # fmt: skip
        self.rt, self.connector, self.lease, self.gate, self.more = rt, connector, lease, gate, more
        self.size = max(1, min(ledger.GROUP, connector.can.bulk // 2))
        self.claimed, self.waiting = deque(claims), deque[Claim]()
        self.sendings: dict[int, Sending] = {}
        self.planned: Planned = {}
        self.quiet = Quiet(rt, claims[0].channel)
        #: The group in hand, if one is: those not rendered yet, and those that are.
        self.begun = False
        self.group: deque[Claim] = deque()
        self.rendered: Rendered = []
        #: What their messages have in common, and what was made for all of the group at once.
        self.together: Mapping[int, Prepared] = {}
        self.marked: deque[tuple[Claim, Message]] = deque()
        self.pulled: dict[str, Claim] = {}
        self.answered: list[Settlement] = []
        self.unfit = Unfit(rt)
        self.asleep: list[tuple[Claim, datetime]] = []
        self.outcomes: Counter[str] = Counter()
        with rt.read() as db:
            self.kept = Answers(folder(rt), instance.identity(db))

    def messages(self, stop: Callable[[], bool]) -> Iterator[Message]:
        """The messages, rendered and marked when they are pulled, until *stop* says that it is enough.

        Also until the lease is over, when others may have what is marked, a rate has changed, or the database cannot
        take an answer.
        """
        while not self._must_end(stop):
            if self.marked:
                claim, message = self.marked.popleft()
                self.pulled[message.key] = claim
                yield message
            elif self._begin():
                self._render(len(self.group))
                self._mark()
            else:
                return

    def prepare(self, stop: Callable[[], bool]) -> bool:
        """Render a message of the next group while nothing else is to be done; False: there is nothing to do.

        It is not marked before it is asked for: what is marked is in doubt after a kill. Where hours are quiet nothing
        is prepared: they could begin before it is asked for.
        """
        if self.quiet.hours or self._must_end(stop) or not self._begin() or not self.group:
            return False
        self._render(1)
        return True

    def _must_end(self, stop: Callable[[], bool]) -> bool:
        if stop() or self.kept.needed or self.gate.changed(self.rt.read, self.rt.now()):
            return True
        return self.rt.now() >= self.lease.until  # last: the gate asks the database, which may take its time

    def answer(self, key: str, outcome: Outcome) -> None:
        """Keep the connector's answer until the next commit, which a slow provider may not delay too long."""
        self.answered.append(Settlement(self.pulled.pop(key), outcome))
        if self.kept.needed:
            self.kept.keep(self.answered)
        if self.lease.is_due():
            with suppress(sa.exc.DBAPIError), self._commit():
                pass  # should it fail, the answers are kept: those that are still to come must be heard too

    def close(self) -> Counter[str]:
        """Settle the last answers, and count."""
        unpulled = Unavailable("marked, but never pulled by the connector: nothing left")
        self.answered += [Settlement(claim, unpulled) for claim, _ in self.marked]
        unanswered = InDoubt("pulled by the connector, but never answered")
        self.answered += [Settlement(claim, unanswered) for claim in self.pulled.values()]
        self.unfit.passes()
        try:
            with self._commit():
                pass
        finally:
            self.lease.settled(one.claim for one in self.answered)  # should it fail: they may have left all the same
            self.kept.leave()
        if self.unfit.number > 1:
            log.warning("%d messages of this batch cannot be rendered", self.unfit.number)
        return +(self.outcomes + Counter({SkipReason.RENDER_ERROR: self.unfit.number}))

    def _stock(self) -> None:
        """Load what rendering needs for the next few of what we hold; of the next claim when we hold nothing."""
        # Not before: what a dead worker may have died on is found by the order within one claim. And what is paused is
        # given back first.
        if not (self.waiting or self.claimed or self.unfit.paused):
            self.claimed.extend(self.more())
            self.more = self.more if self.claimed else tuple  # it was the end
        if share := [self.claimed.popleft() for _ in range(min(AHEAD, len(self.claimed)))]:
            with self.rt.read() as db:
                self.sendings |= sendings(db, share, self.planned, self.rt)
            self.waiting.extend(share)

    def _begin(self) -> bool:
        """Take the next group in hand, unless one is; False: there is none."""
        if not self.begun and (group := self._group()):
            self.group.extend(self._awake(group))
            known = (self.sendings.get(claim.id) for claim in self.group)
            self.together = together(self.rt.renderer, filter(None, known))
            self.begun = True
        return self.begun

    def _group(self) -> list[Claim]:
        """The next few. One on which a worker may have died goes alone: if it kills this one too, it is known."""
        if len(self.waiting) < self.size:
            self._stock()
        group: list[Claim] = []
        while self.waiting and len(group) < self.size and not (group and self.waiting[0].crashes):
            group.append(self.waiting.popleft())
            if group[0].crashes:
                break
        return group

    def _awake(self, group: Sequence[Claim]) -> Sequence[Claim]:
        """Those of *group* who may be written to at this hour; a deferral, or a long send, may have come too late."""
        if not self.quiet.hours:
            return group
        now, awake = self.rt.now(), []
        for claim in group:
            sending = self.sendings.get(claim.id)
            answers = isinstance(sending, Replying)  # who has just written to us is awake
            end = None if answers else self.quiet.until(sending.contact if sending else None, now)
            if end is None:
                awake.append(claim)
            else:
                self.asleep.append((claim, end))
                self.sendings.pop(claim.id, None)
        return awake

    def _render(self, number: int) -> None:
        """Render the first *number* of the group."""
        renderer = self.rt.renderer
        for _ in range(number):
            claim = self.group.popleft()
            if claim.key.campaign in self.unfit.paused:
                continue  # it stays claimed, and is given back at the end
            sending = self.sendings.pop(claim.id, None)
            try:
                message = write(renderer, sending or _unreadable(claim), prepared=self.together.get(claim.id))
                self.rendered.append((claim, message))
            except RenderError as error:  # one contact must not stop the rest
                planned = self.planned.get((claim.key.campaign, claim.key.occurrence)) is not None
                self.unfit.fails(claim, error, sending, planned=planned)
            else:
                self.unfit.passes()

    # ── commits ──────────────────────────────────────────────────────────────────────────────────────────────────
    def _mark(self) -> None:
        """Mark what may leave of the group, durably: what may not is settled, or given back, here."""
        rendered, self.rendered, self.begun = self.rendered, [], False
        claims = [claim for claim, _ in rendered]
        with self._commit(claims) as db:
            submitted = ledger.submit(db, claims, self.rt.now())
            refused = [claim for claim in claims if claim.id not in submitted]
            self.gate.give_back(db, refused, self.rt.now())
        self.lease.settled(refused)
        self.marked.extend(one for one in rendered if one[0].id in submitted)

    @contextmanager
    def _commit(self, group: Sequence[Claim] = ()) -> Iterator[sa.Connection]:
        """A transaction that settles what was answered. Should it fail, the answers are kept for the next one.

        *group*: whose rows it will change beside those.
        """
        try:
            with self.rt.begin() as db:
                until = self.lease.keep(db)
                self._lock(db, group)
                self._settle(db)
                self.unfit.skip(db)
                if self.asleep:
                    ledger.postpone(db, self.asleep, reason="")
                yield db
        except Exception:
            if self.answered:
                self.kept.keep(self.answered)
            raise
        self.kept.forget()
        self.lease.until = until
        for kind, number in Counter(type(settlement.outcome) for settlement in self.answered).items():
            self.outcomes[_word(kind)] += number
        self.lease.settled(one.claim for one in self.answered)
        self.unfit.skipped()
        self.answered, self.asleep = [], []

    def _lock(self, db: sa.Connection, group: Sequence[Claim]) -> None:
        """Lock all rows that one commit changes in their order, where its steps would not: none waits in a circle."""
        if db.dialect.name == "sqlite":
            return  # one transaction writes at a time
        left_out = (claim for claim, _ in (*self.unfit.left_out, *self.asleep))
        steps = sorted(one.claim.id for one in self.answered), (one.id for one in left_out), sorted(c.id for c in group)
        ids = list(chain(*steps))
        if ids != sorted(ids):
            ledger.lock(db, ids)

    def _settle(self, db: sa.Connection) -> None:
        if not self.answered:
            return
        now = self.rt.now()
        settled = ledger.settle(db, self.answered, now, idempotent=dedupes(self.rt, db, self.connector, self.answered))
        history.sent(db, [claim.id for claim in settled.accepted], now)
        self.gate.learn(db, self.answered, now)
        for claim in settled.stale:  # its lease was over and somebody else has it: the answer came too late to count
            log.error("%s was answered after its row had been taken over", claim.key)


def _unreadable(claim: Claim) -> NoReturn:
    raise RenderError(f"its contact is gone, or {claim.key.campaign} was planned by another Vinculo: cancel it")


def _word(outcome: type[Outcome]) -> str:
    return "accepted" if issubclass(outcome, Receipt) else outcome.__name__.lower()
