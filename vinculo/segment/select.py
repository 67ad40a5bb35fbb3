"""The whole segment as one SELECT, and what is wrong with a set of segments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from vinculo.db.tables import contact
from vinculo.errors import Problem, ProjectError, UsageError, did_you_mean
from vinculo.model import Moment
from vinculo.segment.condition import Compiler
from vinculo.segment.parse import Parser, Path
from vinculo.segment.person import Boolean, Person
from vinculo.segment.query import members, query_problems
from vinculo.segment.route import conjuncts, routes
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
    ways = routes(list(_conjuncts(segments, name)), moment)
    if not ways:
        members = sa.select(contact.c.id.label("contact_id")).where(contact.c.erased_at.is_(None))
        # Also within a query about contacts it asks of its own rows of `contact`.
        return members.where(condition_of(segments, name, moment)).correlate(None)
    parts = []
    for way in ways:
        whole = _condition(segments, name, moment, (), way.person)
        parts.append(way.members(whole, reads_contacts=_reads_contacts(whole)))
    return parts[0] if len(parts) == 1 else sa.select(sa.union_all(*parts).subquery("member").c.contact_id)


def _reads_contacts(whole: Boolean) -> bool:
    return any(getattr(part, "table", None) is contact for part in visitors.iterate(whole))


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
    """Return what compiles single conditions, about one contact, that may mention *segments*."""
    one = Person(share=0)
    return Compiler(moment, lambda other: _condition(segments, other, moment, (), one), one)


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
