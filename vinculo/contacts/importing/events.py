"""Importing purchases, visits and other events from CSV or JSON lines."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from vinculo import history
from vinculo.contacts.importing.contacts import BATCH
from vinculo.contacts.importing.file.errorfile import ErrorFile, forget, remember
from vinculo.contacts.importing.file.sheet import ERROR_COLUMNS, BadRow, Row, Sheet
from vinculo.contacts.importing.row import values
from vinculo.contacts.importing.row.amount import currency, marked, minor_units
from vinculo.contacts.importing.row.columns import plain
from vinculo.contacts.importing.row.wrong import RowError
from vinculo.db.bulk import chunks
from vinculo.db.tables import address, alias, contact, interaction
from vinculo.errors import UsageError, did_you_mean
from vinculo.history import Interaction
from vinculo.model import Direction, EventKind

#: Every column of a file of events; a column of another name is kept in the event's data.
PLACES: dict[str, tuple[str, tuple[str, ...]]] = {
    "contact": (
        "the contact's key, alias or address",
        ("key", "customer", "customer_id", "cliente", "id_cliente", "cliente_id", "email", "e_mail", "chave"),
    ),
    "kind": ("purchased, visited or another kind of event; without it: purchased", ("event", "type", "tipo", "evento")),
    "at": ("when", ("date", "data", "fecha", "timestamp", "datetime", "created_at", "data_da_compra", "order_date")),
    "amount": ("exact amount, `199,90` or `199.90`", ("value", "valor", "total", "price", "importe", "monto")),
    "currency": ("currency code; without it: what the amount's sign says, else the company's", ("moeda", "moneda")),
    "id": (
        "number of the event or order: the same one is never taken twice",
        ("event_id", "order", "order_id", "pedido", "id_pedido", "pedido_id", "numero_do_pedido"),
    ),
    "channel": ("where it happened", ("canal",)),
    "summary": ("a few words", ("description", "descricao", "descripcion", "product", "produto", "producto")),
}
#: PostgreSQL looks up no name of more than 2,704 bytes.
_LONGEST_ID = 500
#: Stands for "more than one contact"; no id is 0.
_SEVERAL = 0
_KNOWN = {name: place for place, (_, names) in PLACES.items() for name in (place, *names)}
_KIND_WORDS = {"purchase": "purchased", "compra": "purchased", "venda": "purchased", "visit": "visited"} | {
    "visita": "visited"
}


@dataclass(frozen=True, slots=True)
class ImportedEvents:
    """What an import of events did, or with a dry run would do. *known*: events that we had already. *thousands*: of
    each column the first amount that could mean two numbers, and which it was taken for.
    """

    file: str
    read_as: str
    rows: int
    added: int
    known: int
    failed: int
    errors_file: str
    dry_run: bool
    thousands: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class EventRules:
    """What a row means that does not say: the company's *currency*, *country* and *zone*."""

    now: datetime
    currency: str
    country: str = ""
    zone: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False
    progress: Callable[[int], None] = lambda _: None
    batch: int = BATCH

    @property
    def mark(self) -> str:
        """What parts thousands in an amount with the company's sign."""
        return values.thousands_mark(self.country)


def import_events(engine: sa.Engine, path: Path, rules: EventRules) -> ImportedEvents:
    """Append the events in *path* to the histories of their contacts, each once: by its id, else by all its values.

    Two equal lines without an id are one event if they say the minute, and two if they say only the day.

    Raises `UsageError` for a file without contacts or dates; single wrong rows go to `FILE.errors.csv`.
    """
    with Sheet(path) as sheet, ErrorFile(path, sheet.columns, sheet.delimiter) as errors:
        places = _assign(sheet.columns, rules.mapping)
        count: Counter[str] = Counter()
        heard = _Heard()
        errors.begin()
        remember(engine, errors.path)
        told = set[int]()  # which events a dry run has taken back, of each a hash
        for batch in _batches(sheet, errors, rules.batch):
            with _transaction(engine, rules) as db:
                read = _read(db, batch, places, rules, errors, heard)
                fresh = [each for each in _fresh(db, read) if hash(each.event_id) not in told]
                history.record(db, fresh)
            if rules.dry_run:
                told.update(hash(each.event_id) for each in fresh)
            count.update(read=len(read), added=len(fresh))
            rules.progress(sheet.position)
        if not errors.count:
            forget(engine, errors.path)
        return ImportedEvents(
            file=str(path),
            read_as=sheet.describe(),
            rows=count["read"] + errors.count,
            added=count["added"],
            known=count["read"] - count["added"],
            failed=errors.count,
            errors_file=str(errors.path) if errors.count else "",
            dry_run=rules.dry_run,
            thousands=heard.thousands,
        )


