"""From which buckets a delivery takes tokens, and what holds for each: vinculo.toml, orders, what replies taught."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from vinculo.db.statement import Statement
from vinculo.db.tables import rate
from vinculo.fields import parse_rate
from vinculo.project.schema import Limits, WarmUp
from vinculo.traffic.domain import EVERY, MARK, bucket_of, domain_of, grouped

#: A pace that was taught grows by a tenth of itself in this time: what was halved is whole again after ten.
STEP = timedelta(minutes=1)
_SHARE = 0.1
#: Where no rate is set, a pace is forgotten when it has grown to twice what it was before.
FORGET = timedelta(minutes=30)
#: The channel whose addresses have a mail domain.
EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Order:
    """A row of the table `rate`."""

    name: str
    ordered: str
    ordered_by: str
    pace: float | None
    slowed_at: datetime | None
    until: datetime | None
    reason: str
    changed_at: datetime

    def taught(self, now: datetime) -> float | None:
        """Messages a second that its replies let us send at *now*; None: as many as are allowed."""
        if self.pace is None or self.slowed_at is None:
            return None
        return self.pace * (1 + _SHARE * max(timedelta(0), now - self.slowed_at) / STEP)

    def over(self, now: datetime, allowed: float | None) -> bool:
        """Whether what was taught says nothing any more: it has grown to what is *allowed* (None: no rate is set)."""
        if self.until is None or now < self.until:
            return False
        taught = self.taught(now)
        if taught is None or self.slowed_at is None:
            return True
        return now - self.slowed_at >= FORGET if allowed is None else taught >= allowed


def read_orders(db: sa.Connection) -> dict[str, Order]:
    """All orders, by the name of the bucket. Few: a line for each thing that somebody ordered or that was slowed."""
    return {row.name: Order(*row) for row in _ORDERS(db)}


_ORDERS = Statement(lambda: sa.select(*(rate.c[name] for name in Order.__dataclass_fields__)))


class Rules:
    """What vinculo.toml says of rates, and of days that have a cap."""

    def __init__(self, limits: Limits) -> None:
        self.groups = grouped([*limits.domains, *limits.warm_up])
        self.rates = {name: pace.per_second for name, pace in limits.rates.items()}
        self.rates |= {self.name(key): pace.per_second for key, pace in limits.domains.items()}
        self.warm_up = {self.name(key): plan for key, plan in limits.warm_up.items()}
        self._known: dict[tuple[str, str], tuple[str, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self.rates or self.warm_up)

    def name(self, key: str) -> str:
        """The bucket's name for what a person writes: a channel, a domain (several apart by blanks), or `*`."""
        first = key.split(maxsplit=1)[0].removeprefix(MARK)
        if first == "*":
            return EVERY
        return bucket_of(first, self.groups) if "." in first or key.startswith(MARK) else first

    def names(self, channel: str, address: str) -> tuple[str, ...]:
        """The names of the channel's bucket and, for mail, of its domain's."""
        domain = domain_of(address) if channel == EMAIL else ""
        names = self._known.get((channel, domain))
        if names is None:
            names = (channel, bucket_of(domain, self.groups)) if domain else (channel,)
            self._known[channel, domain] = names
        return names

    def buckets(self, channel: str, address: str, orders: Mapping[str, Order]) -> tuple[str, ...]:
        """Those from which a delivery to *address* must take a token."""
        return tuple(name for name in self.names(channel, address) if self._matters(name, orders))

    def _matters(self, name: str, orders: Mapping[str, Order]) -> bool:
        if name in self.rates or name in self.warm_up or name in orders:
            return True
        return name.startswith(MARK) and (EVERY in self.rates or EVERY in orders)

    def allowed(self, name: str, orders: Mapping[str, Order]) -> float | None:
        """Messages a second by an operator's order, else by vinculo.toml; None: no rate is set."""
        names = (name, EVERY) if name.startswith(MARK) else (name,)
        for each in names:
            order = orders.get(each)
            if order is not None and order.ordered:
                return parse_rate(order.ordered).per_second
            if each in self.rates:
                return self.rates[each]
        return None

    def rate(self, name: str, orders: Mapping[str, Order], now: datetime) -> float | None:
        """Messages a second that may leave at *now*; None: as many as you like."""
        order, allowed = orders.get(name), self.allowed(name, orders)
        taught = order.taught(now) if order is not None and not order.over(now, allowed) else None
        return min((each for each in (allowed, taught) if each is not None), default=None)

    def cap(self, name: str, day: date) -> int | None:
        """How many may leave on *day* while the sender is warming up; None: it is over, or there is no plan."""
        plan = self.warm_up.get(name)
        return None if plan is None else day_cap(plan, day)


def day_cap(plan: WarmUp, day: date) -> int | None:
    """The cap of *day*; before the first day that of the first; None when it would be above the plan's end."""
    grown: Any = plan.first * (1 + plan.grow / 100) ** min(max(0, (day - plan.from_).days), 3650)
    return None if grown >= plan.until else int(grown)
