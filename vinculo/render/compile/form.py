"""A text with gaps: what is said alike to everybody, and the places of what is not."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, Generic, TypeVar

S = TypeVar("S", str, bytes)
#: Nobody can guess it: a contact's own text is never taken for a word of ours.
SALT = secrets.token_hex(8)
_GAP = re.compile(rf"v{SALT}n(\d+)q")
_BYTES_GAP = re.compile(_GAP.pattern.encode())


def gap(number: int, length: int = 0) -> str:
    """Return the word that stands for value *number*, at least *length* letters and digits long."""
    return f"v{SALT}n{str(number).rjust(length - len(SALT) - 3, '0')}q"


def gap_in(text: str) -> bool:
    """Tell whether *text* has a gap."""
    return _GAP.search(text) is not None


def gapless(text: str) -> str:
    """Return *text* without its gaps."""
    return _GAP.sub("", text)


class Form(Generic[S]):
    """A text cut at its gaps."""

    __slots__ = ("_join", "_parts", "_pick")

    def __init__(self, parts: Sequence[S], empty: S) -> None:
        """Take *parts* as a regular expression splits them: text, number, text, …, text."""
        self._parts: list[S] = list(parts)
        self._join: Callable[[Iterable[S]], S] = empty.join
        self._pick = _picker([int(number) for number in parts[1::2]])

    def fill(self, values: Sequence[S]) -> S:
        """Return the text with *values* in its gaps."""
        return self._join(self.parts(values))

    def parts(self, values: Sequence[S]) -> list[S]:
        """Return the text with *values* in its gaps, not yet joined."""
        parts = self._parts.copy()
        parts[1::2] = self._pick(values)
        return parts


def form(text: str) -> Form[str]:
    """Cut *text* at its gaps."""
    return Form(_GAP.split(text), "")


def bytes_form(text: bytes) -> Form[bytes]:
    """Cut *text*, in UTF-8, at its gaps."""
    return Form(_BYTES_GAP.split(text), b"")


def room(text: bytes, longest: int) -> int:
    """Return how many bytes each value may have so that no line of *text* has more than *longest*; -1: one has."""
    least = longest
    for line in text.split(b"\r\n"):
        fixed, *gaps = _BYTES_GAP.split(line)[::2]
        left = longest - len(fixed) - sum(map(len, gaps))
        least = min(least, left // len(gaps) if gaps and left >= 0 else left)
    return max(least, -1)


def _picker(numbers: list[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Return what takes the values of *numbers* out of all."""
    if len(numbers) > 1:
        return itemgetter(*numbers)
    return lambda values: [values[number] for number in numbers]
