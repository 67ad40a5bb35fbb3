"""How many days a send takes under rates and daily caps, for the plan: what leaves before it takes its part."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import sqlalchemy as sa

from vinculo.db.tables import delivery
from vinculo.ledger import OPEN
from vinculo.project.schema import Limits
from vinculo.traffic.rule import EMAIL, Rules, read_orders

_DAY = 86_400
#: Nobody plans further ahead.
_LONGEST = 366
D = delivery.c


class Outlook:
    """Days to come, and what of their room is taken. Ask for one send after the other, in the order of their time."""

    def __init__(self, db: sa.Connection, limits: Limits) -> None:
        self.rules, self._orders = Rules(limits), read_orders(db)
        self._taken: Counter[tuple[str, date]] = Counter()

    def days(self, db: sa.Connection, campaign: str, occurrence: str, first: date) -> int:
        """On how many days, from *first* on, that occurrence leaves; 1 without rates and caps."""
        if not (self.rules or self._orders):
            return 1
        demand = self._demand(db, campaign, occurrence)
        return max((self._fill(name, number, first) for name, number in demand.items()), default=1)

    def _demand(self, db: sa.Connection, campaign: str, occurrence: str) -> Counter[str]:
        """How many tokens it takes from each bucket."""
        end: sa.ColumnElement[str] = sa.func.split_part(D.address, "@", 2)
        if db.dialect.name == "sqlite":
            end = sa.func.substr(D.address, sa.func.instr(D.address, "@") + 1)
        domain = sa.case((D.channel == EMAIL, end), else_="").label("domain")  # a telephone has none
        ours = D.campaign == campaign, D.occurrence == occurrence, D.state.in_(OPEN)
        query = sa.select(D.channel, domain, sa.func.count()).where(*ours).group_by(D.channel, sa.text("domain"))
        demand: Counter[str] = Counter()
        for channel, end_of, number in db.execute(query):
            for name in self.rules.buckets(channel, f"@{end_of}", self._orders):
                demand[name] += number
        return demand

    def _fill(self, name: str, number: int, first: date) -> int:
        for count in range(_LONGEST):
            day = first + timedelta(days=count)
            room = self._room(name, day)
            taken = number if room is None else min(number, room)
            self._taken[name, day] += taken
            number -= taken
            if not number:
                return count + 1
        return _LONGEST

    def _room(self, name: str, day: date) -> int | None:
        """How many more may leave on *day*; None: as many as you like."""
        rate = self.rules.allowed(name, self._orders)
        most = [int(rate * _DAY)] if rate else []
        cap = self.rules.cap(name, day)
        most += [cap] if cap is not None else []
        return max(0, min(most) - self._taken[name, day]) if most else None
