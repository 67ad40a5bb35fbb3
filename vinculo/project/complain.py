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
#: What pydantic puts into a place beside the file's own keys: which key, or which of several shapes, it speaks of.
_UNION = {"[key]", "date", "list[date]"}
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
    "int_type": "Write it in figures: `40`.",
    "int_parsing": "Write it in figures: `40`.",
    "float_type": "Write it in figures: `4.5`.",
    "float_parsing": "Write it in figures: `4.5`.",
    "bool_type": "Write `true` or `false`.",
    "bool_parsing": "Write `true` or `false`.",
    "list_type": "Write it in brackets: `[a, b]`.",
    "string_type": 'Put it in quotes: `"…"`.',
    "dict_type": "Write `key: value` lines under it.",
    "model_type": "Write `key: value` lines under it.",
    "password_in_url": "Set PREFECT_API_AUTH_STRING to it in the environment: `user:password`.",
}


def complaints(error: ValidationError, model: type[BaseModel]) -> Iterator[Complaint]:
    """Yield each problem of *error* once."""
    seen = set()
    for detail in error.errors():
        if detail["type"] == "default_factory_not_called" or (detail["type"], type(detail["input"])) == (
            "date_type",
            list,
        ):
            # It follows from another.
            continue
        path = tuple(part for part in detail["loc"] if part not in _UNION)
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
    words, remedy = _wrong(kind, detail)
    return path, f"`{_label(path)}` {words}", remedy, False


def _wrong(kind: str, detail: ErrorDetails) -> tuple[str, str]:
    """What is wrong with a value, and what to write instead."""
    given, cannot = detail["input"], f"cannot be `{detail['input']}`"
    if kind in {"literal_error", "enum"}:
        return cannot, f"Write {detail['ctx']['expected']}."
    if kind == "string_pattern_mismatch":
        return cannot, _pattern(str(detail["ctx"]["pattern"]))
    if kind == "value_error":
        return cannot, _sentence(str(detail["ctx"]["error"]))
    if kind.startswith("date_") or "list[date]" in detail["loc"]:
        return cannot, "Write a day that there is: `2026-12-31`."
    words = _WORDS.get(kind) or detail["msg"].replace("Input should", "should")
    if kind == "string_type" and isinstance(given, list):
        several = f'Write it as one text: `"{", ".join(map(str, given))}"`.'
        return words, several if "every" in detail["loc"] else "Write one alone, without brackets."
    return words, _REMEDIES.get(kind, "")


def _label(path: tuple[Any, ...]) -> str:
    """The name of the key that is wrong; a place in a list is told by its key."""
    return next((str(part) for part in reversed(path) if isinstance(part, str)), "the file")


def _pattern(pattern: str) -> str:
    if "[01]" in pattern:
        return 'Write a time of day in quotes: `"09:00"`.'
    return "Names have small letters, digits, `-` and `_`: `weekly-news`."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")


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
