"""Whom a token speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

from vinculo import consent, contacts
from vinculo.db import tables
from vinculo.db.tables import delivery
from vinculo.ledger.permission import SERVICE_TOPIC
from vinculo.model import Contact, storable
from vinculo.signing import BadToken
from vinculo.web.place import Place


@dataclass(frozen=True, slots=True)
class Addressee:
    """The delivery a token was sent with, its contact, and what that contact lets us send at this moment."""

    delivery: int
    channel: str
    topic: str
    contact: Contact
    live: Mapping[tuple[str, str], bool]


def number_in(here: Place, purpose: str, token: str) -> int | None:
    """The number in *token*; None when it is not ours, for another purpose, or altered."""
    try:
        (number,) = here.signer.read(purpose, token)
    except (BadToken, ValueError):
        return None
    return number if number < 2**63 else None


def addressee(here: Place, purpose: str, token: str) -> Addressee | None:
    """Whom *token* speaks of; None when it is not ours, or its contact was erased."""
    number = number_in(here, purpose, token)
    if number is None:
        return None
    d = delivery.c
    with here.read() as db:
        row = db.execute(sa.select(d.id, d.channel, d.topic, d.contact_id).where(d.id == number)).first()
        found = alive(db, row.contact_id) if row else None
        if row is None or found is None:
            return None
        return Addressee(row.id, row.channel, row.topic, found, answers(db, found, here.now()))


def alive(db: sa.Connection, number: int) -> Contact | None:
    """The contact with this number, or the one it became part of, unless the person was erased."""
    found = contacts.living(db, number)
    return None if found is None else contacts.load(db, [found]).get(found)


def answers(db: sa.Connection, contact: Contact, at: datetime) -> dict[tuple[str, str], bool]:
    """What the contact lets us send at the instant *at*, by channel and topic.

    What it needs to know anyway (`service`) we may send unless it was refused, itself or with everything.
    """
    live, p = consent.live(db, contact.id, at), tables.permission.c
    refused = set(db.scalars(sa.select(p.channel).where(p.contact_id == contact.id, p.topic == "", ~p.granted)))
    for channel in {one.channel for one in contact.addresses}:
        live.setdefault((channel, SERVICE_TOPIC), channel not in refused)
    return live


async def form_of(request: Request, *, fields: int) -> Mapping[str, str]:
    """The fields of a form of either kind. One that cannot be read has none: the post itself is what counts."""
    try:
        form = await request.form(max_files=0, max_fields=fields)
    except HTTPException as error:
        if error.status_code != 400:
            raise
        form = FormData()
    return {name: storable(value) for name, value in form.items() if isinstance(value, str)}
