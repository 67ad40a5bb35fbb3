"""Where a query begins: at every contact, or at the rows of another table that meet one of its conditions.

Neither database turns EXISTS round in every case, and SQLite never does. So what is likely to leave the fewest is asked
first, and the contact's wide row is read, if at all, for those alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo import facts
from vinculo.db.tables import contact, fact, micros, score, tag
from vinculo.model import Moment
from vinculo.segment.event import newest, share, window
from vinculo.segment.person import Boolean, Person
from vinculo.segment.tree import All, Condition, Did, In, Not, Test

#: Beyond this share, the contacts are read one after the other.
_MANY = 0.5
#: About how many of all contacts are in one stage, or have one tag.
_ONE_OF_A_FEW = {"stage": 0.12, "tag": 0.06}


@dataclass(frozen=True, slots=True)
class Route:
    """A query begins at those *rows* that meet *conditions*: there is one for a contact at most, and none for one who
    is erased if *alive*.
    """

    rows: Any
    conditions: tuple[Boolean, ...]
    person: Person
    alive: bool = False

    def members(self, whole: Boolean, *, reads_contacts: bool) -> sa.Select[tuple[int]]:
        """The contacts at whose rows it begins, as far as *whole* holds of them; *reads_contacts*: *whole* asks of
        their rows in `contact`, too.
        """
        members = sa.select(self.rows.c.contact_id).where(*self.conditions)
        if reads_contacts:
            members = members.join_from(self.rows, contact, contact.c.id == self.rows.c.contact_id)
            members = members.where(contact.c.erased_at.is_(None))
        elif not self.alive:
            gone = sa.select(contact.c.id).where(contact.c.erased_at.is_not(None)).correlate(None)
            members = members.where(self.rows.c.contact_id.not_in(gone))
        return members.where(whole).correlate(None)


def conjuncts(condition: Condition, other: Callable[[str], Condition | None]) -> Iterator[Condition]:
    """The conditions that must all hold; *other* gives the tree of another segment, None for one in SQL."""
    if isinstance(condition, All):
        for part in condition.parts:
            yield from conjuncts(part, other)
    elif isinstance(condition, In) and (inner := other(condition.segment)) is not None:
        yield from conjuncts(inner, other)
    else:
        yield condition


def routes(conditions: Sequence[Condition], moment: Moment) -> list[Route]:
    """The ways in which a query begins whose *conditions* must all hold: no contact is on two of them. None: at the
    contacts themselves.
    """
    likely = [(found, each) for each in conditions if (found := _share(each, moment)) is not None]
    found, begin = min(likely, key=lambda each: each[0], default=(1.0, None))
    if found > _MANY or begin is None or any(_indexed(each, found) for each in conditions):
        return []
    if isinstance(begin, Did):
        return _by_fact(begin, conditions, moment, found)
    return [_by_test(begin, found)] if isinstance(begin, Test) else []


def _share(condition: Condition, moment: Moment) -> float | None:
    """About which share of all contacts a query would begin at; None where it cannot."""
    if isinstance(condition, Test) and condition.field in _ONE_OF_A_FEW and condition.operator == "in":
        several = condition.field == "tag" and len(set(condition.values)) > 1  # a contact may have both
        return None if several else _ONE_OF_A_FEW[condition.field] * len(condition.values)
    if not isinstance(condition, Did) or len(set(condition.kinds)) > 1 or not facts.has(condition.kinds[0]):
        return None
    return (
        share(condition.kinds[0], window(condition, moment), moment.now) / count**0.5
        if (count := _least(condition))
        else None
    )


def _least(said: Did) -> int:
    return max(said.at_least or 0, 1 if (said.amount or 0) > 0 else 0)


def _by_test(test: Test, found: float) -> Route:
    rows = (score if test.field == "stage" else tag).alias("began")
    column = rows.c.stage if test.field == "stage" else rows.c.name
    return Route(rows, (column.in_(test.values),), Person(rows.c.contact_id, granted=test, share=found))


def _by_fact(said: Did, conditions: Sequence[Condition], moment: Moment, found: float) -> list[Route]:
    """Facts of whom nothing later is recorded, and the few of whom something is: about those the history is asked."""
    kind, within = said.kinds[0], window(said, moment)
    until = min([moment.now, *_silences(said, conditions, moment)])
    rows = fact.alias("began")
    # One bound each way: SQLite searches between the first two that it finds.
    here = (rows.c.kind == kind.value, newest(rows, 1, within), rows.c.at_1 <= micros(until))
    later = (rows.c.kind == kind.value, rows.c.at_1 > micros(moment.now))
    known = Person(rows.c.contact_id, {kind: rows}, share=found, scattered=True)
    late = Person(rows.c.contact_id, share=0)
    return [
        Route(rows, here, known, alive=True),
        Route(rows, later, late, alive=True),
    ]


def _silences(said: Did, conditions: Sequence[Condition], moment: Moment) -> Iterator[datetime]:
    """Since when nothing of the kind may have come: the newest lies before."""
    for each in conditions:
        part = each.part if isinstance(each, Not) else None
        if isinstance(part, Did) and part == Did(said.kinds, at_least=1, within=part.within, after=part.after):
            yield window(part, moment).after or moment.now


def _indexed(condition: Condition, found: float) -> bool:
    """A few contacts are found faster by an index of their own."""
    if not isinstance(condition, Test) or condition.home != "contact":
        return False
    if condition.field == "birthday":
        return bool(condition.values[0] / 365 < found)
    return condition.field == "key" and condition.operator == "in"
