"""What the renderer needs of claimed deliveries, loaded for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from pydantic import ValidationError

from vinculo import contacts, ledger
from vinculo.ledger import Claim
from vinculo.model import NOTHING, Message
from vinculo.project.schema import Campaign
from vinculo.quick import quick
from vinculo.render import Sending
from vinculo.run.needs import Needs

_sending = quick(Sending)


def sendings(db: sa.Connection, claims: Sequence[Claim]) -> dict[int, Sending]:
    """What the renderer needs for each claim, in a few queries for all of them.

    A claim is missing when its contact is gone, or its campaign was planned by a Vinculo whose files we cannot read.
    """
    ids = [claim.key.contact_id for claim in claims]
    people, scores = contacts.load_scored(db, ids)
    places = _places(db, claims)
    found: dict[int, Sending] = {}
    for claim in claims:
        campaign, occurrence, contact_id = claim.key
        place, contact = places.get((campaign, occurrence)), people.get(contact_id)
        if place is not None and contact is not None:
            found[claim.id] = _sending(
                claim.id, str(claim.key), place[0], occurrence, contact, claim.channel, claim.address, claim.variant,
                scores.get(contact_id, NOTHING), place[1],
            )  # fmt: skip
    return found


def _places(db: sa.Connection, claims: Sequence[Claim]) -> dict[tuple[str, str], tuple[Campaign, datetime]]:
    """The campaigns as they were when they were planned, and when their occurrences were due."""
    read = {}
    for key in {(claim.key.campaign, claim.key.occurrence) for claim in claims}:
        found = ledger.place(db, *key)
        if found is not None and (campaign := _read(found)) is not None:
            read[key] = campaign, found.due_at
    return read


def _read(place: ledger.Place) -> Campaign | None:
    try:
        return Campaign.model_validate(place.definition)
    except ValidationError:
        return None


def sent_message(rt: Needs, delivery_id: int) -> Message | None:
    """The message of a delivery, rendered again as it was sent; None when nothing was, or its contact was erased."""
    with rt.read() as db:
        claim = ledger.last_claim(db, delivery_id)
        found = sendings(db, [claim]) if claim is not None and claim.address else {}
    return rt.renderer.message(found[delivery_id], sign=False) if delivery_id in found else None
