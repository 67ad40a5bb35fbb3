"""Everything we hold on a contact (LGPD Art. 18, GDPR Art. 15 and 20)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from vinculo.contacts.past import selves
from vinculo.db.tables import address, contact, metadata, suppression


def export(db: sa.Connection, contact_id: int) -> dict[str, Any]:
    """Return every row about *contact_id*, and about those merged into it, by table: whatever has a `contact_id`.

    `suppression` holds those of the contact's addresses that we may not write to.
    """
    answer: dict[str, Any] = {"contact": _rows(db, sa.select(contact).where(contact.c.id == contact_id))[0]}
    ids = selves(db, contact_id)
    for table in metadata.sorted_tables:
        if "contact_id" in table.c:
            ask = sa.select(table).where(table.c.contact_id.in_(ids)).order_by(*table.primary_key)
            answer[table.name] = _rows(db, ask)
    same = (address.c.channel == suppression.c.channel) & (address.c.hash == suppression.c.address_hash)
    ask = sa.select(address.c.channel, address.c.value, suppression.c.reason, suppression.c.source, suppression.c.at)
    held = ask.join_from(suppression, address, same).where(address.c.contact_id == contact_id)
    return answer | {"suppression": _rows(db, held)}


def _rows(db: sa.Connection, ask: sa.Select[Any]) -> list[dict[str, Any]]:
    return [_readable(row) for row in db.execute(ask).mappings()]


def _readable(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: _text(value) if isinstance(value, bytes) else value for name, value in row.items()}


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(raw).decode()
