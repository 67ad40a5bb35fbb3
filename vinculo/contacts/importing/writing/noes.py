"""A no in a wrong row holds for what the other rows of the file say of its contact, in whatever order and batch."""

from __future__ import annotations

from collections.abc import Iterable

from vinculo.contacts.importing.row.draft import About, Draft
from vinculo.contacts.importing.row.lot import Lot


class Noes:
    """What wrong rows said no to, and under which names: a hash each, which takes some 100 bytes. Such a no is as of
    now, whatever its row says: it ends every yes of the file.
    """

    def __init__(self) -> None:
        self._names = set[int]()
        #: The first line in which each name said each no.
        self._noes = dict[int, int]()
        self._topics = set[About]()

    def keep(self, noes: Iterable[Draft]) -> None:
        """Remember what *noes* say no to."""
        for draft in noes:
            self._topics.update(draft.consents)
            for name in draft.names:
                self._names.add(hash(name))
                for about in draft.consents:
                    self._noes.setdefault(hash((name, about)), draft.line)

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

    def hear(self, draft: Draft) -> None:
        """Make *draft* say no as well where one of its names did in a row before."""
        names = [name for name in draft.names if hash(name) in self._names]
        lines = ((about, self._noes.get(hash((name, about)))) for about in self._topics for name in names)
        draft.heard.update(about for about, line in lines if line is not None and line < draft.line)
