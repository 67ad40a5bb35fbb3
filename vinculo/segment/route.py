"""Where a query begins: at every contact, or at the few rows of `fact` that meet one of its conditions.

Neither database turns EXISTS round by itself in every case: SQLite never does. So what is likely to leave the fewest is
asked first, and the contact's wide row is read, if at all, for those alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vinculo import facts
from vinculo.model import EventKind, Moment
from vinculo.segment.event import Window, window
from vinculo.segment.tree import All, Condition, Did, In, Test

#: About how many of all contacts ever do something of a kind, and how many do it within a month.
_EVER = {"opened": 0.8, "clicked": 0.5, "purchased": 0.6, "visited": 0.7}
_SELDOM, _MONTH = 0.1, 30
#: More than this is nearly everybody: then contacts are read one after the other.
_MANY = 0.5


@dataclass(frozen=True, slots=True)
class Route:
    """A query begins at the facts about *kind*: at least *count* events in *window*."""

    kind: EventKind
    count: int
    window: Window
    share: float


def conjuncts(condition: Condition, other: Callable[[str], Condition | None]) -> Iterator[Condition]:
    """The conditions that must all hold; *other* gives the tree of another segment, None for one in SQL."""
    if isinstance(condition, All):
        for part in condition.parts:
            yield from conjuncts(part, other)
    elif isinstance(condition, In) and (inner := other(condition.segment)) is not None:
        yield from conjuncts(inner, other)
    else:
        yield condition


def route(conditions: list[Condition], moment: Moment) -> Route | None:
    """The facts to begin at; None for the contacts themselves."""
    found = [way for each in conditions if isinstance(each, Did) and (way := _way(each, moment))]
    best = min(found, key=lambda way: way.share, default=None)
    if best is None or best.share > _MANY or any(_indexed(each, best.share) for each in conditions):
        return None
    return best


def _way(said: Did, moment: Moment) -> Route | None:
    [kind, *more] = dict.fromkeys(said.kinds)
    count = max(said.at_least or 0, 1 if (said.amount or 0) > 0 else 0)
    if more or not count or not facts.has(kind):
        return None
    within = window(said, moment)
    share = _EVER.get(kind, _SELDOM)
    if within.after is not None:
        days = max(0.0, (moment.now - within.after).total_seconds() / 86400)
        share *= min(1.0, (days / _MONTH / 12) ** 0.7)
    return Route(kind, count, within, share / count**0.5)


def _indexed(condition: Condition, share: float) -> bool:
    """A few contacts are found faster by an index of their own."""
    if not isinstance(condition, Test) or condition.home != "contact":
        return False
    if condition.field == "birthday":
        return bool(condition.values[0] / 365 < share)
    return condition.field == "key" and condition.operator == "in"
