"""The tables, by what they are about."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from vinculo.db import rules
from vinculo.db.tables.column import Id, Instant, metadata, micros, moment
from vinculo.db.tables.conversation import conversation, turn
from vinculo.db.tables.history import ANSWER, DEPTH, PURCHASED, fact, inbound, interaction, tally, webhook
from vinculo.db.tables.ledger import WAITING, control, delivery, occurrence
from vinculo.db.tables.note import link, note
from vinculo.db.tables.permission import confirmation, consent, permission, suppression
from vinculo.db.tables.person import address, alias, contact, identifier, merging, preference, tag
from vinculo.db.tables.standing import journey, point, score
from vinculo.db.tables.traffic import bucket, rate, setback

__all__ = [
    "ANSWER",
    "DEPTH",
    "PURCHASED",
    "WAITING",
    "Id",
    "Instant",
    "address",
    "alias",
    "bucket",
    "confirmation",
    "consent",
    "contact",
    "control",
    "conversation",
    "delivery",
    "fact",
    "identifier",
    "inbound",
    "interaction",
    "journey",
    "link",
    "merging",
    "metadata",
    "micros",
    "moment",
    "note",
    "occurrence",
    "permission",
    "point",
    "preference",
    "rate",
    "score",
    "setback",
    "suppression",
    "tag",
    "tally",
    "turn",
    "webhook",
]


@sa.event.listens_for(metadata, "after_create")
def _hold_to_the_rules(target: sa.MetaData, db: sa.Connection, *, tables: Any, **_: Any) -> None:
    """Whoever makes the tables makes their triggers, too."""
    del target
    if delivery in tables:
        rules.install(db)
