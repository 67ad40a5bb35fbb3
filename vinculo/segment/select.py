"""The whole segment as one SELECT, and what is wrong with a set of segments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from vinculo.db.tables import contact, fact, micros
from vinculo.errors import Problem, ProjectError, UsageError, did_you_mean
from vinculo.model import Moment
from vinculo.segment.condition import Compiler
from vinculo.segment.event import newest
from vinculo.segment.parse import Parser, Path
from vinculo.segment.person import Boolean, Person
from vinculo.segment.query import members, query_problems
from vinculo.segment.route import Route, conjuncts, route
from vinculo.segment.shape import Segment
from vinculo.segment.tree import Condition, In

SegmentProblem = tuple[str, Path, str, str]


def tree(segment: Segment) -> Condition:
    """Return the conditions of a YAML segment. Raises `ProjectError` when its file is wrong."""
    parser, found = _parsed(segment)
    if parser.problems:
        file = f"segments/{segment.name}.yaml"
        raise ProjectError([Problem(file, 0, 0, message, remedy) for _, message, remedy in parser.problems])
    return found


def _parsed(segment: Segment) -> tuple[Parser, Condition]:
    parser = Parser()
    return parser, parser.condition(segment.who, ("who",))


def compile_segment(segments: Mapping[str, Segment], name: str, moment: Moment) -> sa.Select[tuple[int]]:
    """Return a SELECT of one column, `contact_id`: the contacts of segment *name* at *moment*, none erased.

    Raises `UsageError` for a name that is not there and `ProjectError` for a wrong file.
    """
    whole = condition_of(segments, name, moment)
    way = route(list(_conjuncts(segments, name)), moment)
    if way is None:
        members = sa.select(contact.c.id.label("contact_id")).where(contact.c.erased_at.is_(None), whole)
        # Also within a query about contacts it asks of its own rows of `contact`.
        return members.correlate(None)
    row = fact.alias("began")
    here: Boolean = row.c.at_1 <= micros(moment.now)
    known, late = Person(row.c.contact_id, {way.kind: row}), Person(row.c.contact_id)
    both = sa.union_all(
        _beginning(row, way, here, _condition(segments, name, moment, (), known)),
        # Something of it lies after the moment: the history answers, for the few of whom that is so.
        _beginning(row, way, ~here, _condition(segments, name, moment, (), late)),
    )
    return sa.select(both.subquery("member").c.contact_id).correlate(None)


def _beginning(row: Any, way: Route, here: Boolean, whole: Boolean) -> sa.Select[tuple[int]]:
    """The contacts at whose facts a query begins, as far as *whole* holds of them; facts know of nobody erased."""
    members = sa.select(row.c.contact_id).where(row.c.kind == way.kind.value, here)
    members = members.where(newest(row, way.count, way.window), whole)
    if any(getattr(part, "table", None) is contact for part in visitors.iterate(whole)):
        members = members.join_from(row, contact, contact.c.id == row.c.contact_id)
        # By its number alone: an index of countries would be as long as the table.
        members = members.with_hint(contact, "NOT INDEXED", "sqlite")
    return members.correlate(None)


def _conjuncts(segments: Mapping[str, Segment], name: str) -> Iterator[Condition]:
    """The conditions of segment *name* that must all hold."""

    def other(name: str) -> Condition | None:
        segment = get(segments, name)
        return None if segment.sql is not None else tree(segment)

    return conjuncts(In(name), other)


def condition_of(segments: Mapping[str, Segment], name: str, moment: Moment) -> Boolean:
    """Return the condition under which a row of `contact` belongs to segment *name*."""
    return _condition(segments, name, moment, (), Person())


def _condition(
    segments: Mapping[str, Segment], name: str, moment: Moment, above: tuple[str, ...], person: Person
) -> Boolean:
    segment = get(segments, name)
    if name in above:
        raise UsageError(f"The segments {' → '.join((*above, name))} go in a circle", "Take one of the references out.")
    if segment.sql is not None:
        return sa.func.coalesce(person.id.in_(members(segment.sql, moment)), sa.false())
    compiler = Compiler(moment, lambda other: _condition(segments, other, moment, (*above, name), person), person)
    return compiler.sql(tree(segment))


def compiler(segments: Mapping[str, Segment], moment: Moment) -> Compiler:
    """Return what compiles single conditions that may mention *segments*."""
    return Compiler(moment, lambda other: condition_of(segments, other, moment))


def get(segments: Mapping[str, Segment], name: str) -> Segment:
    """Return the segment *name*. Raises `UsageError` with the nearest name there is."""
    try:
        return segments[name]
    except KeyError:
        raise UsageError(f"There is no segment `{name}`", did_you_mean(name, segments)) from None


def problems(segments: Mapping[str, Segment]) -> list[SegmentProblem]:
    """Return (segment, path, message, remedy) for everything wrong; a path in SQL is ("sql", line, column)."""
    found: list[SegmentProblem] = []
    links: dict[str, list[tuple[Path, str]]] = {}
    for name, segment in segments.items():
        if segment.sql is not None:
            wrong = query_problems(segment.sql)
            found += [(name, ("sql", line, column), message, remedy) for line, column, message, remedy in wrong]
        elif segment.who is None:
            found.append((name, (), "the segment does not say who", "Add `who:`; everyone is `all: []`."))
        else:
            parser, _ = _parsed(segment)
            found += [(name, *problem) for problem in parser.problems]
            links[name] = [(path, other) for path, kind, other in parser.mentions if kind == "segment"]
    return found + list(_circles(links))


def _circles(links: Mapping[str, list[tuple[Path, str]]]) -> Iterator[SegmentProblem]:
    for name, mentions in links.items():
        for path, other in mentions:
            if way := _way(other, name, links):
                circle = " → ".join([name, *way])
                yield name, path, f"the segments go in a circle: {circle}", "Take one of the references out."


def _way(start: str, goal: str, links: Mapping[str, list[tuple[Path, str]]]) -> list[str]:
    """Return a way along the mentions from *start* to *goal*, if there is one."""
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop()
        if way[-1] == goal:
            return way
        for _, other in links.get(way[-1], ()):
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []


def references(segment: Segment) -> list[tuple[Path, str, str]]:
    """Return (path, kind, name) of the segments, topics, channels and campaigns that *segment* mentions."""
    return [] if segment.who is None else _parsed(segment)[0].mentions
