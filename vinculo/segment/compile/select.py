"""The whole segment as one SELECT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from vinculo.db.tables import contact
from vinculo.errors import UsageError
from vinculo.model import Moment
from vinculo.segment.compile.condition import Compiler
from vinculo.segment.compile.person import Boolean, Either, Person, gone
from vinculo.segment.compile.query import members
from vinculo.segment.compile.route import MOST, routes
from vinculo.segment.read.collection import get, tree
from vinculo.segment.read.shape import Segment
from vinculo.segment.read.tree import All, Any_, Condition, In


def compile_segment(segments: Mapping[str, Segment], name: str, moment: Moment) -> sa.Select[tuple[int]]:
    """Return a SELECT of one column, `contact_id`: the contacts of segment *name* at *moment*, none erased.

    Raises `UsageError` for a name that is not there and `ProjectError` for a wrong file.
    """
    return _select(segments, list(_conjuncts(segments, In(name), ())), moment)


def _select(segments: Mapping[str, Segment], every: list[Condition], moment: Moment) -> sa.Select[tuple[int]]:
    def holds(conditions: list[Condition], person: Person) -> Boolean:
        return _compiler(segments, moment, (), person).sql(All(tuple(conditions)))

    # Each once. Told apart by how they are written: to Python, true and 1 are the same.
    conditions = list({repr(each): each for each in every}.values())
    ways = routes(conditions, moment)
    if not ways and (parts := _alternatives(segments, conditions, moment)):
        return _from(sa.union(*(_select(segments, part, moment) for part in parts)))
    person = ways[0].person if ways else Person()
    alone = [(each, holds([each], person)) for each in conditions]
    # What looks nothing up is asked first.
    alone.sort(key=lambda each: _lookups(each[1]))
    if not ways:
        return _members(holds([each for each, _ in alone], person))
    wide = [each for each, asked in alone if _reads_contacts(asked)]
    narrow = [each for each, asked in alone if not _reads_contacts(asked)]
    members = [way.members(holds(narrow, way.person), erased=bool(wide)) for way in ways]
    if wide:
        left = holds(wide, Person(share=person.share))
        members = [_members(contact.c.id.in_(part), left) for part in members]
    return members[0] if len(members) == 1 else _from(sa.union_all(*members))


def _from(found: sa.CompoundSelect[tuple[int]]) -> sa.Select[tuple[int]]:
    return sa.select(found.subquery("member").c.contact_id)


def _alternatives(
    segments: Mapping[str, Segment], conditions: list[Condition], moment: Moment
) -> list[list[Condition]]:
    """The conditions of each part, where any of them is enough and each is found without looking through all contacts;
    else none.
    """
    (one, *more) = conditions or [All(())]
    if more or not isinstance(one, Any_) or len(one.parts) > MOST:
        return []
    parts = [list(_conjuncts(segments, part, ())) for part in one.parts]
    return parts if all(routes(part, moment) for part in parts) else []


def _members(*conditions: Boolean) -> sa.Select[tuple[int]]:
    """The contacts who meet *conditions*. Whether one is erased is asked last: it stands at the end of a wide row.

    Where only other tables are asked, it is not read: an index knows all who are erased, and another all numbers.
    """
    erased: Boolean = contact.c.erased_at.is_(None)
    if any(map(_lookups, conditions)) and not any(_reads_contacts(each, but="id") for each in conditions):
        erased = Either(contact.c.id.not_in(gone()), erased)
    members = sa.select(contact.c.id.label("contact_id")).where(*conditions, erased)
    # Also within a query about contacts it asks of its own rows of `contact`.
    return members.correlate(None)


def _reads_contacts(whole: Boolean, but: str = "") -> bool:
    columns = (part for part in visitors.iterate(whole) if getattr(part, "table", None) is contact)
    return any(getattr(column, "name", "") != but for column in columns)


def _lookups(whole: Boolean) -> int:
    return sum(isinstance(part, sa.SelectBase) for part in visitors.iterate(whole))


def _conjuncts(segments: Mapping[str, Segment], condition: Condition, above: tuple[str, ...]) -> Iterator[Condition]:
    """The conditions that must all hold, of the segments that are mentioned, too."""
    if isinstance(condition, All):
        for part in condition.parts:
            yield from _conjuncts(segments, part, above)
    elif isinstance(condition, In) and (segment := _get_below(segments, condition.segment, above)).sql is None:
        yield from _conjuncts(segments, tree(segment), (*above, condition.segment))
    else:
        yield condition


def condition_of(segments: Mapping[str, Segment], name: str, moment: Moment) -> Boolean:
    """Return the condition under which a row of `contact` belongs to segment *name*."""
    return _condition(segments, name, moment, (), Person())


def _condition(
    segments: Mapping[str, Segment], name: str, moment: Moment, above: tuple[str, ...], person: Person
) -> Boolean:
    segment = _get_below(segments, name, above)
    if segment.sql is not None:
        return sa.func.coalesce(person.id.in_(members(segment.sql, moment)), sa.false())
    return _compiler(segments, moment, (*above, name), person).sql(tree(segment))


def _compiler(segments: Mapping[str, Segment], moment: Moment, above: tuple[str, ...], person: Person) -> Compiler:
    return Compiler(moment, lambda other: _condition(segments, other, moment, above, person), person)


def compiler(segments: Mapping[str, Segment], moment: Moment) -> Compiler:
    """Return what compiles single conditions, about one contact, that may mention *segments*."""
    return _compiler(segments, moment, (), Person(share=0))


def _get_below(segments: Mapping[str, Segment], name: str, above: tuple[str, ...]) -> Segment:
    if name in above:
        circle = " → ".join((*above, name))
        told, remedy = f"The segments {circle} go in a circle", "Take one of the references out."
        raise UsageError(told, remedy, phrase="segment_circle", circle=circle)
    return get(segments, name)
