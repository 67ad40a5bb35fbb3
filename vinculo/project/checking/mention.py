"""Where the files of a project name one another: read from what is written, and so known of a wrong file, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vinculo import segment
from vinculo.segment import Segment

_Path = tuple[Any, ...]
#: A place in a file, the kind of what it names, and the name.
Mention = tuple[_Path, str, str]
#: By kind of file: the keys that lead to a name, and what it is the name of. `*`: each entry; `@`: each key itself.
_PLACES = {
    "campaign": (
        ("segment", "segment"),
        ("exclude.*", "segment"),
        ("topic", "topic"),
        ("template", "template"),
        ("objective", "objective"),
        ("channels.*", "connector"),
        ("variants.*.template", "template"),
    ),
    "journey": (
        ("segment", "segment"),
        ("leave", "segment"),
        ("topic", "topic"),
        ("channels.*", "connector"),
        ("steps.*.template", "template"),
        ("steps.*.only", "segment"),
    ),
    "policy": (
        ("caps.*.channels.*", "channel"),
        ("quiet_hours.*.channels.*", "channel"),
        ("routing.costs.@", "channel"),
        ("routing.others.*", "channel"),
        ("routing.tiers.*.channels.*", "channel"),
        ("confirm.topics.*", "topic"),
        ("confirm.template", "template"),
        ("implied.*.topics.*", "topic"),
        ("implied.*.channels.*", "channel"),
    ),
    "answers": (
        ("topics.@", "topic"),
        ("questions.*.template", "template"),
        ("questions.*.topics.*", "topic"),
    ),
}

#: By kind of file: the keys that lead to conditions as a segment has them.
_RULES = {"segment": ("who",), "lifecycle": ("stages", "*", "who")}


def mentions(kind: str, data: Any) -> Iterator[Mention]:
    """Yield what a file of *kind* that says *data* names of others."""
    for keys, named in _PLACES.get(kind, ()):
        yield from ((path, named, name) for path, name in _at(data, tuple(keys.split(".")), ()))
    for path, who in _at(data, _RULES[kind], (), dict) if kind in _RULES else ():
        found = segment.references(Segment(who=who))
        yield from (((*path[:-1], *inner), named, name) for inner, named, name in found)


def names(data: Any, *keys: str) -> set[str]:
    """The texts at *keys* in *data*."""
    return {name for _, name in _at(data, keys, ())}


def _at(data: Any, keys: _Path, path: _Path, kind: type = str) -> Iterator[tuple[_Path, Any]]:
    if not keys:
        if isinstance(data, kind):
            yield path, data
    elif keys[0] == "@":
        yield from (((*path, key), key) for key in (data if isinstance(data, Mapping) else ()))
    else:
        for key, inner in _entries(data, keys[0]):
            yield from _at(inner, keys[1:], (*path, key), kind)


def _entries(data: Any, key: str) -> Iterator[tuple[Any, Any]]:
    if key != "*":
        yield from [(key, data[key])] if isinstance(data, Mapping) and key in data else []
    elif isinstance(data, Mapping):
        yield from data.items()
    elif isinstance(data, list):
        yield from enumerate(data)
