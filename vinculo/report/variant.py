"""Variants of a campaign, compared so that looking every day deceives nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from vinculo.db.tables import delivery, interaction
from vinculo.model import DeliveryState, EventKind
from vinculo.report.scope import Alike, Scope, seen_by_a_person
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


def compared(db: sa.Connection, scope: Scope, sent: Sequence[Alike]) -> list[Compared]:
    """Return the variants among the accepted deliveries, by name; none when there is only one."""
    counts: dict[str, int] = {}
    for one in sorted(sent, key=lambda one: one.variant):
        if one.state == DeliveryState.ACCEPTED:
            counts[one.variant] = counts.get(one.variant, 0) + one.number
    if len(counts) < 2:
        return []
    opened, clicked = (_did(db, scope, kind) for kind in (EventKind.OPENED, EventKind.CLICKED))
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


def _did(db: sa.Connection, scope: Scope, kind: EventKind) -> dict[str, int]:
    """Count, per variant, the deliveries of which a person did *kind*."""
    d, i = delivery.c, interaction.c
    ask = scope.answers(d.variant, sa.func.count(sa.distinct(d.id))).join_from(
        interaction, delivery, d.id == i.delivery_id
    )
    ask = ask.where(d.state == DeliveryState.ACCEPTED, i.kind == kind, seen_by_a_person())
    return dict(db.execute(ask.group_by(d.variant)).tuples().all())
