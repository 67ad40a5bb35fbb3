"""YAML 1.2 with the place of every key and value: plain data only, and every problem of a file, not only the first."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from vinculo.errors import Problem

Path = tuple[Hashable, ...]
#: The longest file that is read, in letters, and how many values it may have with all that `*` repeats.
_LETTERS, _VALUES = 1_000_000, 100_000
#: How many lists and keys may lie within one another. What is made of them is nested as deeply, and Python, SQLite and
#: PostgreSQL each end somewhere.
_DEPTH = 40
_TAG = "tag:yaml.org,2002:"
_SYNTAX = (
    ("'\\t'", "a tab stands where YAML wants spaces", "Indent with spaces."),
    ("mapping values are not allowed", "a colon stands where none may", "Quote a text that contains `: `."),
    ("could not find expected ':'", "a key has no colon", "Write `key: value`."),
    ("expected <block end>", "this line is not indented like its neighbours", "Give it the same number of spaces."),
    ("unexpected end of stream", "a quote is opened and never closed", "Close it."),
    ("found '<stream end>'", "a bracket is opened and never closed", "Close it with `]` or `}`."),
    ("found undefined alias", "`*name` stands for nothing", "Quote a text that begins with `*`."),
)
_SHORTER = (
    "Write less, and nothing twice: who is in a long list can have a tag from an import, and a segment asks for that."
)


class _TooMany(Exception):
    """More values than a person writes."""


class _TooDeep(Exception):
    """More lists and keys within one another than a person writes."""


@dataclass
class Document:
    """A file's data, where each part of it stands, and what is wrong with it so far."""

    file: str
    data: Any = None
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def report(self, path: Path, message: str, remedy: str = "", *, key: bool = False) -> None:
        """Note a problem at *path*, or at the nearest part above it that has a place."""
        while path and path not in self.values:
            path = path[:-1]
        places = self.keys if key and path in self.keys else self.values
        line, column = places.get(path, (0, 0))
        self.problems.append(Problem(self.file, line, column, message, remedy))


def read(file: str, text: str) -> Document:
    """Read *text*; what is wrong with it is in the answer's `problems`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    document = Document(file)
    if len(text) > _LETTERS:
        document.problems.append(Problem(file, 0, 0, f"the file has more than {_LETTERS:,} letters", _SHORTER))
        return document
    try:
        node = YAML(typ="rt", pure=True).compose(text)
        document.data = _Reader(document).read(node, ()) if node is not None else None
    except (RecursionError, _TooDeep):
        document.problems.append(Problem(file, 0, 0, "too many lists or keys lie within one another", "Write it flat."))
    except _TooMany:
        document.problems.append(Problem(file, 0, 0, f"the file has more than {_VALUES:,} values", _SHORTER))
    except MarkedYAMLError as error:
        document.problems.append(_syntax(file, error))
    except YAMLError as error:
        document.problems.append(Problem(file, 0, 0, f"this is not YAML: {error}"))
    return document


def _syntax(file: str, error: Any) -> Problem:
    """Say in plain words what the parser says in its own."""
    found = str(error.problem)
    message, remedy = next(((m, r) for sign, m, r in _SYNTAX if sign in found), (f"this is not YAML: {found}", ""))
    mark = error.problem_mark or error.context_mark
    if "never closed" in message:  # where it was opened helps; the end of the file does not
        mark = error.context_mark or mark
    return Problem(file, mark.line + 1 if mark else 0, mark.column + 1 if mark else 0, message, remedy)


class _Reader:
    """Turns nodes into dicts, lists, texts and numbers, and notes where each stood. No tag makes an object."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: set[int] = set()
        self._count = 0

    def read(self, node: Any, path: Path) -> Any:
        self._document.values.setdefault(path, _place(node))
        self._count += 1
        if self._count > _VALUES:  # or aliases of aliases of aliases
            raise _TooMany
        if len(path) > _DEPTH:
            raise _TooDeep
        if id(node) in self._open:  # an alias of itself
            self._document.report(path, "`*` repeats too much", "Write it out.")
            return None
        self._open.add(id(node))
        try:
            return self._value(node, path)
        finally:
            self._open.discard(id(node))

    def _value(self, node: Any, path: Path) -> Any:
        if node.id == "mapping":
            return self._mapping(node, path)
        if node.id == "sequence":
            return [self.read(child, (*path, number)) for number, child in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.id != "scalar":
                self._document.report(path, "a key must be a word", "Quote a text that begins with `{` or `[`.")
                continue
            key = str(key_node.value)
            inner = (*path, key)
            if key in found:
                line = self._document.keys[inner][0]
                place = _place(key_node)
                self._document.problems.append(
                    Problem(self._document.file, *place, f"`{key}` is written twice", f"It is on line {line} already.")
                )
                continue
            self._document.keys[inner] = _place(key_node)
            found[key] = self.read(value_node, inner)
        return found

    def _scalar(self, node: Any, path: Path) -> Any:
        kind, text = str(node.tag).removeprefix(_TAG), node.value
        if kind in {"str", "timestamp"}:  # a date stays text: the file's shape knows whether it is one
            return text
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind in {"int", "float"}:
            return _number(text, kind)
        self._document.report(path, f"`{node.tag}` is not allowed here", "Write plain text, numbers, lists or keys.")
        return None


def _number(text: str, kind: str) -> int | float | str:
    plain = text.replace("_", "")
    try:
        return (
            int(plain, 0 if plain.lstrip("+-")[:2].lower() in {"0x", "0o"} else 10) if kind == "int" else float(plain)
        )
    except ValueError:  # .inf and .nan are no figures for us
        return text


def _place(node: Any) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