@dataclass(frozen=True, slots=True)
class _Heard:
    """What rows have said so far: how often which event without an id, and what could mean two numbers."""

    seen: Counter[str] = field(default_factory=Counter)
    thousands: dict[str, dict[str, int]] = field(default_factory=dict)


@contextmanager
def _transaction(engine: sa.Engine, rules: EventRules) -> Iterator[sa.Connection]:
    with engine.connect() as db, db.begin() as transaction:
        yield db
        if rules.dry_run:
            transaction.rollback()


def _batches(sheet: Sheet, errors: ErrorFile, size: int) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in sheet.rows():
        if isinstance(row, BadRow):
            errors.add(row.line, row.value, row.reason, {})
        elif row.surplus:
            errors.add(row.line, row.surplus[0], "the row has more values than the file has columns", row)
        else:
            batch.append(row)
        if len(batch) >= size:
            yield batch
            batch = []
    yield batch


def _assign(columns: Sequence[str], said: Mapping[str, str]) -> dict[str, str]:
    for column, place in said.items():
        if column not in columns:
            raise UsageError(f"The file has no column `{column}`", did_you_mean(column, columns))
        if place not in PLACES:
            raise UsageError(f"`{column}={place}`: a column cannot go to `{place}`", did_you_mean(place, PLACES))
    ignored = set(ERROR_COLUMNS) if list(columns[:3]) == list(ERROR_COLUMNS) else set()
    places = {c: said.get(c) or _KNOWN.get(plain(c), plain(c)) for c in columns if c and c not in ignored}
    for needed in ("contact", "at"):
        if needed not in places.values():
            raise UsageError(
                f"No column of the file says `{needed}`: {PLACES[needed][1][0]}, …",
                f"Its columns are {', '.join(columns)}. Say which one: --map 'COLUMN={needed}'.",
            )
    return places


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _read(
    db: sa.Connection, batch: Sequence[Row], places: Mapping[str, str], rules: EventRules, errors: ErrorFile,
    heard: _Heard,
) -> list[Interaction]:  # fmt: skip
    cells = [{places.get(c, plain(c)): v for c, v in row.cells.items() if v not in (None, "")} for row in batch]
    owners = _owners(db, {str(each["contact"]) for each in cells if "contact" in each})
    read: list[Interaction] = []
    for row, values_ in zip(batch, cells, strict=True):
        try:
            read.append(_interaction(values_, owners, rules, heard.seen))
        except RowError as error:
            errors.add(row.line, error.value, error.reason, row)
        else:
            _hear_thousands(heard.thousands, values_, rules)
    return read


def _hear_thousands(thousands: dict[str, dict[str, int]], cells: Mapping[str, Any], rules: EventRules) -> None:
    """Note in *thousands* what of *cells* could mean two numbers."""
    for name, value in cells.items():
        if (name == "amount" or name not in PLACES) and values.could_be_two(value, rules.currency, rules.mark):
            thousands.setdefault(name, {value: values.trait(value, rules.currency, rules.mark)})


def _interaction(
    cells: Mapping[str, Any], owners: Mapping[str, int], rules: EventRules, seen: Counter[str]
) -> Interaction:
    kind = _kind(str(cells.get("kind", EventKind.PURCHASED)))
    code = _currency(cells, rules) if "amount" in cells else ""
    mark = rules.mark if code == rules.currency else ""
    amount = minor_units(cells["amount"], code, mark) if "amount" in cells else None
    if kind == EventKind.PURCHASED and amount is None:
        raise RowError("", "a purchase needs an amount")
    return Interaction(
        contact_id=_owner(str(cells.get("contact", "")), owners),
        at=_at(str(cells.get("at", "")), rules),
        direction=Direction.IN,
        kind=kind,
        channel=str(cells.get("channel", "")),
        amount=amount,
        currency=code,
        summary=str(cells.get("summary", "")),
        data={
            name: values.trait(value, rules.currency, rules.mark) for name, value in cells.items() if name not in PLACES
        },
        source="import",
        event_id=_named(kind, str(cells["id"])) if "id" in cells else _fingerprint(kind, cells, seen),
    )


