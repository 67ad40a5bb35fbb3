"""From a tree of conditions to SQL: one boolean for each contact, bound parameters only, never NULL.

Every fact kept beside the contact is asked for with EXISTS: it is true or false, so that `not` means not. On SQLite a
correlated EXISTS over index (contact_id, kind, at) is also the fastest form: it stops at the first row.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import singledispatchmethod
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import address, contact, delivery, interaction, occurrence, permission, preference, score, tag
from vinculo.db.tables import suppression as banned
from vinculo.model import Moment
from vinculo.segment.bucket import bucket
from vinculo.segment.trait import TraitFlag, TraitNumber, TraitText, TraitThere
from vinculo.segment.tree import All, Any_, Condition, Consented, Did, In, Not, Reachable, Sample, Test

Boolean = sa.ColumnElement[bool]


def start_of(day: date) -> datetime:
    """A day in a condition begins at midnight UTC: one instant for everyone."""
    return datetime.combine(day, time(), UTC)


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
    """Compiles conditions about the rows of `contact`; *other* gives the condition of another segment."""

    def __init__(self, moment: Moment, other: Callable[[str], Boolean]) -> None:
        self._moment, self._other = moment, other

    @singledispatchmethod
    def sql(self, condition: Condition) -> Boolean:
        """Return *condition* as SQL."""
        raise TypeError(condition)

    @sql.register
    def _(self, condition: All) -> Boolean:
        return sa.and_(sa.true(), *map(self.sql, condition.parts))

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
        return bucket(contact.c.id, condition.salt) < condition.percent / 100

    @sql.register
    def _(self, condition: Consented) -> Boolean:
        live = sa.or_(permission.c.expires_at.is_(None), permission.c.expires_at > self._moment.now)
        asked = [permission.c.topic == condition.topic, permission.c.granted.is_(sa.true()), live]
        if condition.channel:
            asked.append(permission.c.channel == condition.channel)
        return _exists(permission, *asked)

    @sql.register
    def _(self, condition: Reachable) -> Boolean:
        bad = sa.exists().where(banned.c.channel == address.c.channel, banned.c.address_hash == address.c.hash)
        return _exists(address, address.c.channel.in_(condition.channels), ~bad.correlate(address))

    @sql.register
    def _(self, condition: Test) -> Boolean:
        return _HOMES[condition.home](condition, self._moment)

    @sql.register
    def _(self, condition: Did) -> Boolean:
        rows = self._interactions(condition)
        parts = []
        if condition.at_least is not None:
            parts.append(_at_least(rows, condition.at_least))
        if condition.at_most is not None:
            parts.append(~_at_least(rows, condition.at_most + 1))
        if condition.amount is not None:
            spent = rows.with_only_columns(sa.func.coalesce(sa.func.sum(interaction.c.amount), 0))
            parts.append(spent.scalar_subquery() >= condition.amount)
        return sa.and_(sa.true(), *parts)

    def _interactions(self, did: Did) -> sa.Select[Any]:
        """The contact's rows of history that count; nothing after the moment does."""
        now = self._moment.now
        rows = sa.select(interaction.c.id).where(
            interaction.c.contact_id == contact.c.id,
            interaction.c.kind.in_([kind.value for kind in did.kinds]),
            interaction.c.at <= now,
        )
        limits: list[tuple[Any, Callable[[], Boolean]]] = [
            (did.within, lambda: interaction.c.at > now - (did.within or timedelta())),
            (did.after, lambda: interaction.c.at >= start_of(did.after or now.date())),
            (did.before, lambda: interaction.c.at < start_of(did.before or now.date())),
            (did.campaign, lambda: interaction.c.campaign == did.campaign),
            (did.channel, lambda: interaction.c.channel == did.channel),
            (did.currency, lambda: interaction.c.currency == did.currency),
            (did.last, lambda: self._in_answer(did)),
            (did.then, lambda: self._followed(did)),
        ]
        return rows.where(*(limit() for said, limit in limits if said)).correlate(contact)

    def _followed(self, did: Did) -> Boolean:
        """Something else came after it, soon enough; what came at the same instant did not follow."""
        next_ = interaction.alias("next")
        later: list[Boolean] = [next_.c.at > interaction.c.at, next_.c.at <= self._moment.now]
        if did.then_within is not None:
            span = int(did.then_within.total_seconds() * 1_000_000)
            gap = sa.type_coerce(next_.c.at, sa.BigInteger) - sa.type_coerce(interaction.c.at, sa.BigInteger)
            later.append(gap <= span)
        kinds = next_.c.kind.in_([kind.value for kind in did.then])
        here = next_.c.contact_id == interaction.c.contact_id
        return sa.exists().where(here, kinds, *later).correlate(interaction)

    def _in_answer(self, did: Did) -> Boolean:
        """In answer to one of the last occurrences of campaigns of a kind that were sent to anyone."""
        sent = sa.exists().where(
            delivery.c.campaign == occurrence.c.campaign,
            delivery.c.occurrence == occurrence.c.occurrence,
            delivery.c.state == "accepted",
        )
        kind: Any = occurrence.c.definition["kind"]
        last = (
            sa.select(occurrence.c.campaign, occurrence.c.occurrence)
            .where(kind.as_string() == did.last_kind, occurrence.c.due_at <= self._moment.now)
            .where(sent.correlate(occurrence))
            .order_by(occurrence.c.due_at.desc(), occurrence.c.campaign, occurrence.c.occurrence)
            .limit(did.last)
            .correlate(None)
        )
        pair: Any = sa.tuple_(interaction.c.campaign, interaction.c.occurrence)
        answers: Boolean = pair.in_(last)
        return answers


