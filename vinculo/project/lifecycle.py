"""plan/lifecycle.yaml: the stages of the life cycle, each with its rule. The first rule that holds decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from vinculo import segment
from vinculo.fields import Name, Strict
from vinculo.segment import Segment

#: A place in the file, what is wrong, and what to write instead.
Wrong = tuple[tuple[Any, ...], str, str]


class Stage(Strict):
    """Where a contact stands with us, and for whom it holds: `who` is a condition as in a segment's file."""

    name: Name
    #: The name that people read, by language.
    title: dict[str, str] = {}
    description: str = ""
    #: Without it: everyone whom no stage above has taken.
    who: dict[str, Any] | None = None


class Lifecycle(Strict):
    """The stages in the order in which they are asked for."""

    stages: list[Stage] = Field(min_length=1)


#: What holds in a project without the file; the file of a starter project says the same.
USUAL = Lifecycle.model_validate(
    {
        "stages": [
            {
                "name": "reactivation",
                "description": "bought before, and nothing for 180 days",
                "who": {"recency": {"more_than": 180}},
            },
            {"name": "loyalty", "description": "bought 3 times or more", "who": {"frequency": {"at_least": 3}}},
            {"name": "conversion", "description": "bought once or twice", "who": {"frequency": {"at_least": 1}}},
            {
                "name": "acquisition",
                "description": "has never bought, and reads, clicks, answers or visits",
                "who": {"engagement": {"more_than": 0}},
            },
            {"name": "awareness", "description": "everyone else: knows of us, and has shown nothing yet"},
        ]
    }
)


def rules(lifecycle: Lifecycle, currency: str) -> dict[str, Segment]:
    """The rules as segments, by the name of their stage, in order; amounts are in the company's *currency*."""
    everyone: dict[str, Any] = {"all": []}
    return {
        each.name: Segment(name=each.name, description=each.description, who=each.who or everyone, currency=currency)
        for each in lifecycle.stages
    }


def lifecycle_problems(lifecycle: Lifecycle, segments: Mapping[str, Segment], currency: str) -> Iterator[Wrong]:
    """Yield all that cannot be meant, right as the file's shape may be."""
    yield from _places(lifecycle)
    for number, stage in enumerate(lifecycle.stages):
        if stage.who is None:
            continue
        rule = Segment(name=stage.name, who=stage.who, currency=currency)
        for _, path, message, remedy in segment.problems({stage.name: rule}):
            yield ("stages", number, *path), message, remedy
        for path in _circles(rule, segments):
            message = "a stage cannot ask for the stage: it is what is being found out"
            yield ("stages", number, *path), message, "Ask for recency, frequency, value, engagement or events."


def _places(lifecycle: Lifecycle) -> Iterator[Wrong]:
    seen: set[str] = set()
    everyone = ""
    for number, stage in enumerate(lifecycle.stages):
        if stage.name in seen:
            yield ("stages", number, "name"), f"two stages are named `{stage.name}`", "Rename one of them."
        if everyone:
            message = f"nobody is left for `{stage.name}`: `{everyone}` above takes everyone"
            yield ("stages", number), message, f"Move `{everyone}` to the end, or give it a `who`."
        seen.add(stage.name)
        everyone = everyone or (stage.name if stage.who is None else "")
    if not everyone:
        message = "a contact for whom no rule holds would be in no stage"
        yield ("stages",), message, "Let the last stage have no `who`: it takes everyone else."


def _circles(rule: Segment, segments: Mapping[str, Segment]) -> Iterator[tuple[Any, ...]]:
    """Where *rule* asks for the stage: itself, or through a segment that it mentions."""
    yield from _asking(rule.who, ("who",))
    for path, kind, name in segment.references(rule):
        if kind == "segment" and _asks(name, segments, set()):
            yield path


def _asks(name: str, segments: Mapping[str, Segment], seen: set[str]) -> bool:
    found = segments.get(name)
    if found is None or name in seen:
        return False
    seen.add(name)
    inner = (other for _, kind, other in segment.references(found) if kind == "segment")
    return any(_asking(found.who, ())) or any(_asks(other, segments, seen) for other in inner)


def _asking(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "stage":
                yield (*path, key)
            elif key not in {"traits", "preference", "did", "never"}:
                yield from _asking(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _asking(inner, (*path, number))
