"""The gate between the ledger and the connectors: of what a worker has claimed, it lets through what the rates allow.

The tokens are in the database, so that all workers together keep a rate. A worker takes a block of them in the
transaction in which it claims; what finds no token goes back into the ledger, due when its turn comes. So nobody holds
messages that may not leave, and what is urgent finds the way free. Without a rate the gate asks one short question for
each claim, and every few seconds whether somebody has set one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from vinculo import ledger
from vinculo.connector import BadAddress, Receipt, Unavailable
from vinculo.db.insert import insert
from vinculo.db.tables import bucket
from vinculo.ledger import Claim, Settlement
from vinculo.ledger.permission import SERVICE_TOPIC
from vinculo.model import CampaignKind
from vinculo.project import Project
from vinculo.traffic.breaker import BOUNCED, count
from vinculo.traffic.bucket import Bucket
from vinculo.traffic.rule import Order, Rules, read_orders
from vinculo.traffic.slowing import Slow, asked_to_slow_down, forget, slow

#: What waits for its turn asks again after so long at the latest: what was true of the queue then may not be now.
LONGEST = timedelta(minutes=5)
#: How often a worker that is sending looks whether the rates have changed.
LOOK = timedelta(seconds=2)
#: Over so long a time a worker measures how fast it sends.
_WINDOW = timedelta(minutes=1)
#: So many messages tell how fast a worker sends.
_ENOUGH = 20


class Gate:
    """One worker's way through; used by one thread."""

    def __init__(self, project: Project) -> None:
        self.rules = Rules(project.settings.limits)
        self._zone = ZoneInfo(project.settings.company.timezone)
        self._orders: dict[str, Order] = {}
        self._mark: Any = None
        self._looked: datetime | None = None
        self._slowed = False
        #: The last turn given in each bucket's two queues, the urgent one and the other.
        self._turns: dict[tuple[str, bool], datetime] = {}
        self._urgent: dict[tuple[str, str], bool] = {}
        #: On which day what is out took its part of the day's caps, by the number of its row.
        self._days: dict[int, str] = {}
        #: What is being sent, and how many were answered since when: how fast we are.
        self._sending: Sequence[Claim] = ()
        self._answered = 0
        self._since: datetime | None = None

    @property
    def holds(self) -> bool:
        """Whether anything may be held back."""
        return bool(self.rules or self._orders)

    # ── before ───────────────────────────────────────────────────────────────────────────────────────────────────
    def admit(self, db: sa.Connection, claims: Sequence[Claim], now: datetime) -> list[Claim]:
        """Return those of *claims* that may leave now; the others are given back, each until its turn.

        Call it in the transaction that claimed them.
        """
        self._orders, self._looked, self._slowed = read_orders(db), now, False
        mark = _mark(self._orders.values())
        if mark != self._mark:
            self._mark, self._turns = mark, {}
        admitted = self._sort(db, claims, now) if claims and self.holds else list(claims)
        self._sending = admitted
        return admitted

    def _sort(self, db: sa.Connection, claims: Sequence[Claim], now: datetime) -> list[Claim]:
        names = {claim.id: self.rules.buckets(claim.channel, claim.address, self._orders) for claim in claims}
        buckets = self._open(db, sorted({name for some in names.values() for name in some}), now)
        go: list[Claim] = []
        wait: list[tuple[Claim, datetime]] = []
        # On whom a worker may have died comes last here too: `recover` tells by the order whom to suspect.
        hurried = self._with_urgency(db, claims)
        for urgent, claim in sorted(hurried, key=lambda pair: (pair[1].crashes > 0, not pair[0])):
            needed = [buckets[name] for name in names[claim.id]]
            if all(each.has(now, urgent=urgent) for each in needed):
                for each in needed:
                    each.take()
                go.append(claim)
            else:
                wait.append((claim, self._turn(needed, now, urgent=urgent)))
        self._close(db, buckets.values(), now)
        if self.rules.warm_up:
            self._days |= dict.fromkeys((claim.id for claim in go), self._today(now))
        ledger.postpone(db, wait)
        return go

    def _with_urgency(self, db: sa.Connection, claims: Sequence[Claim]) -> Iterable[tuple[bool, Claim]]:
        """Each claim, and whether the contact is waiting for it: a receipt goes before a promotion."""
        for claim in claims:
            key = claim.key.campaign, claim.key.occurrence
            if key not in self._urgent:
                place = ledger.place(db, *key)
                said: Mapping[str, Any] = place.definition if place else {}
                self._urgent[key] = said.get("kind") == CampaignKind.SERVICE or said.get("topic") == SERVICE_TOPIC
            yield self._urgent[key], claim

    def _turn(self, needed: Sequence[Bucket], now: datetime, *, urgent: bool) -> datetime:
        """When to ask again for a token of each bucket; the slowest decides, and its queue is longer by one.

        So is its domain's, which must have a token then too: else many of one domain would have the channel's next
        turns, and all but a few find none of the domain's, while who could go waits behind them.
        """
        slowest, turn = max(((each, self._next(each, now, urgent)) for each in needed), key=lambda pair: pair[1])
        self._turns[slowest.name, urgent] = self._turns[needed[-1].name, urgent] = turn
        return turn

    def _next(self, one: Bucket, now: datetime, urgent: bool) -> datetime:  # noqa: FBT001 - which of its two queues
        if one.spent_up:
            tomorrow = now.astimezone(self._zone).date() + timedelta(days=1)
            return max(now, datetime.combine(tomorrow, time(), self._zone).astimezone(now.tzinfo))
        begin, last = max(now, one.until or now), self._turns.get((one.name, urgent))
        turn = max(begin, one.next_at, last + one.interval if last else begin)
        return min(turn, begin + max(LONGEST, one.interval))

    # ── the buckets ──────────────────────────────────────────────────────────────────────────────────────────────
    def _open(self, db: sa.Connection, names: Sequence[str], now: datetime) -> dict[str, Bucket]:
        """Read the buckets *names* and lock them until the transaction ends; in the order of their names, as all do."""
        if not names:
            return {}
        fresh = insert(db, bucket).on_conflict_do_nothing()
        db.execute(fresh, [{"name": name, "next_at": now, "day": "", "spent": 0} for name in names])
        b = bucket.c
        rows = db.execute(sa.select(bucket).where(b.name.in_(names)).order_by(b.name).with_for_update()).all()
        over = [name for name in names if name in self._orders and self._is_over(name, now)]
        if over:
            forget(db, over, now)
        return {row.name: self._bucket(row, now) for row in rows}

    def _is_over(self, name: str, now: datetime) -> bool:
        return self._orders[name].over(now, self.rules.allowed(name, self._orders))

    def _bucket(self, row: sa.Row[Any], now: datetime) -> Bucket:
        today = now.astimezone(self._zone).date()
        cap, spent = self.rules.cap(row.name, today), row.spent if row.day == today.isoformat() else 0
        order = self._orders.get(row.name)
        made = Bucket(
            name=row.name,
            next_at=row.next_at,
            rate=self.rules.rate(row.name, self._orders, now),
            left=None if cap is None else max(0, cap - spent),
            until=order.until if order else None,
        )
        made.catch_up(now)
        return made

    def _close(self, db: sa.Connection, buckets: Iterable[Bucket], now: datetime) -> None:
        today = self._today(now)
        rows = [
            {"b_name": one.name, "b_next_at": one.next_at, "b_day": today, "b_taken": one.taken}
            for one in buckets
            if one.taken
        ]
        if not rows:
            return
        b, taken = bucket.c, sa.bindparam("b_taken", type_=bucket.c.spent.type)
        day = sa.bindparam("b_day", type_=bucket.c.day.type)
        values = {
            "next_at": sa.bindparam("b_next_at", type_=b.next_at.type),
            "spent": sa.case((b.day == day, b.spent), else_=0) + taken,
            "day": day,
        }
        db.execute(sa.update(bucket).where(b.name == sa.bindparam("b_name")).values(values), rows)

    def give_back(self, db: sa.Connection, claims: Iterable[Claim], now: datetime) -> None:
        """Put back into the day's caps what *claims* took out, which were admitted and of which nothing has left.

        Else a provider that is down for a minute would cost a sender who is warming up the day. What went to a rate
        is there again soon.
        """
        if not self._days:  # nearly always: only what is warmed up has caps
            return
        today, capped = self._today(now), self.rules.warm_up
        ours = (claim for claim in claims if self._days.pop(claim.id, "") == today)
        names = (name for claim in ours for name in self.rules.names(claim.channel, claim.address) if name in capped)
        b = bucket.c
        for name, number in sorted(Counter(names).items()):
            spent = sa.case((b.spent > number, b.spent - number), else_=0)
            db.execute(sa.update(bucket).where(b.name == name, b.day == today).values(spent=spent))

    def _today(self, now: datetime) -> str:
        return now.astimezone(self._zone).date().isoformat()

    # ── meanwhile ────────────────────────────────────────────────────────────────────────────────────────────────
    def changed(self, read: Callable[[], AbstractContextManager[sa.Connection]], now: datetime) -> bool:
        """Whether what was admitted should not go on: a rate was ordered, lifted or taught since."""
        if self._slowed or self._looked is None or now - self._looked < LOOK:
            return self._slowed
        self._looked = now
        with read() as db:
            return bool(_mark(read_orders(db).values()) != self._mark)

    def learn(self, db: sa.Connection, settlements: Sequence[Settlement], now: datetime) -> None:
        """Take in what was answered: who asked us to slow down, and which addresses do not exist."""
        self._measure(len(settlements), now)
        if self._days:
            self.give_back(db, (one.claim for one in settlements if isinstance(one.outcome, Unavailable)), now)
            for one in settlements:
                self._days.pop(one.claim.id, None)
        failed = [one for one in settlements if not isinstance(one.outcome, Receipt)]
        if not failed:
            return
        bad = Counter(
            (one.claim.key.campaign, one.claim.key.occurrence) for one in failed if isinstance(one.outcome, BadAddress)
        )
        for (campaign, occurrence), number in sorted(bad.items()):
            count(db, campaign, occurrence, BOUNCED, number)
        requests = {self._whose(one.claim, asked): asked for one in failed if (asked := _asked(one))}
        for name, asked in sorted(requests.items()):
            self._slow(db, name, asked, now)

    def _measure(self, answered: int, now: datetime) -> None:
        if self._since is None or now - self._since > _WINDOW:
            self._since, self._answered = now, 0
        self._answered += answered

    def _whose(self, claim: Claim, asked: Slow) -> str:
        names = self.rules.names(claim.channel, claim.address)
        return names[0] if asked.whole_channel else names[-1]

    def _slow(self, db: sa.Connection, name: str, asked: Slow, now: datetime) -> None:
        before = self.rules.rate(name, self._orders, now)
        slow(db, name, self._speed(name, now) if before is None else before, asked, now)
        self._slowed = True

    def _speed(self, name: str, now: datetime) -> float | None:
        """Messages a second that this worker sends into the bucket *name*; None: too few to tell."""
        if self._since is None or not self._sending:
            return None
        share = sum(name in self.rules.names(claim.channel, claim.address) for claim in self._sending)
        answered = self._answered * share / len(self._sending)
        seconds = max(1.0, (now - self._since).total_seconds())
        return answered / seconds if answered >= _ENOUGH else None


def _asked(one: Settlement) -> Slow | None:
    return asked_to_slow_down(one.outcome, one.claim.attempts)


def _mark(orders: Iterable[Order]) -> Any:
    """What differs when an order was given, taken back, or taught."""
    return sorted((order.name, order.changed_at) for order in orders)
