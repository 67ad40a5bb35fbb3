"""Columns on their way to another process: a text instead of thousands, and what all rows say alike said once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: What stands between texts; no cell has it (see `sheet`).
_BETWEEN = "\0"
#: How often and what, or texts in one, or the values.
Packed = tuple[int, Any] | str | list[Any]


def packed(column: Sequence[Any]) -> Packed:
    """Return *column* as `unpacked` takes it."""
    if column and column.count(column[0]) == len(column):
        return len(column), column[0]
    try:
        text = _BETWEEN.join(column)
    except TypeError:
        return list(column)
    return text if text.count(_BETWEEN) == len(column) - 1 else list(column)


def unpacked(given: Packed) -> list[Any]:
    """Return the column."""
    if isinstance(given, str):
        return given.split(_BETWEEN)
    return [given[1]] * given[0] if isinstance(given, tuple) else given
