"""From a tree of conditions to SQL: one boolean for each contact, bound parameters only, never NULL.

What is kept beside the contact is asked for with EXISTS: it is true or false, so that `not` means not.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import singledispatchmethod
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import address, contact, fact, permission, preference, score, tag
from vinculo.db.tables import suppression as banned
from vinculo.model import EventKind, Moment
from vinculo.segment.compile.bucket import bucket
from vinculo.segment.compile.consented import answered
from vinculo.segment.compile.event import Window, did, instant, of_one_row, one_row, share, word
from vinculo.segment.compile.person import Boolean, Either, Person, Unindexed
from vinculo.segment.compile.survey import last
from vinculo.segment.compile.trait import (
    TraitFalse,
    TraitMeets,
    TraitNumber,
    TraitText,
    TraitThere,
    TraitTrue,
    TraitWord,
    is_word,
    json_path,
)
from vinculo.segment.read.tree import All, Any_, Condition, Consented, Did, In, Not, Reachable, Sample, Test


def birthdays(today: date, days: int) -> list[str]:
    """The MM-DD of *days* days from *today* on; who is born on 29 February is greeted on the 28th in other years."""
    found = []
    for number in range(min(days, 366)):
        day = today + timedelta(days=number)
        found.append(f"{day:%m-%d}")
        if found[-1] == "02-28" and (day + timedelta(days=1)).month == 3:
            found.append("02-29")
    return sorted(set(found))


class Compiler:
    """Compiles conditions about *person*; *other* gives the condition of another segment."""

    def __init__(self, moment: Moment, other: Callable[[str], Boolean], person: Person | None = None) -> None:
        self._moment, self._other, self._person = moment, other, person or Person()

    @singledispatchmethod
    def sql(self, condition: Condition) -> Boolean:
        """Return *condition* as SQL."""
        raise TypeError(condition)

    @sql.register
    def _(self, condition: All) -> Boolean:
        together = of_one_row(condition.parts, self._person)
        alone = [part for part in condition.parts if not any(part in group for group in together)]
        rows = (one_row(group, self._person, self._moment) for group in together)
        return sa.and_(sa.true(), *map(self.sql, alone), *rows)

    @sql.register
    def _(self, condition: Any_) -> Boolean:
        return sa.or_(sa.false(), *map(self.sql, condition.parts))

    @sql.register
    def _(self, condition: Not) -> Boolean:
        return sa.not_(self.sql(condition.part))

    @sql.register
    def _(self, condition: In) -> Boolean:
        return self._other(condition.segment)

    @sql.register
    def _(self, condition: Sample) -> Boolean:
        return bucket(self._person.id, condition.salt) < condition.percent / 100

    @sql.register
    def _(self, condition: Consented) -> Boolean:
        if condition == self._person.granted:
            return sa.true()
        there = self._person.has(permission, *answered(permission, condition, self._moment))
        return ~there if condition.state == "none" else there

    @sql.register
    def _(self, condition: Reachable) -> Boolean:
        bad = sa.exists().where(banned.c.channel == address.c.channel, banned.c.address_hash == address.c.hash)
        return self._person.has(address, address.c.channel.in_(condition.channels), ~bad.correlate(address))

    @sql.register
    def _(self, condition: Test) -> Boolean:
        if condition == self._person.granted:
            return sa.true()
        return _HOMES[condition.home](condition, self._moment, self._person)

    @sql.register
    def _(self, condition: Did) -> Boolean:
        if condition == self._person.granted:
            return sa.true()
        return did(condition, self._person, self._moment)


# ── facts, by where they are kept ────────────────────────────────────────────────────────────────────────────────
_OPERATORS: Mapping[str, Callable[..., Boolean]] = {
    "in": lambda column, *values: column.in_(values) if len(values) > 1 else column == values[0],
    "at_least": operator.ge,
    "at_most": operator.le,
    "more_than": operator.gt,
    "less_than": operator.lt,
    "between": lambda column, low, high: column.between(low, high),
    # Not LIKE, which minds capitals on one database and not on the other.
    "contains": lambda column, part: Either(sa.func.strpos(column, part) > 0, sa.func.instr(column, part) > 0),
    "starts_with": lambda column, part: sa.func.substr(column, 1, len(part)) == part,
}


def compare(column: Any, test: Test) -> Boolean:
    """Compare a value that is there; NULL where it is not."""
    values = test.values
    if any(isinstance(value, float) for value in values):  # PostgreSQL's driver takes a list for what its first is
        values = tuple(float(value) if isinstance(value, int) else value for value in values)
    return _OPERATORS[test.operator](column, *map(_large, values))


def _large(value: Any) -> Any:
    """A whole number that PostgreSQL's INTEGER does not hold says that it is larger."""
    whole = isinstance(value, int) and abs(value) >= 2**31
    return sa.literal(value, sa.BigInteger) if whole else value


def _contact(test: Test, moment: Moment, person: Person) -> Boolean:
    if test.field == "birthday":
        told = contact.c.birthday != sa.literal_column("''")  # in the words of its index
        return told & contact.c.birthday.in_(birthdays(moment.today, test.values[0]))
    column: sa.ColumnElement[Any] = contact.c[test.field]
    if person.share < 1:  # the contact is found by its number
        column = Unindexed(contact.c[test.field])
    if test.field == "first_seen":
        return _first_seen(test, moment)
    if test.field == "birthdate":
        return _birthdate(test)
    if test.operator in {"missing", "present"}:
        return column == "" if test.operator == "missing" else column != ""
    if test.field == "language" and test.operator == "in":  # pt is also pt-BR
        return sa.or_(column.in_(test.values), *(sa.func.substr(column, 1, len(v) + 1) == f"{v}-" for v in test.values))
    return compare(column, test)


