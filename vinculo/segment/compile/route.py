"""Where a query begins: at every contact, or at the rows of another table that meet one of its conditions.

Neither database turns EXISTS round in every case, and SQLite never does. So what is likely to leave the fewest is asked
first, then whatever needs no contact's row. The wide rows of `contact` are read, if at all, for those who are left, in
the order of their numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo import facts
from vinculo.db.tables import fact, micros, permission, preference, score, tag
from vinculo.model import EventKind, Moment
from vinculo.segment.compile.condition import compare_score, of_answer, of_preference, of_score
from vinculo.segment.compile.consented import answers
from vinculo.segment.compile.event import Window, everybody, factual, newest, share, window, word
from vinculo.segment.compile.person import Boolean, Person, Unindexed, gone
from vinculo.segment.read.tree import Condition, Consented, Did, Not, Test

#: Beyond this share, the contacts are read one after the other.
_MANY = 0.5
#: About how many of all contacts are in one stage, or have one tag.
_ONE_OF_A_FEW = {"stage": 0.12, "tag": 0.06}
#: SQLite puts no more than 500 queries together to one.
MOST = 100
#: Where those are kept at whose rows a query can begin.
_TABLES = {"score": score, "tag": tag, "answer": fact, "preference": preference}
#: Not few, but their table is narrower than the contacts', and theirs need not be looked up.
_PERMITTED = 0.45
#: Of those who ever did something of a kind, about how many did it in answer to one campaign, or spent so much.
_SOME = 0.3
#: After every instant.
_LAST = 2**62
#: Of those who did something in a window, about how many did it twice or more in it.
_TWICE = 0.4


@dataclass(frozen=True, slots=True)
class Route:
    """A query begins at those *rows* that meet *conditions*: there is one for a contact at most, and none for one who
    is erased if *alive*.
    """

    rows: Any
    conditions: tuple[Boolean, ...]
    person: Person
    alive: bool = False

    def members(self, whole: Boolean, *, erased: bool) -> sa.Select[tuple[int]]:
        """The contacts at whose rows it begins, as far as *whole* holds of them; maybe some who are *erased*."""
        members = sa.select(self.rows.c.contact_id).where(*self.conditions, whole)
        if not (erased or self.alive):
            members = members.where(self.rows.c.contact_id.not_in(gone()))
        return members.correlate(None)


def routes(conditions: Sequence[Condition], moment: Moment) -> list[Route]:
    """The ways in which a query begins whose *conditions* must all hold: no contact is on two of them. None: at the
    contacts themselves.
    """
    likely = [(found, each) for each in conditions if (found := _share(each, conditions, moment)) is not None]
    found, begin = min(likely, key=lambda each: each[0], default=(1.0, None))
    # Of one condition alone all is known where it is kept, however many meet it.
    if (found > _MANY and len(conditions) > 1) or begin is None or any(_indexed(each, found) for each in conditions):
        return []
    if isinstance(begin, Did) and (all_ := everybody(begin, moment)) is not None:
        rows = all_.subquery("began")
        return [Route(rows, (), Person(rows.c.contact_id, granted=begin, share=found))]
    if isinstance(begin, Did):
        return _by_fact(begin, conditions, moment, found)
    if isinstance(begin, Consented):
        return [_by_consent(begin, moment)]
    return [_by_test(begin, moment, found)] if isinstance(begin, Test) else []


def _share(condition: Condition, conditions: Sequence[Condition], moment: Moment) -> float | None:
    """About which share of all contacts a query would begin at; None where it cannot."""
    if isinstance(condition, Test):
        return _share_of_test(condition, moment)
    if isinstance(condition, Consented):
        narrow = condition.channel or condition.state != "given" or len(conditions) == 1
        return _PERMITTED if narrow and condition.state != "none" else None
    return _share_of(condition, conditions, moment) if isinstance(condition, Did) else None


def _share_of_test(test: Test, moment: Moment) -> float | None:
    if test.operator == "missing":
        return None
    if test.home == "answer":
        return share(EventKind.SURVEYED, Window(None, moment.now), moment.now)
    if test.home not in _TABLES:  # a trait may be named as a field of theirs is
        return None
    few = test.operator == "in" and test.field in _ONE_OF_A_FEW
    return _ONE_OF_A_FEW[test.field] * len(set(test.values)) if few else _PERMITTED


def _share_of(said: Did, conditions: Sequence[Condition], moment: Moment) -> float | None:
    if len(set(said.kinds)) > 1 or not facts.has(said.kinds[0]) or not (count := _least(said)):
        return None
    some: float = share(said.kinds[0], window(said, moment), moment.now) / count**0.5
    if everybody(said, moment) is not None:
        return some * _SOME
    silent = [
        share(said.kinds[0], Window(since, moment.now), moment.now) for since in _silences(said, conditions, moment)
    ]
    return max(0.0, some - max(silent, default=0.0))


def _least(said: Did) -> int:
    return max(said.at_least or 0, 1 if (said.amount or 0) > 0 else 0)


def _by_test(test: Test, moment: Moment, found: float) -> Route:
    rows = _TABLES[test.home].alias("began")
    person = Person(rows.c.contact_id, granted=test, share=found)
    if test.home == "answer":
        return Route(rows, of_answer(rows, test, moment), replace(person, scattered=True), alive=True)
    if test.home == "preference":
        return Route(rows, of_preference(rows, test), person)
    if test.home == "score":
        asked = of_score(test, moment, rows) if test.operator == "present" else compare_score(test, moment, rows)
        return Route(rows, (asked,), replace(person, score=rows))
    names = set(test.values)
    if len(names) == 1:
        return Route(rows, (rows.c.name.in_(names),), person)
    # A contact may have both.
    each: list[tuple[Boolean, ...]] = [(rows.c.name == name,) for name in sorted(names)] or [()]
    return _each_once(rows, each if len(each) <= MOST else [(rows.c.name.in_(names),)], test, found)


def _by_consent(said: Consented, moment: Moment) -> Route:
    rows = permission.alias("began")
    ways = answers(rows, said, moment)
    if said.channel and len(ways) == 1:
        return Route(rows, ways[0], Person(rows.c.contact_id, granted=said, share=_PERMITTED))
    # SQLite would read them in the order of contacts, to have each once, and jump through the table for it.
    return _each_once(rows, ways, said, _PERMITTED, Unindexed(rows.c.contact_id))


def _each_once(
    rows: Any, ways: list[tuple[Boolean, ...]], granted: Condition, found: float, whose: Any = None
) -> Route:
    """The contacts of those *rows* that meet one of *ways*; one may have several such rows."""
    id_ = (rows.c.contact_id if whose is None else whose).label("contact_id")
    parts = [sa.select(id_).where(*conditions) for conditions in ways]
    once = (sa.union(*parts) if len(parts) > 1 else parts[0].distinct()).subquery("once")
    return Route(once, (), Person(once.c.contact_id, granted=granted, share=found))


def _by_fact(said: Did, conditions: Sequence[Condition], moment: Moment, found: float) -> list[Route]:
    """All facts since the window began. Of whom something is recorded that came after the question, the history is
    asked: beside the others; or, where all the others lie far back, by themselves.
    """
    kind, within = said.kinds[0], window(said, moment)
    rows = fact.alias("began")
    kinds = rows.c.kind == word(kind)
    until = min(_silences(said, conditions, moment), default=None)
    again = _again(said, within, until or moment.now, moment)
    since = sa.true() if again or said.at_least == 1 else newest(rows, 1, within)  # else the condition says so
    begun = Person(rows.c.contact_id, {kind: rows}, share=found, scattered=True)
    if until is None:
        return [Route(rows, (kinds, since), begun, alive=True)]
    known = Person(rows.c.contact_id, {kind: rows}, sure=True, share=found, scattered=True)
    # One bound each way: SQLite searches between the first two that it finds, or else where there is one. The silence
    # itself says the former, unless it is one since a day to come.
    before = sa.true() if again and until < moment.now else rows.c.at_1 <= micros(until)
    return [
        Route(rows, (kinds, since, before), known, alive=True),
        Route(rows, (kinds, rows.c.at_1.between(micros(moment.now) + 1, _LAST)), begun, alive=True),
    ]


def _again(said: Did, within: Window, until: datetime, moment: Moment) -> bool:
    """It begins at the newest but one, as an index of purchases has them: fewer did it twice in the window than did it
    last between its beginning and *until*.
    """
    kind = said.kinds[0]
    if kind != EventKind.PURCHASED or said.at_least != 2 or within.after is None or not factual(said, kind):
        return False
    once = share(kind, within, moment.now)
    return once * _TWICE < once - share(kind, Window(until, moment.now), moment.now)


def _silences(said: Did, conditions: Sequence[Condition], moment: Moment) -> Iterator[datetime]:
    """Since when nothing of the kind may have come: the newest lies before."""
    for each in conditions:
        part = each.part if isinstance(each, Not) else None
        if isinstance(part, Did) and part == Did(said.kinds, at_least=1, within=part.within, after=part.after):
            yield min(moment.now, window(part, moment).after or moment.now)  # the day may be one to come


def _indexed(condition: Condition, found: float) -> bool:
    """A few contacts are found faster by an index of their own."""
    if not isinstance(condition, Test) or condition.home != "contact":
        return False
    if condition.field == "birthday":
        return bool(condition.values[0] / 365 < found)
    return condition.field == "key" and condition.operator == "in"
