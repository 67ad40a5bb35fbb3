"""Writing drafts, and whom else a batch names that is there: a handful of set-based statements, however many rows."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from operator import add
from typing import Any

import sqlalchemy as sa

from vinculo import consent
from vinculo.consent import Hasher
from vinculo.contacts.importing.row.draft import Draft, birthday
from vinculo.contacts.importing.row.lot import GUESSED, PERSON
from vinculo.contacts.importing.writing.answering import consents, record
from vinculo.contacts.importing.writing.closed import shut
from vinculo.contacts.importing.writing.known import Columns, Known, held, renew, upsert
from vinculo.contacts.importing.writing.placing import place
from vinculo.db.bulk import gather, listed, put
from vinculo.db.tables import address, alias, contact, identifier, micros
from vinculo.model import ContactKind

_TEXT = ("given_name", "family_name", "region", "city", "owner")


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


def write(
    db: sa.Connection, drafts: Sequence[Draft], signer: Hasher, now: datetime, source: str, known: Sequence[Known] = ()
) -> Written:
    """Write *drafts*, of contacts new or there, and *known*, of others that are there.

    Drafts of the same contact are joined first, in the order of the file. Of who is there only what changes is written.
    """
    joined, at = _join(drafts, _known_keys(db, drafts)), micros(now)
    there = held(db, sorted(joined), PERSON[1:])
    old = {there[key][0]: draft for key, draft in joined.items() if key in there}
    new = _made(db, {key: draft for key, draft in joined.items() if key not in there}, source, at)
    touched = place(db, new, old, known, signer, at)
    columns = zip(*(_row(key, joined[key], "", "", at) for key in there), strict=True)
    said: Columns = {("person", name): column for name, column in zip(PERSON, columns, strict=False)}
    renew(db, [Known(PERSON[1:], list(there.values()), said)], touched, at)
    renew(db, known, touched, at)
    answers = {owner: draft for owner, draft in new.items() if draft.consents}
    closed = shut(db, {(each.channel, each.value) for draft in answers.values() for each in draft.addresses})
    heard = {who: d for who, d in answers.items() if any((each.channel, each.value) in closed for each in d.addresses)}
    unheard = {who: draft for who, draft in answers.items() if who not in heard}
    consent.record_first(db, list(consents(unheard, source, {})), now=now)
    refused = record(db, old | heard, known, now, source)
    return Written(len(new), len(old) + sum(len(each.held) for each in known), refused)


def _made(db: sa.Connection, drafts: Mapping[str, Draft], source: str, at: int) -> dict[int, Draft]:
    """Make the contacts of *drafts*, which are by key; return them by id."""
    if not drafts:
        return {}
    lines = [(*_row(key, drafts[key], ContactKind.CUSTOMER.value, source, at), at) for key in sorted(drafts)]
    # Somebody else may have added one of them a moment ago.
    put(db, contact, (*PERSON, "updated_at"), lines, upsert(db.dialect.name, PERSON))
    return {who: drafts[key] for key, who in _ids(db, sorted(drafts)).items()}


def contacts_of(db: sa.Connection, drafts: Sequence[Draft]) -> list[int]:
    """Return the contacts that are there of those that *drafts* name."""
    known = _known_keys(db, drafts)
    return list(_ids(db, [known.get(draft.identity, draft.identity) for draft in drafts]).values())


def heed(db: sa.Connection, noes: Sequence[Draft], now: datetime, source: str) -> list[Draft]:
    """Record what wrong rows say no to, of contacts that are there: a no does not wait until its row is mended.

    Returns those noes.
    """
    joined = _join(noes, _known_keys(db, noes))
    ids = _ids(db, sorted(joined))
    there = {ids[key]: draft for key, draft in joined.items() if key in ids}
    record(db, there, (), now, source)
    return list(there.values())


# ── which contact is it? ─────────────────────────────────────────────────────────────────────────────────────────
def _known_keys(db: sa.Connection, drafts: Sequence[Draft]) -> dict[str, str]:
    """Return the key of the contact that each identity names, where it is not the identity itself."""
    found: dict[str, str] = {}
    names, keyless = listed(db), [draft for draft in drafts if not draft.key]
    if keyless:
        at = {each.identity for each in keyless if not each.identifiers}
        found.update(gather(db, oldest(names, address, at_address(db, names)), at))
        named: dict[str, set[str]] = defaultdict(set)
        for system, value in (next(iter(each.identifiers.items())) for each in keyless if each.identifiers):
            named[system].add(value)
        for system, values in named.items():
            own = (identifier.c.system == system) & (identifier.c.value == names.c.value)
            keys = gather(db, oldest(names, identifier, own), values)
            found.update((f"{system}:{value}", key) for value, key in keys)
    ask = sa.select(alias.c.key, contact.c.key).join_from(names, alias, alias.c.key == names.c.value).join(contact)
    found.update(gather(db, ask, {draft.key for draft in drafts if draft.key}))
    return found


def oldest(names: sa.FromClause, table: sa.Table, named: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Each name with the key of the oldest of the contacts that have it in *table*.

    As a question about each name: of a join SQLite looks through *table* first, all of it.
    """
    first = sa.select(sa.func.min(table.c.contact_id)).where(named).correlate(names).scalar_subquery()
    return sa.select(names.c.value, contact.c.key).join_from(names, contact, contact.c.id == first)


