"""An event that found its contact, and its line in the history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo import consent, history
from vinculo.feedback.match import Match
from vinculo.history import Interaction
from vinculo.model import Direction, Event
from vinculo.project import Project
from vinculo.signing import Signer

_SUMMARY = 200


@dataclass(frozen=True, slots=True)
class Case:
    """An event that found its contact. *at* is when it happened, never later than *now*.

    Without a *project* nobody is answered.
    """

    db: sa.Connection
    event: Event
    match: Match
    at: datetime
    now: datetime
    signer: Signer
    project: Project | None = None

    @property
    def channel(self) -> str:
        """The channel of the delivery, else the event's."""
        return self.match.sent.channel if self.match.sent else self.event.channel

    @property
    def address_hash(self) -> str:
        """The address we wrote to (a bounce may name another, behind a forwarder), else the event's."""
        address = self.match.sent.address if self.match.sent else self.event.address
        return consent.address_hash(self.signer, self.channel, address) if address else ""

    @property
    def vouched(self) -> bool:
        """Whether more than an address says so: anybody can write a mail that looks like a delivery report."""
        data = self.event.data
        return self.match.sure or "returned" not in data or "answers" in data


def write(case: Case, **data: Any) -> None:
    """Write the event into the contact's history; *data* is added to the event's own."""
    event, sent = case.event, case.match.sent
    facts = {"status": event.status, "reason": event.reason, "url": event.url, "topic": event.topic, **data}
    if sent and not case.match.sure:  # it answers the newest message, most likely: no proof that this one went out
        facts["matched_by"] = "address"
    row = Interaction(
        contact_id=case.match.contact_id,
        at=case.at,
        direction=Direction.IN,
        kind=event.kind.value,
        channel=case.channel,
        campaign=sent.campaign if sent else "",
        occurrence=sent.occurrence if sent else "",
        delivery_id=sent.id if sent else None,
        amount=event.amount.minor if event.amount else None,
        currency=event.amount.currency if event.amount else "",
        summary=(event.text or event.reason or event.url or event.topic)[:_SUMMARY],
        data={**event.data, **{name: value for name, value in facts.items() if value not in ("", None)}},
        source=event.source,
        event_id=event.id,
    )
    history.record(case.db, [row])
