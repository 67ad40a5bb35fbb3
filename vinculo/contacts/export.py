"""Everything we hold on a contact (LGPD Art. 18, GDPR Art. 15 and 20), in a form that is published.

Made of `db/tables`: a table with rows about contacts is in the export, and in its schema, from the day it is there.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo.contacts.past import selves
from vinculo.db.tables import Instant, address, contact, merging, metadata, suppression

#: Raised when a reader of the last form would not understand the next.
FORM = 1
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: What a person wants to know of each part.
_ABOUT = {
    "contact": "who the contact is, as we know it; `language_from` and its like tell what was inferred, and from what",
    "address": "where a channel reaches the contact, the preferred first (`position`)",
    "alias": "names that lead to the contact, among them those of contacts that became part of it",
    "identifier": "what other systems call the contact",
    "tag": "words that we sort contacts by",
    "preference": "what the contact chose",
    "consent": "every yes and no, with its date, source, legal basis and the hash of the text that was shown",
    "permission": "the answer that holds of those, by channel and topic",
    "confirmation": "questions whether an address is the contact's, and when that was confirmed",
    "suppression": "addresses that we may not write to, and why",
    "interaction": "the history: what we sent, what came back, purchases; amounts in the currency's smallest unit",
    "inbound": "what came in, as it came",
    "delivery": "every message that was to be sent, and what became of it",
    "fact": "what follows from the history: how often something happened, for how much, and when last",
    "score": "what we worked out from purchases and behaviour",
    "point": "points of the loyalty programme",
    "journey": "journeys, and the step the contact is at",
    "conversation": "what the contact wrote that wanted an answer",
    "turn": "every line of those conversations",
    "merging": "contacts that were joined into this one, or this one into another, and parted again (`undone_at`)",
}


def export(db: sa.Connection, contact_id: int, now: datetime) -> dict[str, Any]:
    """Return every row about *contact_id*, and about those merged into it, by table: whatever has a `contact_id`.

    `suppression` holds those of the contact's addresses that we may not write to. `schema` says what is in it.
    """
    me = sa.select(contact).where(contact.c.id == contact_id)
    answer: dict[str, Any] = {"form": FORM, "exported_at": now, "contact": _rows(db, me)[0]}
    ids = selves(db, contact_id)
    for table in _tables():
        mine: sa.ColumnElement[bool] = table.c.contact_id.in_(ids)
        if table is merging:  # what was said of a merge was said of both, and stays when they are parted
            mine |= table.c.joined_id.in_(ids)
        answer[table.name] = _rows(db, sa.select(table).where(mine).order_by(*table.primary_key))
    same = (address.c.channel == suppression.c.channel) & (address.c.hash == suppression.c.address_hash)
    ask = sa.select(*_SUPPRESSED).join_from(suppression, address, same).where(address.c.contact_id.in_(ids))
    return answer | {"suppression": _rows(db, ask)}


_SUPPRESSED = (address.c.channel, address.c.value, suppression.c.reason, suppression.c.source, suppression.c.at)


def _tables() -> list[sa.Table]:
    return [table for table in metadata.sorted_tables if "contact_id" in table.c]


def _rows(db: sa.Connection, ask: sa.Select[Any]) -> list[dict[str, Any]]:
    return [_readable(row) for row in db.execute(ask).mappings()]


def _readable(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: _text(value) if isinstance(value, bytes) else value for name, value in row.items()}


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(raw).decode()


# ── the schema ───────────────────────────────────────────────────────────────────────────────────────────────────
def schema() -> dict[str, Any]:
    """Return the JSON Schema of what `export` returns."""
    parts: dict[str, Any] = {table.name: _list(table.name, tuple(table.c)) for table in _tables()}
    parts["suppression"] = _list("suppression", _SUPPRESSED)
    head = {
        "form": {"const": FORM},
        "exported_at": {"type": "string", "format": "date-time"},
        "contact": {"description": _ABOUT["contact"], **_object(tuple(contact.c))},
    }
    return {
        "$schema": _DIALECT,
        "title": "Vinculo export",
        "description": "Everything we hold on one contact (GDPR Art. 15 and 20, LGPD Art. 18).",
        **_required(head | parts),
    }


def _list(name: str, columns: tuple[sa.Column[Any], ...]) -> dict[str, Any]:
    return {"description": _ABOUT.get(name, name), "type": "array", "items": _object(columns)}


def _object(columns: tuple[sa.Column[Any], ...]) -> dict[str, Any]:
    return _required({column.name: _value(column) for column in columns})


def _required(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


_TYPES: tuple[tuple[type[Any], dict[str, Any]], ...] = (
    (Instant, {"type": "string", "format": "date-time"}),
    (sa.Date, {"type": "string", "format": "date"}),
    (sa.Boolean, {"type": "boolean"}),
    (sa.Integer, {"type": "integer"}),
    (sa.Float, {"type": "number"}),
    (sa.JSON, {}),
    (sa.Text, {"type": "string"}),
    (sa.LargeBinary, {"type": "string", "description": "text, or `base64:` and its bytes"}),
)


def _value(column: sa.Column[Any]) -> dict[str, Any]:
    form = next(form for kind, form in _TYPES if isinstance(column.type, kind))
    return form | {"type": [form["type"], "null"]} if column.nullable and form else form
