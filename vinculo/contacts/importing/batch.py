"""A batch of a file: most rows a column at a time, as new contacts; the rest row by row, by `drafts`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from vinculo.consent import Hasher
from vinculo.contacts.importing.row.draft import Draft
from vinculo.contacts.importing.row.lot import Lot
from vinculo.contacts.importing.row.reader import Reader
from vinculo.contacts.importing.writing.answering import record
from vinculo.contacts.importing.writing.closed import Closed, contested
from vinculo.contacts.importing.writing.drafts import contacts_of, heed, write_joined
from vinculo.contacts.importing.writing.erased import Erased
from vinculo.contacts.importing.writing.known import Held, Known, held, told
from vinculo.contacts.importing.writing.laying import Drawn, lay, lay_drawn
from vinculo.contacts.importing.writing.noes import Noes
from vinculo.contacts.importing.writing.placing import reached
from vinculo.contacts.importing.writing.tally import Tally, Written
from vinculo.contacts.importing.writing.whose import Keyless, alike, at_address, ids, join, oldest
from vinculo.contacts.turn import TURN
from vinculo.db.bulk import gather, listed
from vinculo.db.tables import address, alias, consent, contact, identifier, permission, tag

#: What an import adds rows to, besides contacts.
TABLES = (address, identifier, tag, consent, permission, alias)


class Wrong(NamedTuple):
    """A row that cannot be taken: the *value* is wrong for *reason*."""

    line: int
    value: Any
    reason: str
    cells: Mapping[str, Any]


@dataclass(slots=True)
class Batch:
    """Rows that have been read: *lots* of those that say nothing unusual, *drafts*, what is *wrong*, and its *noes*.

    *position*: how many bytes of the file have been read.
    """

    lots: list[Lot] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)
    noes: list[Draft] = field(default_factory=list)
    position: int = 0
    #: The amounts that could mean two numbers (`Reader.thousands`), as far as the file has been read.
    thousands: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: What the rows in *lots* are in the database if all of them are new contacts; None if nobody has drawn it.
    drawn: Drawn | None = None
    #: Whether it was drawn in vain: most of its contacts were there.
    vain: bool = False

    def __len__(self) -> int:
        return len(self.drafts) + sum(len(lot.keys) for lot in self.lots)

    def names(self) -> Iterator[str]:
        """What names each row's contact."""
        return chain((draft.identity for draft in self.drafts), *(lot.keys for lot in self.lots))


