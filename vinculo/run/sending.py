"""What the renderer needs of claimed deliveries, loaded for many at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from pydantic import ValidationError

from vinculo import contacts, conversation, ledger, tracking
from vinculo.ledger import Claim
from vinculo.model import NOTHING, Message
from vinculo.project.answers import OURS
from vinculo.project.schema import Campaign
from vinculo.quick import quick
from vinculo.render import Renderer, Sending, replying, write
from vinculo.run.needs import Needs

_sending = quick(Sending)


#: An occurrence's campaign as it was when it was planned, and when it was due; None when nobody can read it.
Planned = dict[tuple[str, str], tuple[Campaign, datetime] | None]


def sendings(db: sa.Connection, claims: Sequence[Claim], planned: Planned, rt: Needs) -> dict[int, Sending]:
    """What the renderer needs for each claim, in a few queries for all of them.

    *planned* keeps what never changes for the next call. A claim is missing when its contact is gone, or its campaign
    was planned by a Vinculo whose files we cannot read.
    """
    for key in {claim.key[:2] for claim in claims} - planned.keys():
        planned[key] = _place(db, *key)
    ids = [claim.key.contact_id for claim in claims]
    people, scores = contacts.load_scored(db, ids, _asked(claims, planned, rt.renderer))
    unknown = tracking.unknown(db, rt.project.settings.tracking, ids, rt.now())
    found: dict[int, Sending] = {}
    for claim in claims:
        campaign, occurrence, contact_id = claim.key
        place, contact = planned[campaign, occurrence], people.get(contact_id)
        if place is not None and contact is not None:
            found[claim.id] = _sending(
                claim.id, str(claim.key), place[0], occurrence, contact, claim.channel, claim.address, claim.variant,
                scores.get(contact_id, NOTHING), place[1], contact_id not in unknown,
            )  # fmt: skip
    _answer(db, found)
    return found


def _asked(claims: Sequence[Claim], planned: Planned, renderer: Renderer) -> Collection[str]:
    """What the messages of *claims* may ask of their contacts."""
    asked: set[str] = set()
    for campaign, occurrence, channel in {(*claim.key[:2], claim.channel) for claim in claims}:
        place = planned[campaign, occurrence]
        if campaign in OURS:  # which template answers is known later
            return contacts.EVERYTHING
        if place is not None:
            asked |= renderer.asks(place[0], channel)
    return asked


def _answer(db: sa.Connection, found: dict[int, Sending]) -> None:
    """Give those that answer a contact what they answer. One whose words were erased is nobody's."""
    ours = [number for number, sending in found.items() if sending.campaign.name in OURS]
    known = conversation.replies(db, ours) if ours else {}
    for number in ours:
        sending = found.pop(number)
        if number in known:
            found[number] = replying(sending, known[number])


def _place(db: sa.Connection, campaign: str, occurrence: str) -> tuple[Campaign, datetime] | None:
    place = ledger.place(db, campaign, occurrence)
    if place is None:
        return None
    try:
        return Campaign.model_validate(place.definition), place.due_at
    except ValidationError:
        return None


def sent_message(rt: Needs, delivery_id: int) -> Message | None:
    """The message of a delivery, rendered again as it was sent; None when nothing was, or its contact was erased."""
    with rt.read() as db:
        claim = ledger.last_claim(db, delivery_id)
        found = sendings(db, [claim], {}, rt) if claim is not None and claim.address else {}
    return write(rt.renderer, found[delivery_id], sign=False) if delivery_id in found else None
