"""One occurrence from segment to history: start reading here.

A run plans an occurrence into the ledger, drains the ledger through the channels' connectors, and finishes it. Every
step may be repeated at any time, by any number of workers: the ledger hands out each delivery once.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Any, Protocol

import sqlalchemy as sa

from vinculo import audience, contacts, history, ledger, schedule
from vinculo.connector import Connector, Outcome, Receipt, Unavailable
from vinculo.deliver import Circuit, deliver
from vinculo.errors import NotReady
from vinculo.ledger import Claim, Settlement
from vinculo.model import Contact, Direction, EventKind, Message, Moment, Occurrence, SkipReason
from vinculo.project import Campaign, Project
from vinculo.render import Renderer, RenderError, Sending

log = logging.getLogger(__name__)


class Needs(Protocol):
    """What a run needs; `runtime.Runtime` is one."""

    project: Project

    @property
    def renderer(self) -> Renderer: ...
    def now(self) -> datetime: ...
    def connector(self, channel: str) -> Connector: ...
    def circuit(self, channel: str) -> Circuit: ...
    def begin(self) -> AbstractContextManager[sa.Connection]: ...
    def read(self) -> AbstractContextManager[sa.Connection]: ...


class ProviderDown(NotReady):
    """A provider works for nobody. No contact failed: what was not sent waits in the ledger."""


def run_occurrence(rt: Needs, campaign: Campaign, occurrence: Occurrence, *, worker: str) -> Counter[str]:
    """Send *occurrence* to its audience in this process; return the number of deliveries per state.

    Raises `ProviderDown` when a channel's provider works for nobody; run it again later.
    """
    begin(rt, campaign, occurrence)
    drain(rt, worker=worker, campaign=campaign.name, occurrence=occurrence.key)
    finish(rt, campaign.name, occurrence.key)
    return states(rt, campaign.name, occurrence.key)


def begin(rt: Needs, campaign: Campaign, occurrence: Occurrence, *, due_now: bool = False) -> int:
    """Plan *occurrence* into the ledger: every contact of the segment gets exactly one row. Safe to repeat.

    *due_now* brings an occurrence forward: everybody's message is due at once. Returns the number of new rows.
    """
    now = rt.now()
    with rt.begin() as db:
        zones = _due(rt.project, contacts.zones(db), occurrence, now if due_now else None)
        moment = Moment(now, occurrence.local.date())
        allocation = audience.allocate(rt.project, campaign, occurrence, moment, zones=zones)
        ask = campaign.approval == "required"
        if not due_now:
            late = min(zones.values()) + campaign.late.within < now
            ask = ask or (late and campaign.late.else_ == "ask")
            if campaign.late.else_ == "skip":
                allocation = audience.without_missed(allocation, now - campaign.late.within)
        return ledger.plan(db, campaign, occurrence, allocation, now, held=ask)


def _due(
    project: Project, zones: Iterable[str], occurrence: Occurrence, at: datetime | None
) -> dict[str, datetime]:
    """When each zone's contacts are due: at one instant, or at the same wall clock everywhere."""
    home = project.settings.company.timezone
    names = {home, *zones}
    if at is not None:
        return dict.fromkeys(names, at)
    return {zone: schedule.instant(occurrence, zone) for zone in names}


def drain(rt: Needs, *, worker: str, campaign: str = "", occurrence: str = "") -> Counter[str]:
    """Take due deliveries from the ledger by leases until nothing is left; return the number per outcome.

    Raises `ProviderDown` at the end, after the other channels have been served.
    """
    total: Counter[str] = Counter()
    down: dict[str, str] = {}
    while True:
        with rt.begin() as db:
            ledger.recover(db, rt.now())
            claims = _claim(rt, db, worker, campaign, occurrence, down)
        if not claims:
            break
        for channel, share in groupby(sorted(claims, key=lambda claim: claim.channel), lambda claim: claim.channel):
            reason = _hand_over(rt, channel, list(share), total)
            if reason:
                down[channel] = reason
    if down:
        waits = "; ".join(f"{channel}: {reason}" for channel, reason in down.items())
        raise ProviderDown(waits, "Nobody was lost: what was not sent waits in the ledger for the next run.")
    return total


def _claim(
    rt: Needs, db: sa.Connection, worker: str, campaign: str, occurrence: str, down: Mapping[str, str]
) -> list[Claim]:
    limits = rt.project.settings.limits
    lease = timedelta(seconds=limits.lease)
    return ledger.claim(
        db, worker, limits.batch, rt.now(), lease, campaign=campaign, occurrence=occurrence, without=tuple(down)
    )


def _hand_over(rt: Needs, channel: str, claims: Sequence[Claim], total: Counter[str]) -> str:
    """Send *claims* through *channel*'s connector, as far as it pulls; give the rest back. Returns why it is down."""
    circuit = rt.circuit(channel)
    if not circuit.allows(rt.now()):
        with rt.begin() as db:
            ledger.release(db, claims, rt.now())
        return circuit.reason
    connector = rt.connector(channel)
    batch = _Batch(rt, connector, claims)
    try:
        with connector:
            for key, outcome in deliver(connector, batch.messages(), circuit=circuit, clock=rt.now):
                batch.answer(key, outcome)
    except Unavailable as error:  # it could not even be opened
        circuit.record(error, rt.now())
    total.update(batch.close())
    return "" if circuit.allows(rt.now()) else circuit.reason


