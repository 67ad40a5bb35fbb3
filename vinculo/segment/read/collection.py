"""All segments of a project: one by its name, its conditions, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vinculo.errors import Problem, ProjectError, UsageError, did_you_mean
from vinculo.segment.read.parse import Parser, Path
from vinculo.segment.read.query import query_problems
from vinculo.segment.read.shape import Segment
from vinculo.segment.read.tree import Condition

SegmentProblem = tuple[str, Path, str, str]


def get(segments: Mapping[str, Segment], name: str) -> Segment:
    """Return the segment *name*. Raises `UsageError` with the nearest name there is."""
    try:
        return segments[name]
    except KeyError:
        remedy = did_you_mean(name, segments)
        raise UsageError(f"There is no segment `{name}`", remedy, phrase="segment_missing", name=name) from None


def tree(segment: Segment) -> Condition:
    """Return the conditions of a YAML segment. Raises `ProjectError` when its file is wrong."""
    parser, found = _parsed(segment)
    if parser.problems:
        file = f"segments/{segment.name}.yaml"
        raise ProjectError([Problem(file, 0, 0, message, remedy) for _, message, remedy in parser.problems])
    return found


def _parsed(segment: Segment) -> tuple[Parser, Condition]:
    parser = Parser(segment.currency)
    return parser, parser.condition(segment.who, ("who",))


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
    """Return (path, kind, name) of the segments, topics, channels, campaigns and stages that *segment* mentions."""
    return [] if segment.who is None else _parsed(segment)[0].mentions
