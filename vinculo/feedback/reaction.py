"""One small function per kind of event: what it does besides the line in the history, which every kind writes.

Each may run in any order with the others: the state after all of them is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo import consent, traffic
from vinculo.db.tables import interaction
from vinculo.feedback.agent import RULE, judge
from vinculo.feedback.case import Case, write
from vinculo.feedback.leaving import leave
from vinculo.feedback.talk import heard, left, surveyed
from vinculo.inbox import intents, tone, wants_out_everywhere
from vinculo.model import EventKind

#: So many soft bounces in a row, without a delivery in between, and the address is suppressed.
SOFT_BOUNCES_IN_A_ROW = 5


def on_noted(case: Case) -> None:
    """Nothing but the line in the history."""
    write(case)


def on_delivered(case: Case) -> None:
    """The address works: soft bounces are counted afresh."""
    _write_report(case)
    _count_soft_bounces(case)


def on_bounced(case: Case) -> None:
    """Hard: never write to the address again. Soft, or told by nobody we know: only after several in a row."""
    hard = bool(case.event.hard) and case.vouched
    if hard:
        _count(case, traffic.BOUNCED)
    _write_report(case, hard=hard)
    if hard:
        _suppress(case, "hard_bounce")
    else:
        _count_soft_bounces(case)


def _write_report(case: Case, **data: Any) -> None:
    write(case, address_hash=case.address_hash, unproved=None if case.vouched else True, **data)


def on_complained(case: Case) -> None:
    """Take back every consent on the channel, and never write to the address again.

    A complaint that is told by nobody we know is believed as far as any no is: who did not complain can come back.
    """
    if case.vouched:
        _count(case, traffic.COMPLAINED)
        _suppress(case, "complaint")
    write(case, unproved=None if case.vouched else True)
    _withdraw(case, [case.channel], "")


def on_opened(case: Case) -> None:
    """Keep every opening, with the class of who did it."""
    write(case, **{"class": judge(case.event.data), "rule": RULE})


def on_clicked(case: Case) -> None:
    """Keep every click, with the class of who did it."""
    write(case, **{"class": judge(case.event.data), "rule": RULE})


def on_replied(case: Case) -> None:
    """Keep what the contact wrote, and what it asks for; who asks to be let alone is."""
    text = case.event.text
    wants, mood = intents(text), tone(text)
    write(case, text=text, intents=list(wants), tone=mood)
    if "stop" in wants:
        _leave(case, "", everywhere=wants_out_everywhere(text))
    heard(case, wants, mood)


def on_surveyed(case: Case) -> None:
    """Keep the answer; who is unhappy with us hears from somebody."""
    write(case)
    surveyed(case)


def on_unsubscribed(case: Case) -> None:
    """Take back the consent to the topic, or to every topic when none is named; on every channel when none is."""
    write(case)
    _leave(case, case.event.topic)
    left(case)


def on_subscribed(case: Case) -> None:
    """Record the yes to the topic. Without a topic it is no consent to anything; nor is what must be confirmed yet."""
    write(case)
    if case.event.topic and case.channel and not case.event.data.get("unconfirmed"):
        proof = {name: str(case.event.data.get(name, "")) for name in ("legal_basis", "text_hash")}
        consent.grant(
            case.db,
            case.match.contact_id,
            case.channel,
            case.event.topic,
            case.at,
            source=case.event.source,
            heard=case.now,
            **proof,
        )


#: What happens on each kind. `unknown` is kept raw and nothing else.
ON: Mapping[EventKind, Callable[[Case], None]] = {
    EventKind.QUEUED: on_noted,
    EventKind.SENT: on_noted,
    EventKind.REJECTED: on_noted,
    EventKind.FAILED: on_noted,
    EventKind.DEFERRED: on_noted,
    EventKind.DELIVERED: on_delivered,
    EventKind.BOUNCED: on_bounced,
    EventKind.COMPLAINED: on_complained,
    EventKind.OPENED: on_opened,
    EventKind.CLICKED: on_clicked,
    EventKind.REPLIED: on_replied,
    EventKind.AUTO_REPLIED: on_noted,
    EventKind.UNSUBSCRIBED: on_unsubscribed,
    EventKind.SUBSCRIBED: on_subscribed,
    EventKind.PURCHASED: on_noted,
    EventKind.VISITED: on_noted,
    EventKind.SURVEYED: on_surveyed,
    EventKind.INBOUND: on_replied,
}


def _count(case: Case, kind: traffic.Setback) -> None:
    """Count a setback of the occurrence, once a delivery: too many pause its campaign (`traffic.breaker`)."""
    sent = case.match.sent
    if sent is None:
        return
    row = interaction.c
    earlier = sa.select(row.data).where(row.delivery_id == sent.id, row.kind == kind)
    told = (data for data in case.db.scalars(earlier) if not data.get("unproved"))
    if not any(kind == traffic.COMPLAINED or data.get("hard") for data in told):
        traffic.count(case.db, sent.campaign, sent.occurrence, kind)


def _suppress(case: Case, reason: str) -> None:
    if case.address_hash:
        consent.suppress(case.db, case.channel, case.address_hash, reason, case.event.source, case.at)


def _leave(case: Case, topic: str, *, everywhere: bool = False) -> None:
    one = case.channel and not everywhere
    _withdraw(case, [case.channel] if one else consent.channels(case.db, case.match.contact_id), topic)


def _withdraw(case: Case, channels: Collection[str], topic: str) -> None:
    told = {case.channel: case.match.sent.address if case.match.sent else case.event.address}
    source = case.event.source
    leave(case.db, case.match.contact_id, channels, topic, case.at, now=case.now, source=source, told=told)


def _count_soft_bounces(case: Case) -> None:
    """Suppress the address if its newest events are soft bounces in a row; else lift what an earlier count did.

    Counted from the history as it is now, so that a delivery which is reported late still counts.
    """
    if not case.address_hash:
        return
    row = _soft_bounces_in_a_row(case)
    consent.lift_soft_bounces(case.db, case.channel, case.address_hash)
    if len(row) >= SOFT_BOUNCES_IN_A_ROW and any(proved for _, proved in row):
        at = row[SOFT_BOUNCES_IN_A_ROW - 1][0]
        consent.suppress(case.db, case.channel, case.address_hash, consent.SOFT_BOUNCES, "", at)


def _soft_bounces_in_a_row(case: Case) -> list[tuple[datetime, bool]]:
    """Return when the address bounced softly since its last delivery, oldest first, and whether that is proved."""
    row = interaction.c
    ask = (
        sa.select(row.at, row.kind, row.data)
        .where(row.contact_id == case.match.contact_id, row.channel == case.channel)
        .where(row.kind.in_([EventKind.BOUNCED.value, EventKind.DELIVERED.value]))
        .order_by(row.at, row.kind.desc())
    )
    bounces: list[tuple[datetime, bool]] = []
    for at, kind, data in case.db.execute(ask):
        if data.get("address_hash") != case.address_hash:
            continue
        proved = not data.get("unproved")
        if kind == EventKind.DELIVERED and proved:
            bounces.clear()
        elif kind == EventKind.BOUNCED and not data["hard"]:
            bounces.append((at, proved))
    return bounces
