"""What a campaign brought: purchases after the send, and against those left out on purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

import sqlalchemy as sa

from vinculo.db.tables import delivery, interaction, micros
from vinculo.model import DeliveryState, EventKind, SkipReason
from vinculo.report.scope import Alike, Scope, did_since
from vinculo.stats import Arm, Interval, Sample, difference, mean_difference

#: A purchase within this time of the send is attributed to it.
WINDOW = timedelta(days=7)
_WINDOW = WINDOW // timedelta(microseconds=1)
_ARMS = ("treated", "holdout")
#: What is asked after the draw of who is left out to measure: it would have been true of as many of those.
_AFTER = (SkipReason.DUPLICATE_ADDRESS, SkipReason.FREQUENCY_CAP, SkipReason.QUIET_HOURS, SkipReason.MISSED)


@dataclass(frozen=True, slots=True)
class Effect:
    """Purchases within seven days of the send. *revenue* by currency, in minor units, each purchase once.

    With a holdout, *conversion* is the difference of the shares that bought (treated, that is meant to get it, minus
    left out) and *per_contact* the difference of what a contact brought, in minor units of *currency*; None without
    one, and before anything was sent. An interval that holds zero is no decision.
    """

    buyers: int
    revenue: Mapping[str, int]
    treated: Arm
    holdout: Arm
    currency: str
    conversion: Interval | None
    per_contact: Interval | None

    @property
    def decided(self) -> bool:
        """Whether the holdout shows that the campaign made a difference."""
        return self.conversion is not None and self.conversion.decided


def effect(db: sa.Connection, scope: Scope, sent: Sequence[Alike]) -> Effect:
    """Return what the deliveries *sent* brought."""
    bought = _bought(db, scope, sent)
    ours = [one for one in bought if one.state == DeliveryState.ACCEPTED]
    revenue = _revenue(ours)
    currency = max(revenue, key=lambda name: abs(revenue[name]), default="")
    (treated, spent), (holdout, kept) = (_arm(arm, sent, bought, currency) for arm in _ARMS)
    left = any(one.state == DeliveryState.ACCEPTED for one in sent)
    both = treated.trials and holdout.trials and left
    return Effect(
        buyers=len({one.contact_id for one in ours}),
        revenue=revenue,
        treated=treated,
        holdout=holdout,
        currency=currency,
        conversion=difference(treated, holdout) if both else None,
        per_contact=mean_difference(spent, kept) if both else None,
    )


def bought_after() -> sa.ColumnElement[bool]:
    """A purchase by the contact of the delivery within the window after it left, or would have left."""
    start = sa.type_coerce(sa.func.coalesce(delivery.c.submitted_at, delivery.c.due_at), sa.BigInteger)
    at = sa.type_coerce(interaction.c.at, sa.BigInteger)
    same = (interaction.c.contact_id == delivery.c.contact_id) & (interaction.c.kind == EventKind.PURCHASED)
    return same & (at >= start) & (at < start + sa.literal(_WINDOW, sa.BigInteger))


class _Bought(NamedTuple):
    """A delivery, and a purchase after it."""

    delivery_id: int
    contact_id: int
    state: str
    reason: str
    addressed: bool
    purchase_id: int
    currency: str
    amount: int | None


def _bought(db: sa.Connection, scope: Scope, sent: Sequence[Alike]) -> list[_Bought]:
    """From the deliveries of those who bought since the first to their few purchases, never the reverse: a campaign
    has thousands of deliveries, the history millions of purchases.
    """
    d, i = delivery.c, interaction.c
    buyers = did_since(EventKind.PURCHASED, micros(min(one.since for one in sent)))
    columns = d.id, d.contact_id, d.state, d.reason, (d.address != "").label("addressed"), i.id, i.currency, i.amount
    ask = sa.select(*columns).join_from(delivery, interaction, bought_after())
    return [_Bought(*row) for row in db.execute(ask.where(scope.of(delivery), d.contact_id.in_(buyers)))]


def _revenue(bought: Iterable[_Bought]) -> dict[str, int]:
    """What was bought by currency, each purchase once; of two with the same sum the first by name comes first."""
    paid = {one.purchase_id: (one.currency, one.amount) for one in bought if one.amount is not None}
    revenue: Counter[str] = Counter()
    for currency, amount in paid.values():
        revenue[currency] += amount
    return dict(sorted(revenue.items()))


def _arm(name: str, sent: Iterable[Alike], bought: Iterable[_Bought], currency: str) -> tuple[Arm, Sample]:
    """How many of an arm bought, and what each of it brought in *currency*."""
    trials = sum(one.number for one in sent if _arm_of(one) == name)
    spent: dict[int, int] = {}
    for one in bought:
        if _arm_of(one) == name:
            amount = one.amount or 0 if one.currency == currency else 0
            spent[one.delivery_id] = spent.get(one.delivery_id, 0) + amount
    total, squares = sum(spent.values()), sum(each * each for each in spent.values())
    return Arm(len(spent), trials), Sample(trials, float(total), float(squares))


def _arm_of(one: Alike | _Bought) -> str:
    """The arm of a delivery; "" for one in neither.

    Whatever became of it since: who waits, failed or left meanwhile was not left out by chance. A row that was ever to
    be sent has its address.
    """
    skipped = one.state == DeliveryState.SKIPPED
    if skipped and one.reason == SkipReason.HOLDOUT:
        return "holdout"
    return "treated" if not skipped or one.addressed or one.reason in _AFTER else ""