def _currency(cells: Mapping[str, Any], rules: EventRules) -> str:
    """The currency of a row's amount: what the row says, else what the amount's sign says, else the company's."""
    return currency(str(cells.get("currency") or marked(str(cells["amount"]), rules.currency)[1] or rules.currency))


def _named(kind: str, number: str) -> str:
    if len(number) > _LONGEST_ID:
        raise RowError(number, f"the number of an event or order is up to {_LONGEST_ID} characters")
    return f"{kind}:{number}"


def _fingerprint(kind: str, cells: Mapping[str, Any], seen: Counter[str]) -> str:
    """Name an event without an id by all that it says, and by which of its equals in the file it is.

    Two equal purchases on one day are two purchases; at one minute they are one, told twice.
    """
    said = json.dumps([kind, *sorted((name, str(value)) for name, value in cells.items())])
    name = f"{kind}:sha256:" + hashlib.sha256(said.encode()).hexdigest()
    if ":" in str(cells.get("at", "")):
        return name
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}:{seen[name]}"


def _kind(word: str) -> EventKind:
    name = plain(word)
    try:
        return EventKind(_KIND_WORDS.get(name, name))
    except ValueError:
        raise RowError(word, f"no such kind of event. {did_you_mean(name, list(EventKind))}") from None


def _owner(key: str, owners: Mapping[str, int]) -> int:
    owner = owners.get(key)
    if owner == _SEVERAL:
        raise RowError(key, "several contacts have this address: give the contact's key")
    if owner is None:
        raise RowError(key, "there is no such contact" if key else "the row names no contact")
    return owner


def _at(value: str, rules: EventRules) -> datetime:
    try:
        at = values.instant(value, rules.country, rules.zone, needed=True)
    except ValueError as error:
        raise RowError(value, str(error)) from None
    if at > rules.now:
        raise RowError(value, "the date lies in the future")
    return at


# ── whose, and whether we have it ────────────────────────────────────────────────────────────────────────────────
def _owners(db: sa.Connection, keys: Collection[str]) -> dict[str, int]:
    """Return the contact that each key, alias or address names; `_SEVERAL` where an address names more than one."""
    forms = {key: (key, key.casefold(), "+" + "".join(filter(str.isdecimal, key))) for key in keys}
    wanted = sorted({form for each in forms.values() for form in each})
    by_address: dict[str, int] = {}
    for value, owner in _pairs(db, address.c.value, address.c.contact_id, wanted):
        by_address[value] = owner if by_address.get(value, owner) == owner else _SEVERAL
    named = dict(_pairs(db, contact.c.key, contact.c.id, sorted(keys)))
    named |= dict(_pairs(db, alias.c.key, alias.c.contact_id, sorted(keys)))
    found = {
        key: next((by_address[f] for f in forms[key] if f in by_address), None) for key in keys if key not in named
    }
    return named | {key: owner for key, owner in found.items() if owner is not None}


def _pairs(db: sa.Connection, name: Any, owner: Any, wanted: Sequence[str]) -> Iterator[tuple[str, int]]:
    for chunk in chunks(wanted):
        yield from (tuple(row) for row in db.execute(sa.select(name, owner).where(name.in_(chunk)).distinct()))


def _fresh(db: sa.Connection, read: Sequence[Interaction]) -> list[Interaction]:
    by_id = {each.event_id: each for each in reversed(read)}  # of two rows with one id the first counts
    for chunk in chunks(list(by_id)):
        ask = sa.select(interaction.c.event_id).where(interaction.c.source == "import")
        for known in db.scalars(ask.where(interaction.c.event_id.in_(chunk))).all():
            del by_id[known]
    return list(reversed(by_id.values()))
