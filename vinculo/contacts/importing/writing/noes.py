"""A no in a wrong row holds for what the other rows of the file say of its contact, in whatever order and batch."""

from __future__ import annotations

from collections.abc import Iterable

from vinculo.contacts.importing.row.draft import Draft
from vinculo.contacts.importing.row.lot import Lot


class Noes:
    """What wrong rows said no to, and under which names, 8 bytes each. As of two good rows, the stricter holds."""

    def __init__(self) -> None:
        self._names, self._noes = set[int](), set[int]()
        #: Which line was heard first: a batch that is written a second time hears the same.
        self._met = dict[int, int]()
        self._topics = set[tuple[str, str]]()

    def keep(self, noes: Iterable[Draft]) -> None:
        """Remember what *noes* say no to."""
        for draft in noes:
            self._topics.update(draft.consents)
            for name in draft.names:
                self._names.add(hash(name))
                self._noes.update(hash((name, about)) for about in draft.consents)

    def among(self, lots: Iterable[Lot]) -> set[str]:
        """The keys in *lots* of contacts that have one of these names."""
        if not self._names:
            return set()
        known, found = self._names, set[str]()
        for lot in lots:
            found.update(key for key in lot.keys if hash(key) in known)
            for column in lot.of("address").values():
                found.update(key for key, value in zip(lot.keys, column, strict=True) if hash(value) in known)
            for (system,), column in lot.of("id").items():
                named = zip(lot.keys, column, strict=True)
                found.update(key for key, value in named if hash(f"{system}:{value}") in known)
        return found

    def hear(self, draft: Draft) -> bool:
        """Make *draft* say no as well where one of its names did; tell whether it is the first about its contact."""
        names = [name for name in draft.names if hash(name) in self._names]
        noes = [about for about in self._topics for name in names if hash((name, about)) in self._noes]
        for about in noes:
            draft.hear(about, granted=False, proof={})
        return bool(noes) and self.first(draft)

    def first(self, draft: Draft) -> bool:
        """Tell whether *draft* is the first that was heard about its contact."""
        names = list(map(hash, draft.names))
        line = next((self._met[name] for name in names if name in self._met), draft.line)
        for name in names:
            self._met.setdefault(name, line)
        return line == draft.line
