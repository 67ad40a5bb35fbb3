"""Everything that happened between us and a contact, both ways, append-only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from vinculo import facts
from vinculo.db.insert import insert
from vinculo.db.statement import Statement, these
from vinculo.db.tables import delivery, inbound, interaction
from vinculo.model import NOTHING, Direction, Event, EventKind


@dataclass(frozen=True, slots=True)
class Interaction:
    """One line of a contact's history. *amount* is in minor units of *currency*; *data* holds JSON values only.

    *source* and *event_id* name the event it comes from: the same event is never written twice.
    """

    contact_id: int
    at: datetime
    direction: Direction
    kind: str
    channel: str = ""
    campaign: str = ""
    occurrence: str = ""
    delivery_id: int | None = None
    amount: int | None = None
    currency: str = ""
    summary: str = ""
    data: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    source: str = ""
    event_id: str = ""


def record(db: sa.Connection, rows: Sequence[Interaction]) -> None:
    """Append *rows*, and count them in the facts; those whose event is already there are left out."""
    if rows:
        appended = _insert(db, interaction).returning(*_COUNTED)
        facts.add(db, [tuple(row) for row in db.execute(appended, [_columns(row) for row in rows])])


def sent(db: sa.Connection, deliveries: Iterable[int], at: datetime) -> None:
    """Append that *deliveries* were accepted, in one statement, each for the contact it belongs to now."""
    if ids := list(deliveries):
        _SENT.run(db, ids=ids, at=at)


def _sent() -> sa.Insert:
    d = delivery.c
    told = {
        "contact_id": d.contact_id,
        "at": sa.bindparam("at", type_=interaction.c.at.type),
        "direction": sa.literal(Direction.OUT.value),
        "kind": sa.literal(EventKind.SENT.value),
        "channel": d.channel,
        "campaign": d.campaign,
        "occurrence": d.occurrence,
        "delivery_id": d.id,
    }
    lines = sa.select(*told.values()).where(these(d.id))
    return sa.insert(interaction).from_select(list(told), lines)


_SENT = Statement(_sent)


def timeline(db: sa.Connection, contact_id: int, limit: int = 100) -> list[Interaction]:
    """Return the newest *limit* interactions with the contact, both ways, newest first."""
    ask = sa.select(*_COLUMNS).where(interaction.c.contact_id == contact_id)
    ask = ask.order_by(interaction.c.at.desc(), interaction.c.id.desc()).limit(limit)
    return [_interaction(row) for row in db.execute(ask).mappings()]


def bought() -> sa.ColumnElement[bool]:
    """The rows of `interaction` that are purchases: said as their index says it, without a parameter."""
    return interaction.c.kind == sa.literal_column(f"'{EventKind.PURCHASED}'")


#: What a purchase is worth in the company's currency.
worth = facts.worth


def away_until(db: sa.Connection, contact_id: int, today: date) -> date | None:
    """Until when the contact's newest automatic answer says that it is away, if that is not over. A hint, no fact."""
    i = interaction.c
    ask = sa.select(i.data).where(i.contact_id == contact_id, i.kind == EventKind.AUTO_REPLIED)
    data = db.scalar(ask.order_by(i.at.desc(), i.id.desc()).limit(1)) or {}
    day = date.fromisoformat(data["returns"]) if "returns" in data else None
    return day if day is not None and day >= today else None


def store(db: sa.Connection, event: Event, now: datetime, webhook_id: int | None = None) -> int | None:
    """Keep *event* as it came (in the request *webhook_id*) and return its id; None when it is there already."""
    row = {
        "source": event.source,
        "event_id": event.id,
        "received_at": now,
        "kind": event.kind.value,
        "raw": event.raw or _described(event),
        "webhook_id": webhook_id,
    }
    stored: int | None = db.scalar(_insert(db, inbound).values(row).returning(inbound.c.id))
    return stored


def unsettled(db: sa.Connection, event: Event) -> int | None:
    """The id of a stored *event* that led to nothing, now of the kind it is read as; None if it led to something."""
    i = inbound.c
    mine = (i.source == event.source) & (i.event_id == event.id) & i.outcome.in_(["ignored", "unmatched"])
    found: int | None = db.scalar(sa.update(inbound).where(mine).values(kind=event.kind.value).returning(i.id))
    return found


def settle(
    db: sa.Connection, stored: int, outcome: str, *, contact_id: int | None = None, delivery_id: int | None = None
) -> None:
    """Note what became of a stored event: `handled`, `unmatched` or `ignored`, and whom it was about."""
    values = {"outcome": outcome, "contact_id": contact_id, "delivery_id": delivery_id}
    db.execute(sa.update(inbound).where(inbound.c.id == stored).values(values))


#: What facts need to know of a line.
_COUNTED = (
    *(interaction.c.contact_id, interaction.c.kind, sa.type_coerce(interaction.c.at, sa.BigInteger)),
    *(interaction.c.amount, interaction.c.currency),
)
#: `worth` is worked out by scoring, and no part of what happened.
_COLUMNS = [column for column in interaction.c if column.name not in {"id", "worth"}]


def _columns(row: Interaction) -> dict[str, Any]:
    values = {column.name: getattr(row, column.name) for column in _COLUMNS}
    return values | {"direction": row.direction.value, "kind": str(row.kind), "data": dict(row.data)}


def _interaction(row: Mapping[Any, Any]) -> Interaction:
    return Interaction(**{**row, "direction": Direction(row["direction"])})


def _described(event: Event) -> bytes:
    """Describe an event that has no raw form: one of our own doors made it."""
    values = {f.name: getattr(event, f.name) for f in fields(event)}
    return json.dumps({name: value for name, value in values.items() if value}, default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


def _insert(db: sa.Connection, table: sa.Table) -> Any:
    return insert(db, table).on_conflict_do_nothing()