def _first_seen(test: Test, moment: Moment) -> Boolean:
    column, value = contact.c.first_seen, test.values[0]
    if test.operator == "within":
        return sa.and_(column > moment.now - value, column <= moment.now)
    edge = instant(value, moment)
    return column < edge if test.operator == "before" else column >= edge


def _birthdate(test: Test) -> Boolean:
    column = contact.c.birthdate
    if test.operator in {"missing", "present"}:
        return column.is_(None) if test.operator == "missing" else column.is_not(None)
    value, *rest = test.values
    if test.operator == "between":
        asked = column.between(value, *rest)
    else:
        asked = column < value if test.operator == "before" else column >= value
    return sa.and_(column.is_not(None), asked)


def _answer(test: Test, moment: Moment, person: Person) -> Boolean:
    """What is said of the last answer to a survey: few have ever given one, and facts know who."""
    rows = fact.alias("answered")
    whether = of_answer(rows, test, moment)
    among = person.is_among(rows, *whether, share=share(EventKind.SURVEYED, Window(None, moment.now), moment.now))
    return ~among if test.operator == "missing" else among


def of_answer(rows: Any, test: Test, moment: Moment) -> tuple[Boolean, ...]:
    """The conditions under which the contact of a row of *rows*, of facts, has answered so; for `missing`: at all."""
    said = last(test.field, rows.c.contact_id, moment)
    there = test.operator in {"missing", "present"}
    return (rows.c.kind == word(EventKind.SURVEYED), said.is_not(None) if there else compare(said, test))


def compare_score(test: Test, moment: Moment, rows: Any = score) -> Boolean:
    """Compare a score that is there, in *rows*; NULL where it is not."""
    column: Any = rows.c[test.field]
    if test.field != "next_at":
        return compare(column, test)
    (value,) = test.values
    if test.operator == "in_next":
        return sa.and_(column > moment.now, column <= moment.now + value)
    day: Boolean = column < instant(value, moment) if test.operator == "before" else column >= instant(value, moment)
    return day


def _score(test: Test, moment: Moment, person: Person) -> Boolean:
    if person.score is not None:
        return of_score(test, moment, person.score)
    column = score.c[test.field]
    if test.operator in {"missing", "present"}:
        there = _scored(column, test)
        return person.has(score, there) if test.operator == "present" else ~person.has(score, there)
    if test.field == "stage" and test.operator == "in":
        return person.is_among(score, compare(column, test), share=0.12 * len(test.values))
    return person.has(score, compare_score(test, moment))


def of_score(test: Test, moment: Moment, rows: Any = score) -> Boolean:
    """Whether a row of *rows*, of scores, meets *test*: never NULL."""
    if test.operator in {"missing", "present"}:
        there = _scored(rows.c[test.field], test)
        return there if test.operator == "present" else sa.not_(there)
    return sa.func.coalesce(compare_score(test, moment, rows), sa.false())


def _scored(column: Any, test: Test) -> Boolean:
    there: Boolean = column != "" if test.field == "stage" else column.is_not(None)
    return there


def _tag(test: Test, moment: Moment, person: Person) -> Boolean:  # noqa: ARG001
    if test.operator in {"missing", "present"}:
        return person.has(tag) if test.operator == "present" else ~person.has(tag)
    return person.is_among(tag, tag.c.name.in_(test.values), share=0.06 * len(test.values))


def _preference(test: Test, moment: Moment, person: Person) -> Boolean:  # noqa: ARG001
    there = person.has(preference, *of_preference(preference, test))
    return ~there if test.operator == "missing" else there


def of_preference(rows: Any, test: Test) -> tuple[Boolean, ...]:
    """The conditions under which a row of *rows* is what the contact chose so; for `missing`: at all."""
    there = test.operator in {"missing", "present"}
    return (rows.c.name == test.field, rows.c.value != "" if there else compare(rows.c.value, test))


def _trait(test: Test, moment: Moment, person: Person) -> Boolean:  # noqa: ARG001
    there = TraitThere(contact.c.traits, test.field)
    if test.operator in {"missing", "present"}:
        return there if test.operator == "present" else sa.not_(there)
    flags = [value for value in test.values if isinstance(value, bool)]
    numbers = [value for value in test.values if isinstance(value, int | float) and not isinstance(value, bool)]
    texts = [value for value in test.values if isinstance(value, str)]
    parts: list[Any] = [(TraitTrue if flag else TraitFalse)(contact.c.traits, test.field) for flag in flags]
    if numbers:
        of_numbers = Test(test.home, test.field, test.operator, tuple(numbers))
        number = compare(TraitNumber(contact.c.traits, test.field), of_numbers)
        parts.append(Either(TraitMeets(contact.c.traits, json_path(of_numbers)), number))
    if texts:
        form = TraitWord if test.operator != "contains" and all(map(is_word, texts)) else TraitText
        parts.append(compare(form(contact.c.traits, test.field), Test("trait", "", test.operator, tuple(texts))))
    return sa.func.coalesce(sa.or_(*parts), sa.false())


_HOMES: Mapping[str, Callable[[Test, Moment, Person], Boolean]] = {
    "contact": _contact,
    "score": _score,
    "answer": _answer,
    "tag": _tag,
    "preference": _preference,
    "trait": _trait,
}
