"""What an import has done: each contact counts once, however many rows and batches are about it."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass
from functools import partial
from operator import add


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch changed. *refused*: yeses not taken over because the contact had said no. *left*: contacts whose no
    stands in a wrong row. *erased_before*: the lines of rows with an address of somebody who was erased.
    """

    created: int = 0
    updated: int = 0
    refused: int = 0
    left: int = 0
    erased_before: tuple[int, ...] = ()

    def __add__(self, other: Written) -> Written:
        return Written(*map(add, astuple(self), astuple(other)))


class Met:
    """Contacts, a bit each."""

    def __init__(self) -> None:
        self._pages = defaultdict[int, bytearray](partial(bytearray, _PAGE // 8))

    def __contains__(self, who: int) -> bool:
        page, (place, bit) = self._pages.get(who // _PAGE), divmod(who % _PAGE, 8)
        return page is not None and bool(page[place] >> bit & 1)

    def meet(self, contacts: Iterable[int]) -> int:
        """Meet *contacts*; return how many have not been met before."""
        number = 0
        for who in contacts:
            page, (place, bit) = self._pages[who // _PAGE], divmod(who % _PAGE, 8)
            if not page[place] >> bit & 1:
                page[place] |= 1 << bit
                number += 1
        return number


class Tally:
    """Whom an import has met: nobody counts twice. Those whom it has made are no updates later."""

    def __init__(self) -> None:
        self._met = Met()
        #: The first and the last of contacts that were made together: nobody else's number is between them.
        self._laid: list[tuple[int, int]] = []
        self._left = set[int]()

    def laid(self, ends: Collection[int]) -> None:
        """The import has made the contacts from one of *ends* to the other."""
        if ends:
            insort(self._laid, (min(ends), max(ends)))

    def made(self, contacts: Iterable[int]) -> None:
        """The import has made *contacts*."""
        self._met.meet(contacts)

    def updated(self, contacts: Iterable[int]) -> int:
        """How many of *contacts* have not been met, and were not made."""
        return self._met.meet(who for who in contacts if not self._is_laid(who))

    def _is_laid(self, who: int) -> bool:
        at = bisect_right(self._laid, (who, who)) - 1
        around = self._laid[max(at, 0) : at + 2]
        return any(first <= who <= last for first, last in around)

    def left(self, contacts: Iterable[int]) -> int:
        """How many of *contacts* have not been told before."""
        fresh = set(contacts) - self._left
        self._left |= fresh
        return len(fresh)


#: Contacts whose bits lie together.
_PAGE = 65_536
