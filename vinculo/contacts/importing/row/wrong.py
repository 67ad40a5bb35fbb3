"""What is wrong with a row: all of it at once, so that whoever mends the file mends each row once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_UNREADABLE = "\ufffd"


class RowError(ValueError):
    """A row cannot become a contact: the *value* is wrong for *reason*.

    *follows*: it may be so only because of something else that is wrong in the row.
    """

    def __init__(self, value: Any, reason: str, *, follows: bool = False) -> None:
        self.value, self.reason, self.follows = value, reason, follows
        super().__init__(reason)


def require_readable(value: Any) -> None:
    """Raise `RowError` for text of which a character was lost."""
    if isinstance(value, str) and _UNREADABLE in value:
        raise RowError(value, "holds a character that cannot be read")


def together(wrong: Mapping[str, RowError]) -> RowError:
    """Return what is wrong in each column as one error, without what follows of the rest."""
    own = {column: error for column, error in wrong.items() if not error.follows} or wrong
    reason = "; ".join(f"{column}: {error.reason}" for column, error in own.items())
    return RowError(next(iter(own.values())).value, reason)
