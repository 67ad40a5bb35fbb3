"""What pydantic found wrong with a file, in a marketer's words: what it is, and what to write instead."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vinculo.errors import did_you_mean

#: A place in the file, what is wrong, what to write, and whether the key itself (not its value) is wrong.
Complaint = tuple[tuple[Any, ...], str, str, bool]
_WORDS = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must have keys of its own",
    "model_type": "must have keys of its own",
    "model_attributes_type": "must have keys of its own",
    "too_short": "must not be empty",
    "string_too_long": "is too long",
}
_REMEDIES = {
    "list_type": "Write it in brackets: `[a, b]`.",
    "string_type": 'Put it in quotes: `"…"`.',
    "dict_type": "Write `key: value` lines under it.",
    "model_type": "Write `key: value` lines under it.",
}


def complaints(error: ValidationError, model: type[BaseModel]) -> Iterator[Complaint]:
    """Yield each problem of *error* once."""
    seen = set()
    for detail in error.errors():
        path = tuple(part for part in detail["loc"] if part != "[key]")
        complaint = _complaint(detail, path, model)
        if (complaint[0], complaint[1]) not in seen:
            seen.add((complaint[0], complaint[1]))
            yield complaint


def _complaint(detail: ErrorDetails, path: tuple[Any, ...], model: type[BaseModel]) -> Complaint:
    kind, key = detail["type"], path[-1] if path else ""
    if kind == "missing":
        return path[:-1], f"`{key}` is missing", f"Add `{key}: …`.", False
    if kind == "extra_forbidden":
        return path, f"unknown key `{key}`", did_you_mean(str(key), _keys(_model_at(model, path[:-1]))), True
    label = f"`{_label(path)}`"
    if kind in {"literal_error", "enum"}:
        return path, f"{label} cannot be `{detail['input']}`", f"Write {detail['ctx']['expected']}.", False
    if kind == "string_pattern_mismatch":
        return path, f"{label} cannot be `{detail['input']}`", _pattern(str(detail["ctx"]["pattern"])), False
    if kind == "value_error":
        return path, f"{label} cannot be `{detail['input']}`", _sentence(str(detail["ctx"]["error"])), False
    message = _WORDS.get(kind) or detail["msg"].replace("Input should", "should")
    return path, f"{label} {message}", _REMEDIES.get(kind, ""), False


def _label(path: tuple[Any, ...]) -> str:
    """The name of the key that is wrong; a place in a list is told by its key."""
    return next((str(part) for part in reversed(path) if isinstance(part, str)), "the file")


def _pattern(pattern: str) -> str:
    if "[01]" in pattern:
        return 'Write a time of day in quotes: `"09:00"`.'
    return "Names have small letters, digits, `-` and `_`: `weekly-news`."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _keys(model: type[BaseModel] | None) -> list[str]:
    if model is None:
        return []
    fields = model.model_fields.items()
    return [
        field.alias or name for name, field in fields if name not in {"name", "options", "sql"} or field.is_required()
    ]


def _model_at(model: type[BaseModel], path: tuple[Any, ...]) -> type[BaseModel] | None:
    """Find the shape that holds at *path*; numbers and names of a mapping's own keys lead no deeper."""
    current = model
    for part in path:
        for name, field in current.model_fields.items():
            if part in {name, field.alias}:
                current = _inner(field.annotation) or current
                break
    return current


def _inner(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _inner(part))), None)
