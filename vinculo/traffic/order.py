"""What an operator orders at run time: it holds for every worker within seconds, over vinculo.toml."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from vinculo import ledger
from vinculo.db.insert import insert
from vinculo.db.tables import bucket, rate
from vinculo.errors import UsageError, did_you_mean
from vinculo.fields import parse_rate
from vinculo.project import Project
from vinculo.traffic.domain import MARK
from vinculo.traffic.rule import Rules, read_orders


@dataclass(frozen=True, slots=True)
class Limit:
    """What holds for a channel or mail domain now. Rates in messages a second; None: none is set.

    *origin*: `vinculo.toml`, who ordered it, or "" when only its replies have slowed it. *until*: it rests till then.
    """

    name: str
    allowed: float | None
    rate: float | None
    origin: str
    until: datetime | None = None
    reason: str = ""
    cap: int | None = None
    spent: int = 0


def limits(db: sa.Connection, project: Project, now: datetime) -> list[Limit]:
    """Everything that holds back a channel or a domain at *now*, by name."""
    rules, orders = Rules(project.settings.limits), read_orders(db)
    today = now.astimezone(ZoneInfo(project.settings.company.timezone)).date()
    spent = {row.name: row.spent for row in db.execute(sa.select(bucket).where(bucket.c.day == today.isoformat()))}
    found = []
    for name in sorted({*rules.rates, *rules.warm_up, *orders}):
        order, allowed = orders.get(name), rules.allowed(name, orders)
        if order and not order.ordered and order.over(now, allowed):
            order = None  # what was taught is forgotten, and not yet swept away
        if order is None and name not in rules.rates and name not in rules.warm_up:
            continue
        until = order.until if order and order.until and order.until > now else None
        found.append(
            Limit(
                shown(name),
                allowed,
                rules.rate(name, orders, now),
                order.ordered_by if order and order.ordered else "" if order and allowed is None else "vinculo.toml",
                until,
                order.reason if order else "",
                rules.cap(name, today),
                spent.get(name, 0),
            )
        )
    return found


def shown(name: str) -> str:
    """A bucket's name as a person writes it."""
    return name.removeprefix(MARK)


def set_rate(db: sa.Connection, project: Project, key: str, said: str, by: str, now: datetime) -> str:
    """Order the rate *said* for a channel, a mail domain or `*` (each other domain); return what it was ordered for.

    Raises `UsageError` for a channel that has no connector, or a rate that is none.
    """
    name = _name(project, key)
    try:
        ordered = str(parse_rate(said))
    except ValueError as error:
        raise UsageError(f"`{said}` is no rate", f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
    statement = insert(db, rate)
    row = {"ordered": ordered, "ordered_by": by, "changed_at": now}
    db.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row), {"name": name, **row})
    ledger.wake(db, now)
    return shown(name)


def clear(db: sa.Connection, project: Project, key: str, now: datetime) -> bool:
    """Take back the order for *key* and forget what its replies taught: vinculo.toml holds. False: none was there."""
    gone = db.execute(sa.delete(rate).where(rate.c.name == _name(project, key))).rowcount
    ledger.wake(db, now)
    return bool(gone)


def _name(project: Project, key: str) -> str:
    name = Rules(project.settings.limits).name(key.strip().lower() or "*")
    if not name.startswith(MARK):
        _known(name, project.settings.channels)
    return name


def _known(channel: str, channels: Collection[str]) -> None:
    if channel not in channels:
        remedy = f"{did_you_mean(channel, channels)} A mail domain has a dot; `*` stands for each other domain."
        raise UsageError(f"No connector serves the channel `{channel}`", remedy)
