"""What a campaign brought: purchases after the send, and against those left out on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import delivery, interaction
from vinculo.model import DeliveryState, EventKind, SkipReason
from vinculo.stats import Arm, Interval, Sample, difference, mean_difference

#: A purchase within this time of the send is attributed to it.
WINDOW = timedelta(days=7)
_WINDOW = WINDOW // timedelta(microseconds=1)
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


def effect(db: sa.Connection, mine: sa.ColumnElement[bool]) -> Effect:
    """Return what the deliveries *mine* brought."""
    revenue = _revenue(db, mine)
    currency = max(revenue, key=lambda name: abs(revenue[name]), default="")
    arms = _arms(db, mine, currency)
    (treated, spent), (holdout, kept) = arms["treated"], arms["holdout"]
    both = treated.trials and holdout.trials and _left(db, mine)
    return Effect(
        buyers=_buyers(db, mine),
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


def _revenue(db: sa.Connection, mine: sa.ColumnElement[bool]) -> dict[str, int]:
    """What was bought by currency, each purchase once. From the deliveries to their few purchases, never the reverse:
    a campaign has thousands of deliveries, the history millions of purchases.
    """
    i = interaction.c
    bought = (
        sa.select(i.id, i.currency, i.amount)
        .distinct()
        .join_from(delivery, interaction, bought_after())
        .where(mine, delivery.c.state == DeliveryState.ACCEPTED, i.amount.is_not(None))
        .subquery()
    )
    ask = sa.select(bought.c.currency, sa.func.sum(bought.c.amount)).group_by(bought.c.currency)
    return {currency: int(total) for currency, total in db.execute(ask)}


def _left(db: sa.Connection, mine: sa.ColumnElement[bool]) -> bool:
    """Whether anything was sent."""
    return bool(db.scalar(sa.select(sa.exists().where(mine, delivery.c.state == DeliveryState.ACCEPTED))))


def _buyers(db: sa.Connection, mine: sa.ColumnElement[bool]) -> int:
    ask = sa.select(sa.func.count(sa.distinct(delivery.c.contact_id))).join_from(delivery, interaction, bought_after())
    return db.scalar(ask.where(mine, delivery.c.state == DeliveryState.ACCEPTED)) or 0


def _arms(db: sa.Connection, mine: sa.ColumnElement[bool], currency: str) -> dict[str, tuple[Arm, Sample]]:
    skipped = delivery.c.state == DeliveryState.SKIPPED
    # Whatever became of it since: who waits, failed or left meanwhile was not left out by chance. A row that was ever
    # to be sent has its address.
    meant = sa.not_(skipped) | (delivery.c.address != "") | delivery.c.reason.in_(_AFTER)
    held = skipped & (delivery.c.reason == SkipReason.HOLDOUT)
    arm = sa.case((held, "holdout"), (meant, "treated")).label("arm")
    amount = sa.case((interaction.c.currency == currency, interaction.c.amount), else_=0)
    each = (
        sa.select(arm, sa.func.count(interaction.c.id).label("bought"))
        .add_columns(sa.cast(sa.func.coalesce(sa.func.sum(amount), 0), sa.Double).label("spent"))
        .join_from(delivery, interaction, bought_after(), isouter=True)
        .where(mine, arm.is_not(None))
        .group_by(delivery.c.id, arm)
        .subquery()
    )
    did = sa.func.sum(sa.case((each.c.bought > 0, 1), else_=0))
    total, squares = sa.func.sum(each.c.spent), sa.func.sum(each.c.spent * each.c.spent)
    rows = db.execute(sa.select(each.c.arm, sa.func.count(), did, total, squares).group_by(each.c.arm))
    found: dict[str, Any] = {
        name: (Arm(int(buyers), trials), Sample(trials, float(spent), float(squared)))
        for name, trials, buyers, spent, squared in rows
    }
    nobody = (Arm(0, 0), Sample(0, 0.0, 0.0))
    return {name: found.get(name, nobody) for name in ("treated", "holdout")}