def at_address(db: sa.Connection, names: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether an address is the one of *names*, on whatever channel."""
    return address.c.channel.in_(_channels(db)) & (address.c.value == names.c.value)


def _channels(db: sa.Connection) -> list[str]:
    """Return the channels that addresses are on: few, so that an address is looked up in the index on each of them."""
    first = sa.select(sa.func.min(address.c.channel).label("name"))
    found = first.cte("found", recursive=True)
    later = sa.select(sa.func.min(address.c.channel)).where(address.c.channel > found.c.name).scalar_subquery()
    found = found.union_all(sa.select(later).where(found.c.name.is_not(None)))
    return [name for name in db.scalars(sa.select(found.c.name)) if name is not None]


def _join(drafts: Sequence[Draft], known: Mapping[str, str]) -> dict[str, Draft]:
    joined: dict[str, Draft] = {}
    named: dict[str, str] = {}
    if any(not draft.key for draft in drafts):
        named = {each.value: draft.key for draft in reversed(drafts) if draft.key for each in draft.addresses}
    for draft in drafts:
        identity = draft.key or draft.identity
        key = known.get(identity) or (draft.key or named.get(identity) or identity)
        if key in joined:
            joined[key].add(draft)
        else:
            joined[key] = draft
    return joined


def _ids(db: sa.Connection, keys: Sequence[str]) -> dict[str, int]:
    names = listed(db)
    ask = sa.select(contact.c.key, contact.c.id).join_from(names, contact, contact.c.key == names.c.value)
    return dict(gather(db, ask, keys))


# ── the contact itself ───────────────────────────────────────────────────────────────────────────────────────────
def _row(key: str, draft: Draft, kind: str, source: str, at: int) -> tuple[Any, ...]:
    """The columns of `PERSON`; *kind* and *source* where the draft says none."""
    said, guessed = draft.said, draft.guessed
    get = said.get
    born, seen = get("birthdate"), get("first_seen")
    guesses = [(said[name], "") if name in said else guessed.get(name, _NOTHING) for name in GUESSED]
    return (
        *(key, get("kind") or kind),
        *[get(name, "") for name in _TEXT],
        get("source") or source,
        *[value for value, _ in guesses],
        *[evidence for _, evidence in guesses],
        born.isoformat() if born else None,
        birthday(born),
        json.dumps(draft.traits, ensure_ascii=False) if draft.traits else "{}",
        micros(seen) if seen else at,
    )


_NOTHING = ("", "")