class _Batch:
    """Claimed deliveries of one channel on their way through its connector.

    A pull renders the next few (at most `can.bulk`) and marks them `submitting`, durably, before they can leave; the
    same commit settles what was answered meanwhile. So a killed worker leaves at most `can.bulk` in doubt.
    """

    def __init__(self, rt: Needs, connector: Connector, claims: Sequence[Claim]) -> None:
        self.rt, self.connector = rt, connector
        self.waiting = iter(claims)
        self.untouched = {claim.id: claim for claim in claims}
        self.pulled: dict[str, Claim] = {}
        self.answered: list[Settlement] = []
        self.outcomes: Counter[str] = Counter()
        with rt.read() as db:
            self.sendings = _sendings(db, claims)

    def messages(self) -> Iterator[Message]:
        """The messages, rendered and marked when they are pulled."""
        while chunk := list(islice(self.waiting, self.connector.can.bulk)):
            yield from self._submit(self._render(chunk))

    def answer(self, key: str, outcome: Outcome) -> None:
        """Keep the connector's answer until the next commit."""
        self.answered.append(Settlement(self.pulled.pop(key), outcome))

    def close(self) -> Counter[str]:
        """Settle the last answers, give back what was never pulled, and count."""
        with self.rt.begin() as db:
            self._settle(db)
            ledger.release(db, list(self.untouched.values()), self.rt.now())
        return self.outcomes

    def _render(self, chunk: Sequence[Claim]) -> dict[int, tuple[Claim, Message]]:
        rendered = {}
        for claim in chunk:
            del self.untouched[claim.id]
            try:
                rendered[claim.id] = claim, self.rt.renderer.message(self.sendings[claim.id])
            except RenderError as error:  # one contact must not stop the rest
                self._skip(claim, str(error))
        return rendered

    def _skip(self, claim: Claim, detail: str) -> None:
        log.warning("%s cannot be rendered: %s", claim.key, detail)
        with self.rt.begin() as db:
            ledger.skip(db, claim, SkipReason.RENDER_ERROR, detail, self.rt.now())
        self.outcomes[SkipReason.RENDER_ERROR] += 1

    def _submit(self, rendered: Mapping[int, tuple[Claim, Message]]) -> Iterator[Message]:
        with self.rt.begin() as db:
            self._settle(db)
            submitted = ledger.submit(db, [claim for claim, _ in rendered.values()], self.rt.now())
        for number, (claim, message) in rendered.items():
            if number in submitted:
                self.pulled[message.key] = claim
                yield message

    def _settle(self, db: sa.Connection) -> None:
        answered, self.answered = self.answered, []
        if not answered:
            return
        now = self.rt.now()
        accepted = ledger.settle(db, answered, now, idempotent=self.connector.can.idempotent)
        history.record(db, [_sent(claim, now) for claim in accepted])
        self.outcomes.update(_word(settlement.outcome) for settlement in answered)


def _word(outcome: Outcome) -> str:
    return "accepted" if isinstance(outcome, Receipt) else type(outcome).__name__.lower()


def _sent(claim: Claim, now: datetime) -> history.Interaction:
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
    """What the renderer needs for each claim, in three queries for the whole batch."""
    ids = [claim.key.contact_id for claim in claims]
    people, scores = contacts.load(db, ids), contacts.scores(db, ids)
    definitions = ledger.definitions(db, {(claim.key.campaign, claim.key.occurrence) for claim in claims})
    return {claim.id: _sending(claim, people, scores, definitions) for claim in claims}


def _sending(
    claim: Claim,
    people: Mapping[int, Contact],
    scores: Mapping[int, Mapping[str, Any]],
    definitions: Mapping[tuple[str, str], ledger.Definition],
) -> Sending:
    definition = definitions[claim.key.campaign, claim.key.occurrence]
    return Sending(
        delivery_id=claim.id,
        key=str(claim.key),
        campaign=definition.campaign,
        occurrence_key=claim.key.occurrence,
        contact=people[claim.key.contact_id],
        channel=claim.channel,
        address=claim.address,
        variant=claim.variant,
        score=scores.get(claim.key.contact_id, {}),
        at=definition.due_at,
    )


def finish(rt: Needs, campaign: str, occurrence: str) -> bool:
    """Mark the occurrence finished if nothing of it is open: no delivery planned, deferred or in doubt."""
    with rt.begin() as db:
        return ledger.finish(db, campaign, occurrence, rt.now())


def states(rt: Needs, campaign: str, occurrence: str) -> Counter[str]:
    """How many deliveries of the occurrence are in each state."""
    total: Counter[str] = Counter()
    with rt.read() as db:
        for (state, _), number in ledger.counts(db, campaign, occurrence).items():
            total[state] += number
    return total