@dataclass(frozen=True, slots=True)
class Way:
    """How batches are written: *reader* gives rows a second look, *signer* hashes addresses."""

    reader: Reader
    signer: Hasher
    now: datetime
    source: str
    closed: Closed = field(default_factory=Closed)
    noes: Noes = field(default_factory=Noes)
    erased: Erased = field(default_factory=Erased)
    keyless: Keyless = field(default_factory=Keyless)
    tally: Tally = field(default_factory=Tally)

    def write(self, db: sa.Connection, batch: Batch) -> Written:
        """Write *batch*, of which a transaction of PostgreSQL's holds nothing else. New contacts that it names once are
        laid down together; all others are joined first.
        """
        try:
            return self._write(db, batch)
        except sa.exc.IntegrityError:
            if db.dialect.name == "sqlite":
                raise
        # Somebody who imports nothing has added one of the contacts a moment ago. Without a savepoint: what is made
        # after one, PostgreSQL locks row by row (see `rules`).
        db.rollback()
        return self._write(db, self._apart(batch))

    def end(self, db: sa.Connection) -> Written:
        """Heed who left while the last batch was on its way to the tables, and saw nothing of it."""
        _ready(db)
        return Written(refused=self.closed.follow(db, self.now, self.source))

    def _write(self, db: sa.Connection, batch: Batch) -> Written:
        _ready(db)
        self.erased.learn(db)
        self.closed.learn(db)
        self.noes.keep(batch.noes)
        drafts, known, lots = self._sorted(db, batch)
        for draft in drafts:
            self.noes.hear(draft)
        again = self.erased.lines(batch.lots, batch.drafts, self.signer)
        wrote = write_joined(db, join(db, drafts, self.keyless), self.signer, self.now, self.source, known)
        laid = self._lay(db, batch, lots)
        told = heed(db, batch.noes, wrote) if batch.noes else []
        held = {**reached(db, [each.who for each in told if each.who not in wrote.new]), **wrote.held}
        refused = record(db, [*wrote.said, *told], known, wrote.new, held, self.closed, self.now, self.source)
        refused += self.closed.follow(db, self.now, self.source)
        left = self.tally.left([*wrote.heard, *(each.who for each in told)])
        self.tally.made(wrote.new)
        self.tally.laid(ids(db, [laid[0], laid[-1]]).values() if laid else ())
        return Written(len(wrote.new) + len(laid), self.tally.updated(wrote.old), refused, left, again)

    def _lay(self, db: sa.Connection, batch: Batch, lots: Sequence[Lot]) -> Sequence[str]:
        """Write the contacts of *lots*, which is left of those of *batch*; return their keys."""
        laid = [key for lot in lots for key in lot.keys]
        keys, new = [key for lot in batch.lots for key in lot.keys], set(laid)
        batch.vain = batch.drawn is not None and 2 * len(new) < len(keys)
        made = None if batch.vain else batch.drawn
        left = [number for number, key in enumerate(keys, 1) if key not in new]
        lines = lay_drawn(db, made, left) if made else None
        if lines is None:
            lay(db, lots, self.signer, self.now, self.source)
        else:
            self.closed.laid(lines, lots)
        return laid

    def _sorted(self, db: sa.Connection, batch: Batch) -> tuple[list[Draft], list[Known], list[Lot]]:
        """The rows of *batch*: those to be joined first, in their order; of others those of contacts that are there,
        and new ones.
        """
        keyed, names, drafts = "key" in self.reader.places.values(), told(batch.lots), list(batch.drafts)
        there = _there(db, batch, names, keyed=keyed) if batch.lots else {}
        self.keyless.keep(drafts if keyed else ())
        unusual = _unusual(batch) | self.noes.among(batch.lots) | self.keyless.among(batch.lots)
        unusual |= (self.closed.among(batch.lots) | contested(db, batch.lots)) - there.keys()
        unusual = alike(batch.lots, drafts, unusual)
        unusual |= _shared(db, drafts, there, unusual)
        known, new = [], []
        for lot in batch.lots:
            rest, rows = lot.without({at for at, key in enumerate(lot.keys) if key in unusual} if unusual else ())
            drafts += map(self.reader.draft, rows)
            found = [there.get(key) for key in rest.keys] if there else []
            new.append(rest.only([not row for row in found]))
            if any(found):
                rest = rest.only(found)
                lines = [lot.chunk.lines[at] for at in rest.places]
                known.append(Known(names, list(filter(None, found)), rest.columns, lines))
        return sorted(drafts, key=attrgetter("line")), known, new

    def _apart(self, batch: Batch) -> Batch:
        """The same rows, all to be joined with what is there. To join a draft a second time changes nothing."""
        rows = chain.from_iterable(lot.without(range(len(lot.keys)))[1] for lot in batch.lots)
        return replace(batch, lots=[], drafts=[*batch.drafts, *map(self.reader.draft, rows)], drawn=None)


def _ready(db: sa.Connection) -> None:
    """Wait for one's turn, and have PostgreSQL ask by indexes until the end of the transaction."""
    if db.dialect.name == "postgresql":
        # A batch asks for its own rows alone. Of tables that have just grown the planner knows nothing, and would look
        # through all of them. What has no index is then so costly to PostgreSQL before 18 that it compiles the
        # statement each time. And it would join whole tables by their indexes to find the answers of a few contacts.
        wholesale = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit")
        without = (sa.func.set_config(name, "off", True) for name in wholesale)
        db.execute(sa.select(TURN, *without))


def _unusual(batch: Batch) -> set[str]:
    """The names in the lots of *batch* of contacts that another row is about, too."""
    times = Counter(batch.names()) if batch.lots else Counter[str]()
    return {name for name, number in times.items() if number > 1} if len(times) < len(batch) else set()


def _there(db: sa.Connection, batch: Batch, told: Sequence[str], *, keyed: bool) -> Held:
    """What is held, of what is *told*, of those whom lots of *batch* name that are there, by these names: keys, former
    ones too; of a file without keys, addresses.
    """
    names = [key for lot in batch.lots for key in lot.keys]
    given, key = listed(db), contact.c.key
    ask = sa.select(given.c.value, key).join_from(given, alias, alias.c.key == given.c.value).join(contact)
    if not keyed:
        ask = oldest(given, address, at_address(db, given))
    merged = not keyed or db.scalar(sa.select(sa.exists(sa.select(alias.c.key))))
    other: dict[str, str] = dict(gather(db, ask, names)) if merged else {}
    keys = [other.get(name, name) for name in names] if other else names
    there = held(db, keys, told)
    return {name: there[key] for name, key in zip(names, keys, strict=True) if key in there} if other else there


def _shared(db: sa.Connection, drafts: Sequence[Draft], there: Held, unusual: AbstractSet[str]) -> set[str]:
    """The names of contacts *there* that are also named another way, in a lot, by one of *drafts* or as *unusual*."""
    times = Counter(row[0] for row in there.values())
    shared = {who for who, number in times.items() if number > 1} if len(times) < len(there) else set[int]()
    shared.update(there[name][0] for name in unusual if name in there)
    if there and drafts:
        shared.update(contacts_of(db, drafts))
    return {name for name, row in there.items() if row[0] in shared} if shared else set()