def _at_least(rows: sa.Select[Any], count: int) -> Boolean:
    """At least *count* rows: the one after *count* - 1 others exists, which stops as soon as it is found."""
    if count == 0:
        return sa.true()
    return sa.exists(rows.limit(1).offset(count - 1) if count > 1 else rows)


def _exists(table: sa.Table, *conditions: Boolean) -> Boolean:
    return sa.exists().where(table.c.contact_id == contact.c.id, *conditions).correlate(contact)


# ── facts, by where they are kept ────────────────────────────────────────────────────────────────────────────────
_OPERATORS: Mapping[str, Callable[..., Boolean]] = {
    "in": lambda column, *values: column.in_(values) if len(values) > 1 else column == values[0],
    "at_least": operator.ge,
    "at_most": operator.le,
    "more_than": operator.gt,
    "less_than": operator.lt,
    "between": lambda column, low, high: column.between(low, high),
    # Not LIKE, which minds capitals on one database and not on the other.
    "contains": lambda column, part: sa.func.replace(column, part, "") != column,
    "starts_with": lambda column, part: sa.func.substr(column, 1, len(part)) == part,
}


def _compare(column: Any, test: Test) -> Boolean:
    """Compare a value that is there; NULL where it is not."""
    return _OPERATORS[test.operator](column, *test.values)


def _contact(test: Test, moment: Moment) -> Boolean:
    if test.field == "birthday":
        return contact.c.birthday.in_(birthdays(moment.today, test.values[0]))
    column = contact.c[test.field]
    if test.field == "first_seen":
        return _first_seen(test, moment)
    if test.field == "birthdate":
        return _birthdate(test)
    if test.operator in {"missing", "present"}:
        return column == "" if test.operator == "missing" else column != ""
    if test.field == "language" and test.operator == "in":  # pt is also pt-BR
        return sa.or_(column.in_(test.values), *(sa.func.substr(column, 1, len(v) + 1) == f"{v}-" for v in test.values))
    return _compare(column, test)


def _first_seen(test: Test, moment: Moment) -> Boolean:
    column, value = contact.c.first_seen, test.values[0]
    if test.operator == "within":
        return sa.and_(column > moment.now - value, column <= moment.now)
    return column < start_of(value) if test.operator == "before" else column >= start_of(value)


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


def _score(test: Test, moment: Moment) -> Boolean:  # noqa: ARG001 - the same shape for every home
    column = score.c[test.field]
    if test.operator in {"missing", "present"}:
        there = column != "" if test.field == "stage" else column.is_not(None)
        return _exists(score, there) if test.operator == "present" else ~_exists(score, there)
    return _exists(score, _compare(column, test))


def _tag(test: Test, moment: Moment) -> Boolean:  # noqa: ARG001
    if test.operator in {"missing", "present"}:
        return _exists(tag) if test.operator == "present" else ~_exists(tag)
    return _exists(tag, tag.c.name.in_(test.values))


def _preference(test: Test, moment: Moment) -> Boolean:  # noqa: ARG001
    named = preference.c.name == test.field
    if test.operator in {"missing", "present"}:
        there = _exists(preference, named, preference.c.value != "")
        return there if test.operator == "present" else ~there
    return _exists(preference, named, _compare(preference.c.value, test))


def _trait(test: Test, moment: Moment) -> Boolean:  # noqa: ARG001
    there = TraitThere(contact.c.traits, test.field)
    if test.operator in {"missing", "present"}:
        return there if test.operator == "present" else sa.not_(there)
    kinds: dict[bool, Any] = {True: [], False: []}
    for value in test.values:
        kinds[isinstance(value, bool)].append(value)
    parts = [TraitFlag(contact.c.traits, test.field) == ("true" if flag else "false") for flag in kinds[True]]
    if plain := tuple(kinds[False]):
        numeric = not isinstance(plain[0], str)
        column = TraitNumber(contact.c.traits, test.field) if numeric else TraitText(contact.c.traits, test.field)
        parts.append(_compare(column, Test(test.home, test.field, test.operator, plain)))
    return sa.func.coalesce(sa.or_(*parts), sa.false())


_HOMES: Mapping[str, Callable[[Test, Moment], Boolean]] = {
    "contact": _contact,
    "score": _score,
    "tag": _tag,
    "preference": _preference,
    "trait": _trait,
}
