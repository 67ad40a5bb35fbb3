"""Points: earned from purchases and events by plan/loyalty.yaml, append-only, each once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import sqlalchemy as sa

from vinculo import history
from vinculo.db.insert import insert
from vinculo.db.tables import contact, interaction, point
from vinculo.model import EventKind, decimals
from vinculo.project.schema import Loyalty

#: Purchases in one round: what is held in memory.
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Standing:
    """A contact's points that count now, and the highest tier they reach ("" for none)."""

    points: int
    tier: str


def earn(db: sa.Connection, rules: Loyalty, now: datetime, currency: str, *, keep: bool = True) -> int:
    """Write (*keep*) the points of every purchase and event that has none yet; returns how many rows.

    Points count whole units of *currency*, half a point upwards; a foreign purchase by what it is worth in it, once
    scoring knows that. A refund takes points back. Rows are never changed, so a new rule holds from now on.
    """
    rows = db.execute(_unpaid(rules, now, currency)).partitions(_BATCH)
    earned = ([_earned(row, rules, currency) for row in batch] for batch in rows)
    return sum(_write(db, batch) if keep else _counted(batch) for batch in earned)


def _unpaid(rules: Loyalty, now: datetime, currency: str) -> sa.Select[Any]:
    reference = sa.literal("interaction ").concat(sa.cast(interaction.c.id, sa.Text))
    paid = sa.exists().where(
        point.c.contact_id == interaction.c.contact_id,
        point.c.reason == interaction.c.kind,
        point.c.reference == reference,
    )
    worth = history.worth(currency)
    bought = (interaction.c.kind == EventKind.PURCHASED) & worth.is_not(None)
    others = interaction.c.kind.in_(sorted(rules.events))
    return (
        sa.select(
            *(interaction.c[name] for name in ("contact_id", "at", "kind")),
            worth.label("worth"),
            reference.label("reference"),
        )
        .join_from(interaction, contact)
        .where(bought | others, interaction.c.at <= now, contact.c.erased_at.is_(None), ~paid)
        .order_by(interaction.c.id)
    )


def _earned(row: Any, rules: Loyalty, currency: str) -> dict[str, Any]:
    points = rules.events.get(row.kind, 0)
    if row.kind == EventKind.PURCHASED:
        units = Decimal(row.worth).scaleb(-decimals(currency))
        points += int((units * Decimal(str(rules.points_per_unit))).to_integral_value(ROUND_HALF_UP))
    reasons = {"reason": row.kind, "reference": row.reference}
    return {"contact_id": row.contact_id, "at": row.at, "points": points, **reasons}


def _write(db: sa.Connection, rows: Sequence[dict[str, Any]]) -> int:
    db.execute(insert(db, point).on_conflict_do_nothing(), rows)
    return _counted(rows)


def _counted(rows: Sequence[dict[str, Any]]) -> int:
    return sum(row["points"] != 0 for row in rows)


def standing(db: sa.Connection, rules: Loyalty, contact_ids: Collection[int], now: datetime) -> dict[int, Standing]:
    """Return the points and tier of each of *contact_ids* (at most 10,000); older than `expires` do not count."""
    since = now - rules.expires if rules.expires else None
    ask = sa.select(point.c.contact_id, sa.func.sum(point.c.points)).where(point.c.contact_id.in_(contact_ids))
    ask = ask.where(point.c.at <= now, *([point.c.at > since] if since else [])).group_by(point.c.contact_id)
    sums = {owner: int(total) for owner, total in db.execute(ask)}
    return {owner: Standing(sums.get(owner, 0), tier(rules, sums.get(owner, 0))) for owner in contact_ids}


def standing_of(db: sa.Connection, rules: Loyalty | None, contact_id: int, now: datetime) -> Standing | None:
    """Return the points and tier of *contact_id*; None where there is no programme."""
    return standing(db, rules, [contact_id], now)[contact_id] if rules else None


def tier(rules: Loyalty, points: int) -> str:
    """Return the highest tier that *points* reach, or ""."""
    reached = [each for each in rules.tiers if points >= each.from_]
    return max(reached, key=lambda each: each.from_).name if reached else ""
