"""Claimed deliveries on their way through a connector."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from vinculo import contacts, history, ledger
from vinculo.connector import Connector, InDoubt, Outcome, Receipt, Unavailable
from vinculo.ledger import Claim, Settlement
from vinculo.model import Contact, Direction, EventKind, Message, SkipReason
from vinculo.project.schema import Campaign
from vinculo.render import RenderError, Sending
from vinculo.run.lease import Lease
from vinculo.run.needs import Needs

log = logging.getLogger(__name__)


class Batch:
    """Claimed deliveries of one channel on their way through its connector.

    A pull renders the next few and marks them `submitting`, durably, before they can leave; the same commit settles
    what was answered meanwhile. At most `can.bulk` rows are marked at any time: so many are in doubt after a kill.
    """

    def __init__(self, rt: Needs, connector: Connector, claims: Sequence[Claim], lease: Lease) -> None:
        self.rt, self.connector, self.lease = rt, connector, lease
        self.waiting = iter(claims)
        self.marked: dict[int, tuple[Claim, Message]] = {}
        self.pulled: dict[str, Claim] = {}
        self.answered: list[Settlement] = []
        self.outcomes: Counter[str] = Counter()
        with rt.read() as db:
            self.sendings = _sendings(db, claims)

    def messages(self, stop: Callable[[], bool]) -> Iterator[Message]:
        """The messages, rendered and marked when they are pulled, until *stop* says that it is enough."""
        while not stop() and (chunk := list(islice(self.waiting, self._room()))):
            yield from self._submit(self._render(chunk))

    def answer(self, key: str, outcome: Outcome) -> None:
        """Keep the connector's answer until the next commit."""
        self.answered.append(Settlement(self.pulled.pop(key), outcome))

    def close(self) -> Counter[str]:
        """Settle the last answers, and count."""
        unpulled = Unavailable("marked, but never pulled by the connector: nothing left")
        self.answered += [Settlement(claim, unpulled) for claim, _ in self.marked.values()]
        unanswered = InDoubt("pulled by the connector, but never answered")
        self.answered += [Settlement(claim, unanswered) for claim in self.pulled.values()]
        with self._commit():
            pass
        if self.outcomes[SkipReason.RENDER_ERROR] > 1:
            log.warning("%d messages of this batch cannot be rendered", self.outcomes[SkipReason.RENDER_ERROR])
        return self.outcomes

    def _room(self) -> int:
        """How many may be marked beside those that still wait for their answer."""
        return max(1, self.connector.can.bulk - len(self.pulled))

    def _render(self, chunk: Sequence[Claim]) -> dict[int, tuple[Claim, Message]]:
        rendered = {}
        for claim in chunk:
            try:
                rendered[claim.id] = claim, self.rt.renderer.message(self.sendings[claim.id])
            except RenderError as error:  # one contact must not stop the rest
                self._skip(claim, str(error))
        return rendered

    def _skip(self, claim: Claim, detail: str) -> None:
        if not self.outcomes[SkipReason.RENDER_ERROR]:  # a template that fails for all would fill the log
            # Without the reason, which may quote the contact: logs go to Prefect. `vinculo why` tells it.
            log.warning("%s cannot be rendered", claim.key)
        with self.rt.begin() as db:
            self.lease.keep(db)
            ledger.skip(db, claim, SkipReason.RENDER_ERROR, detail, self.rt.now())
        self.outcomes[SkipReason.RENDER_ERROR] += 1

    def _submit(self, rendered: Mapping[int, tuple[Claim, Message]]) -> Iterator[Message]:
        with self._commit() as db:
            submitted = ledger.submit(db, [claim for claim, _ in rendered.values()], self.rt.now())
        self.marked = {number: rendered[number] for number in rendered if number in submitted}
        for number in list(self.marked):
            claim, message = self.marked.pop(number)
            self.pulled[message.key] = claim
            yield message

    @contextmanager
    def _commit(self) -> Iterator[sa.Connection]:
        """A transaction that settles what was answered. Should it fail, the answers are there for the next one."""
        with self.rt.begin() as db:
            self.lease.keep(db)
            self._settle(db)
            yield db
        self.outcomes.update(_word(settlement.outcome) for settlement in self.answered)
        self.answered = []

    def _settle(self, db: sa.Connection) -> None:
        if not self.answered:
            return
        now = self.rt.now()
        settled = ledger.settle(db, self.answered, now, idempotent=self.connector.can.idempotent)
        history.record(db, [sent(claim, now) for claim in settled.accepted])
        for claim in settled.stale:  # its lease was over and somebody else has it: the answer came too late to count
            log.error("%s was answered after its row had been taken over", claim.key)


def _word(outcome: Outcome) -> str:
    return "accepted" if isinstance(outcome, Receipt) else type(outcome).__name__.lower()


def sent(claim: Claim, now: datetime) -> history.Interaction:
    """What the history keeps of an accepted delivery."""
    return history.Interaction(
        contact_id=claim.key.contact_id,
        at=now,
        direction=Direction.OUT,
        kind=EventKind.SENT,
        channel=claim.channel,
        campaign=claim.key.campaign,
        occurrence=claim.key.occurrence,
        delivery_id=claim.id,
    )


def _sendings(db: sa.Connection, claims: Sequence[Claim]) -> dict[int, Sending]:
    """What the renderer needs for each claim, in a few queries for the whole batch."""
    ids = [claim.key.contact_id for claim in claims]
    people, scores = contacts.load(db, ids), contacts.scores(db, ids)
    places = _places(db, claims)
    return {claim.id: _sending(claim, people, scores, *places[_place(claim)]) for claim in claims}


def sent_message(rt: Needs, delivery_id: int) -> Message | None:
    """The message of a delivery, rendered again as it was sent; None when nothing was, or its contact was erased."""
    with rt.read() as db:
        claim = ledger.last_claim(db, delivery_id)
        sendings = _sendings(db, [claim]) if claim is not None and claim.address else {}
    return rt.renderer.message(sendings[delivery_id]) if delivery_id in sendings else None


def _place(claim: Claim) -> tuple[str, str]:
    return claim.key.campaign, claim.key.occurrence


def _places(db: sa.Connection, claims: Sequence[Claim]) -> dict[tuple[str, str], tuple[Campaign, datetime]]:
    """The campaigns as they were when they were planned, and when their occurrences were due."""
    found = [ledger.place(db, *key) for key in sorted({_place(claim) for claim in claims})]
    return {
        (place.campaign, place.occurrence): (Campaign.model_validate(place.definition), place.due_at)
        for place in found
        if place is not None
    }


def _sending(
    claim: Claim,
    people: Mapping[int, Contact],
    scores: Mapping[int, Mapping[str, Any]],
    campaign: Campaign,
    due_at: datetime,
) -> Sending:
    return Sending(
        delivery_id=claim.id,
        key=str(claim.key),
        campaign=campaign,
        occurrence_key=claim.key.occurrence,
        contact=people[claim.key.contact_id],
        channel=claim.channel,
        address=claim.address,
        variant=claim.variant,
        score=scores.get(claim.key.contact_id, {}),
        at=due_at,
    )
