"""Maintained facts: what segments ask for most, kept up to date in the transaction that writes the history.

A row of `fact` says of one contact and one kind of event how often, for how much, and when the newest five were. It is
changed by what is added, in time that does not depend on how much there was before, and is at every commit what the
history of those contacts who are not erased gives when it is worked out anew: `renew` does that for some contacts,
`rebuild` for all, `differing` compares.

What we send has no facts: sending is the one place where a microsecond a line would be felt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from vinculo.db.statement import Statement, given
from vinculo.db.tables import DEPTH, contact, fact, interaction
from vinculo.model import EventKind

#: The kinds that have facts: what a contact does, or what becomes of its address.
KINDS = (
    *(EventKind.OPENED, EventKind.CLICKED, EventKind.REPLIED, EventKind.AUTO_REPLIED, EventKind.INBOUND),
    *(EventKind.PURCHASED, EventKind.VISITED, EventKind.SURVEYED, EventKind.SUBSCRIBED, EventKind.UNSUBSCRIBED),
    *(EventKind.BOUNCED, EventKind.COMPLAINED),
)
_KINDS = frozenset(kind.value for kind in KINDS)
#: Stands for "there is no such event": before every instant, so that `at_2 > edge` is simply false.
NEVER = -(2**62)
#: The currency of amounts in several.
SEVERAL = "*"

#: One line of the history as facts need it: contact, kind, microseconds, minor units or None, currency.
Line = tuple[int, str, int, int | None, str]
_NEWEST = [fact.c[f"at_{number}"] for number in range(1, DEPTH + 1)]
_COLUMNS = ("contact_id", "kind", "count", "amount", "currency", *(column.name for column in _NEWEST))
_NO_OTHERS = [NEVER] * (DEPTH - 1)
_CHUNK = 20_000


def has(kind: str) -> bool:
    """Whether events of *kind* have facts."""
    return kind in _KINDS


def worth(currency: str) -> sa.ColumnElement[int]:
    """The amount of a purchase in the project's *currency*, minor units; NULL for a foreign one without a rate."""
    row = interaction.c
    return sa.case((row.currency.in_([currency, ""]), sa.func.coalesce(row.amount, 0)), else_=row.worth)


def add(db: sa.Connection, lines: Iterable[Line]) -> None:
    """Count *lines*, just appended to the history, in one statement; but not of other kinds, nor of erased contacts."""
    summed: dict[tuple[int, str], list[Line]] = {}
    for line in lines:
        if line[1] in _KINDS:
            summed.setdefault((line[0], line[1]), []).append(line)
    if not summed:
        return
    # In one order, so that two writers never wait for each other crosswise.
    rows = [_row(*key, summed[key]) for key in sorted(summed)]
    if db.dialect.name == "sqlite":  # which reads JSON once for each value that is taken out
        _ADD_EACH.many(db, [dict(zip(_COLUMNS, row, strict=True)) for row in rows])
    else:
        _ADD.run(db, given={str(number): row for number, row in enumerate(rows)})


def _row(contact_id: int, kind: str, lines: Sequence[Line]) -> list[Any]:
    if len(lines) == 1:
        ((_, _, at, amount, currency),) = lines
        paid = (0, "") if amount is None else (amount, currency or SEVERAL)
        return [contact_id, kind, 1, *paid, at, *_NO_OTHERS]
    newest = sorted((line[2] for line in lines), reverse=True)[:DEPTH]
    amounts = [line[3] for line in lines if line[3] is not None]
    currencies = {line[4] or SEVERAL for line in lines if line[3] is not None}
    currency = currencies.pop() if len(currencies) == 1 else SEVERAL if currencies else ""
    return [contact_id, kind, len(lines), sum(amounts), currency, *newest, *[NEVER] * (DEPTH - len(newest))]


def renew(db: sa.Connection, contact_ids: Collection[int]) -> None:
    """Work the facts of these contacts out anew: their history has been moved to them, or from them."""
    mine = interaction.c.contact_id.in_(contact_ids)
    # Whoever is adding a line of theirs holds their rows; wait for it, and let the next wait for us.
    locked = sa.select(contact.c.id).where(contact.c.id.in_(contact_ids)).order_by(contact.c.id).with_for_update()
    db.execute(locked).all()
    db.execute(sa.delete(fact).where(fact.c.contact_id.in_(contact_ids)))
    db.execute(sa.insert(fact).from_select(_COLUMNS, worked_out(mine)))


def rebuild(db: sa.Connection) -> int:
    """Work all facts out anew, in bounded memory; return how many there are. Others who add events wait."""
    if db.dialect.name == "postgresql":
        db.execute(sa.text("LOCK TABLE fact IN SHARE ROW EXCLUSIVE MODE"))
    db.execute(sa.delete(fact))
    for low, high in _ranges(db):
        db.execute(sa.insert(fact).from_select(_COLUMNS, worked_out(interaction.c.contact_id.between(low, high))))
    return count(db)


def count(db: sa.Connection) -> int:
    """Return how many facts there are."""
    return db.scalar(sa.select(sa.func.count()).select_from(fact)) or 0


def differing(db: sa.Connection) -> Iterator[tuple[int, str]]:
    """Yield (contact id, kind) of every fact that is not what the history gives: there should be none."""
    for low, high in _ranges(db):
        kept = sa.select(*(fact.c[name] for name in _COLUMNS)).where(fact.c.contact_id.between(low, high))
        right = worked_out(interaction.c.contact_id.between(low, high))
        found = {(row[0], row[1]) for row in db.execute(sa.except_(right, kept))}
        found |= {(row[0], row[1]) for row in db.execute(sa.except_(kept, right))}
        yield from sorted(found)


