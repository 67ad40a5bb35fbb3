"""Variants of a campaign, compared so that looking every day deceives nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import delivery, interaction
from vinculo.model import DeliveryState, EventKind
from vinculo.stats import Arm, Interval, sequential, wilson


@dataclass(frozen=True, slots=True)
class Compared:
    """A variant: its human clicks and openings, and how its clicks differ from the first variant's.

    *against_first* is None for the first. It holds at every look at once, for all variants together.
    """

    name: str
    sent: int
    opened: int
    clicked: int
    click_rate: Interval
    against_first: Interval | None
    decided: bool


def compared(db: sa.Connection, mine: sa.ColumnElement[bool]) -> list[Compared]:
    """Return the variants among the accepted deliveries *mine*, by name; none when there is only one."""
    sent = mine & (delivery.c.state == DeliveryState.ACCEPTED)
    ask = sa.select(delivery.c.variant, sa.func.count()).where(sent).group_by(delivery.c.variant)
    counts = dict(db.execute(ask.order_by(delivery.c.variant)).tuples().all())
    if len(counts) < 2:
        return []
    opened, clicked = (_did(db, sent, kind) for kind in (EventKind.OPENED, EventKind.CLICKED))
    arms = {name: Arm(clicked.get(name, 0), number) for name, number in counts.items()}
    first = next(iter(arms.values()))
    level = 1 - 0.05 / (len(arms) - 1)
    return [
        _compared(name, arm, opened.get(name, 0), None if arm is first else first, level) for name, arm in arms.items()
    ]


def _compared(name: str, arm: Arm, opened: int, first: Arm | None, level: float) -> Compared:
    against = None if first is None else sequential(arm, first, level=level).interval
    decided = against is not None and against.decided
    return Compared(name, arm.trials, opened, arm.successes, wilson(arm), against, decided)


def _did(db: sa.Connection, sent: sa.ColumnElement[bool], kind: EventKind) -> dict[str, int]:
    """Count, per variant, the deliveries of which a person did *kind*."""
    human: Any = sa.func.coalesce(interaction.c.data["class"].as_string(), "human") == "human"
    ask = (
        sa.select(delivery.c.variant, sa.func.count(sa.distinct(delivery.c.id)))
        .join_from(delivery, interaction, interaction.c.delivery_id == delivery.c.id)
        .where(sent, interaction.c.kind == kind, human)
    )
    return dict(db.execute(ask.group_by(delivery.c.variant)).tuples().all())