def _ranges(db: sa.Connection) -> Iterator[tuple[int, int]]:
    for first in range(1, (db.scalar(sa.select(sa.func.max(contact.c.id))) or 0) + 1, _CHUNK):
        yield first, first + _CHUNK - 1


def worked_out(mine: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The facts of those rows of `interaction` that are *mine*, as the history has them."""
    i = interaction.c
    at = sa.type_coerce(i.at, sa.BigInteger)
    place = sa.func.row_number().over(partition_by=(i.contact_id, i.kind), order_by=i.at.desc())
    lines = (
        sa.select(i.contact_id, i.kind, at.label("at"), i.amount, i.currency, place.label("place"))
        .join(contact, contact.c.id == i.contact_id)
        .where(mine, i.kind.in_(sorted(_KINDS)), contact.c.erased_at.is_(None))
        .subquery()
    )
    row = lines.c
    paid = sa.case((row.amount.is_not(None), sa.case((row.currency == "", SEVERAL), else_=row.currency)))
    currency = sa.case((sa.func.min(paid) == sa.func.max(paid), sa.func.min(paid)), else_=SEVERAL)
    columns: list[Any] = [row.contact_id, row.kind, sa.func.count(), _whole(sa.func.sum(row.amount), 0)]
    columns.append(sa.case((sa.func.count(row.amount) == 0, ""), else_=currency))
    columns += [_whole(sa.func.max(sa.case((row.place == n, row.at))), NEVER) for n in range(1, DEPTH + 1)]
    named = (column.label(name) for column, name in zip(columns, _COLUMNS, strict=True))
    return sa.select(*named).group_by(row.contact_id, row.kind)


def _whole(number: Any, otherwise: int) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.cast(number, sa.BigInteger), sa.literal(otherwise, sa.BigInteger))


# ── adding ───────────────────────────────────────────────────────────────────────────────────────────────────────
class _Most(FunctionElement[int]):
    type = sa.BigInteger()
    inherit_cache = True


class _Least(FunctionElement[int]):
    type = sa.BigInteger()
    inherit_cache = True


@compiles(_Most)
def _most(element: Any, compiler: Any, **options: Any) -> str:
    name = "max" if compiler.dialect.name == "sqlite" else "greatest"
    return f"{name}({compiler.process(element.clauses, **options)})"


@compiles(_Least)
def _least(element: Any, compiler: Any, **options: Any) -> str:
    name = "min" if compiler.dialect.name == "sqlite" else "least"
    return f"{name}({compiler.process(element.clauses, **options)})"


def _merged(new: Any, number: int) -> sa.ColumnElement[int]:
    """The newest but *number* - 1 of two lists, each newest first: the latest instant that either list's first i and
    the other's first *number* - i all reach.
    """
    ways: list[Any] = [_NEWEST[number - 1], new[_NEWEST[number - 1].name]]
    ways += [_Least(_NEWEST[i - 1], new[_NEWEST[number - i - 1].name]) for i in range(1, number)]
    return _Most(*ways)


def _adding() -> sa.Insert:
    """PostgreSQL's way: all rows in one statement."""
    rows = given()
    texts = [rows.c.value[number].as_string() for number in range(len(_COLUMNS))]
    # The numbers may be larger than PostgreSQL's INTEGER.
    values = [
        text if name in {"kind", "currency"} else sa.cast(text, sa.BigInteger)
        for name, text in zip(_COLUMNS, texts, strict=True)
    ]
    alive = contact.c.erased_at.is_(None)
    ask = sa.select(*values).join_from(rows, contact, contact.c.id == values[0]).where(alive)
    # Who is being erased or merged at this moment is looked at again afterwards.
    return _merging(postgresql, ask.with_for_update(read=True, key_share=True, of=contact))


def _adding_each() -> sa.Insert:
    """SQLite's way: a row at a time."""
    values = {name: sa.bindparam(name, type_=fact.c[name].type) for name in _COLUMNS}
    alive = contact.c.erased_at.is_(None)
    return _merging(sqlite, sa.select(*values.values()).where(contact.c.id == values["contact_id"], alive))


def _merging(dialect: Any, rows: sa.Select[Any]) -> sa.Insert:
    """Insert what *rows* gives, or add it to what is there."""
    insert = dialect.insert(fact).from_select(_COLUMNS, rows)
    new = insert.excluded
    # No parameters beside those of a row: it goes to SQLite's driver as it is.
    none: Any = sa.literal_column("''")
    several: Any = sa.literal_column(f"'{SEVERAL}'")
    changed = {
        "count": fact.c.count + new["count"],
        "amount": fact.c.amount + new.amount,
        "currency": sa.case(
            (new.currency == none, fact.c.currency),
            (fact.c.currency.in_([none, new.currency]), new.currency),
            else_=several,
        ),
    }
    changed |= {column.name: _merged(new, number) for number, column in enumerate(_NEWEST, start=1)}
    made: sa.Insert = insert.on_conflict_do_update(index_elements=["contact_id", "kind"], set_=changed)
    return made


_ADD, _ADD_EACH = Statement(_adding), Statement(_adding_each)
