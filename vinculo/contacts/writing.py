"""Writing a batch of contacts: a handful of set-based statements, however many rows."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from operator import add, itemgetter
from typing import Any

import sqlalchemy as sa

from vinculo import consent
from vinculo.consent import Consent, Hasher, address_hash
from vinculo.contacts.closed import shut
from vinculo.contacts.draft import Draft, birthday
from vinculo.db.bulk import gather, listed, put
from vinculo.db.tables import address, alias, contact, identifier, micros, permission, tag
from vinculo.model import ContactKind
from vinculo.quick import quick

_GUESSED = ("language", "country", "timezone")
_SOURCES = tuple(f"{name}_from" for name in _GUESSED)
_TEXT = ("given_name", "family_name", "region", "city", "owner")
_COLUMNS = (
    *("key", "kind", *_TEXT, *_GUESSED, *_SOURCES),
    *("source", "birthdate", "birthday", "traits", "first_seen", "updated_at"),
)


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


def write(db: sa.Connection, drafts: Sequence[Draft], signer: Hasher, now: datetime, source: str) -> Written:
    """Write *drafts*, new or known. Rows of the same contact are joined first, in the order of the file."""
    joined = _join(drafts, _known_keys(db, drafts))
    keys = sorted(joined)  # one order for everybody: two imports at once wait for each other, and never in a ring
    known = _ids(db, keys)
    at = micros(now)
    native = db.dialect.name != "sqlite"
    put(db, contact, _COLUMNS, [_row(key, joined[key], key in known, at, source, native) for key in keys], _upsert(db))
    ids = known if len(known) == len(keys) else _ids(db, keys)
    owned = {ids[key]: joined[key] for key in keys}
    _write_addresses(db, owned, list(known.values()), signer, at)
    names = [(owner, system, value) for owner, each in owned.items() for system, value in each.identifiers.items()]
    put(db, identifier, ("contact_id", "system", "value"), names)
    tags = [(owner, name) for owner, draft in owned.items() if draft.tags for name in sorted(draft.tags)]
    put(db, tag, ("contact_id", "name"), tags)
    said = {owner: draft for owner, draft in owned.items() if draft.consents}
    closed = shut(db, {(each.channel, each.value) for draft in said.values() for each in draft.addresses})
    heard = set(known.values())
    heard |= {
        owner for owner, draft in said.items() if any((each.channel, each.value) in closed for each in draft.addresses)
    }
    consent.record_first(db, _consents({o: d for o, d in said.items() if o not in heard}, {}, source), now=now)
    refused = _write_consents(db, {o: d for o, d in said.items() if o in heard}, now, source)
    return Written(len(keys) - len(known), len(known), refused)


def heed(db: sa.Connection, noes: Sequence[Draft], now: datetime, source: str) -> list[Draft]:
    """Record what wrong rows say no to, of contacts that are there: a no does not wait until its row is mended.

    Returns those noes.
    """
    joined = _join(noes, _known_keys(db, noes))
    ids = _ids(db, sorted(joined))
    there = {ids[key]: draft for key, draft in joined.items() if key in ids}
    _write_consents(db, there, now, source)
    return list(there.values())


# ── which contact is it? ─────────────────────────────────────────────────────────────────────────────────────────
def _known_keys(db: sa.Connection, drafts: Sequence[Draft]) -> dict[str, str]:
    """Return the key of the contact that each identity names, where it is not the identity itself."""
    found: dict[str, str] = {}
    names, keyless = listed(db), [draft for draft in drafts if not draft.key]
    if keyless:
        at = {each.identity for each in keyless if not each.identifiers}
        found.update(gather(db, _oldest(names, address, at_address(db, names)), at))
        named: dict[str, set[str]] = defaultdict(set)
        for system, value in (next(iter(each.identifiers.items())) for each in keyless if each.identifiers):
            named[system].add(value)
        for system, values in named.items():
            own = (identifier.c.system == system) & (identifier.c.value == names.c.value)
            keys = gather(db, _oldest(names, identifier, own), values)
            found.update((f"{system}:{value}", key) for value, key in keys)
    ask = sa.select(alias.c.key, contact.c.key).join_from(names, alias, alias.c.key == names.c.value).join(contact)
    found.update(gather(db, ask, {draft.key for draft in drafts if draft.key}))
    return found


def _oldest(names: sa.FromClause, table: sa.Table, named: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Each name with the key of the oldest of the contacts that have it in *table*.

    As a question about each name: of a join SQLite looks through *table* first, all of it.
    """
    oldest = sa.select(sa.func.min(table.c.contact_id)).where(named).correlate(names).scalar_subquery()
    return sa.select(names.c.value, contact.c.key).join_from(names, contact, contact.c.id == oldest)


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
def _row(key: str, draft: Draft, known: bool, at: int, source: str, native: bool) -> tuple[Any, ...]:  # noqa: FBT001 - of a column
    said, guessed = draft.said, draft.guessed
    get = said.get
    born = get("birthdate")
    guesses = [(said[name], "") if name in said else guessed.get(name, _NOTHING) for name in _GUESSED]
    seen = get("first_seen")
    return (
        key,
        get("kind") or ("" if known else ContactKind.CUSTOMER.value),
        *[get(name, "") for name in _TEXT],
        *[value for value, _ in guesses],
        *[evidence for _, evidence in guesses],
        get("source") or ("" if known else source),
        born if native or not born else born.isoformat(),
        birthday(born),
        json.dumps(draft.traits, ensure_ascii=False) if draft.traits else "{}",
        micros(seen) if seen else at,
        at,
    )


_NOTHING = ("", "")


def _upsert(db: sa.Connection) -> str:
    """An empty value changes nothing; traits are joined; `first_seen` only moves back, and the source with it.

    What was inferred gives way to what is said, and to what is inferred anew from as good a source or a better one: a
    number is better than a country. It never replaces what was said.
    """
    changed = [
        f"{n} = CASE WHEN excluded.{n} <> '' THEN excluded.{n} ELSE contact.{n} END"
        for n in ("kind", *_TEXT, "birthday")
    ]
    for name in _GUESSED:
        gap, worth = f"contact.{name} = ''", f"{_worth('excluded', name)} >= {_worth('contact', name)}"
        better = f"excluded.{name} <> '' AND ({gap} OR {worth})"
        changed += [f"{n} = CASE WHEN {better} THEN excluded.{n} ELSE contact.{n} END" for n in (name, f"{name}_from")]
    merged = "json_patch(contact.traits, excluded.traits)"
    if db.dialect.name != "sqlite":
        merged = "contact.traits || excluded.traits"
    earlier = "excluded.first_seen < contact.first_seen"
    told = f"excluded.source <> '' AND (contact.source = '' OR {earlier})"
    changed += [
        "birthdate = coalesce(excluded.birthdate, contact.birthdate)",
        f"traits = CASE WHEN excluded.traits = '{{}}' THEN contact.traits ELSE {merged} END",
        f"first_seen = CASE WHEN {earlier} THEN excluded.first_seen ELSE contact.first_seen END",
        f"source = CASE WHEN {told} THEN excluded.source ELSE contact.source END",
        "updated_at = excluded.updated_at",
    ]
    return f"(key) DO UPDATE SET {', '.join(changed)}"


def _worth(row: str, name: str) -> str:
    return f"CASE {row}.{name}_from WHEN '' THEN 2 WHEN 'phone' THEN 1 ELSE 0 END"


# ── addresses ────────────────────────────────────────────────────────────────────────────────────────────────────
_Held = dict[tuple[int, str], dict[str, int]]
_PLACED = "(contact_id, channel, value) DO UPDATE SET position = excluded.position"


def _write_addresses(
    db: sa.Connection, owned: Mapping[int, Draft], known: Sequence[int], signer: Hasher, at: int
) -> None:
    """Add the addresses of the file; on a channel where it names some, they come before those we had."""
    held = _held(db, known)
    reached = [(draft.addresses[0].value, owner, draft) for owner, draft in owned.items() if draft.addresses]
    lines = [
        (owner, channel, value, address_hash(signer, channel, value), place, at)
        for _, owner, draft in sorted(reached, key=itemgetter(0))  # neighbours in the index of addresses lie together
        for channel, value, place in _placed(owner, draft, held)
    ]
    put(db, address, ("contact_id", "channel", "value", "hash", "position", "added_at"), lines, _PLACED)


def _placed(owner: int, draft: Draft, held: _Held) -> Iterator[tuple[str, str, int]]:
    """Yield channel, value and place of the addresses that are new or change their place."""
    if len(draft.addresses) == 1 and not held:
        yield draft.addresses[0].channel, draft.addresses[0].value, 0
        return
    named: dict[str, list[str]] = defaultdict(list)
    for each in draft.addresses:
        named[each.channel].append(each.value)
    for channel, values in named.items():
        had = held.get((owner, channel), {})
        for place, value in enumerate([*values, *(value for value in had if value not in values)]):
            if had.get(value) != place:
                yield channel, value, place


def _held(db: sa.Connection, owners: Sequence[int]) -> _Held:
    held: _Held = defaultdict(dict)
    if not owners:
        return held
    names, a = listed(db), address.c
    mine = a.contact_id == sa.cast(names.c.value, sa.BigInteger)
    ask = sa.select(a.contact_id, a.channel, a.value, a.position).join_from(names, address, mine)
    for owner, channel, value, place in gather(db, ask.order_by(a.position, a.id), map(str, owners)):
        held[owner, channel][value] = place
    return held


# ── consents ─────────────────────────────────────────────────────────────────────────────────────────────────────
_Live = dict[tuple[int, str, str], tuple[bool, int]]


def _write_consents(db: sa.Connection, asked: Mapping[int, Draft], now: datetime, source: str) -> int:
    """Record what the file says about consent, unless it is what we hold already. Never takes a no back."""
    if not asked:
        return 0
    rows = _consents(asked, _live(db, asked), source)
    return len(consent.record_many(db, rows, now=now, respect_withdrawals=True))


def _consents(asked: Mapping[int, Draft], live: _Live, source: str) -> list[Consent]:
    return [
        _consent(owner, about, granted, draft.proof_of(about), source)
        for owner, draft in asked.items()
        for about, granted in draft.consents.items()
        if not _already(live.get((owner, *about)), granted, draft.proof_of(about).get("at"))
    ]


_CONSENT = quick(Consent)


def _consent(owner: int, about: tuple[str, str], granted: bool, proof: Mapping[str, Any], source: str) -> Consent:  # noqa: FBT001 - an answer
    return _CONSENT(
        owner,
        *about,
        granted,
        proof.get("at"),
        source=proof.get("source") or source,
        legal_basis=proof.get("legal_basis") or ("consent" if granted else ""),
        text_hash=proof.get("text_hash", ""),
        expires_at=proof.get("expires_at") if granted else None,
    )


def _live(db: sa.Connection, owners: Mapping[int, Draft]) -> _Live:
    row, names = permission.c, listed(db)
    mine = row.contact_id == sa.cast(names.c.value, sa.BigInteger)
    at = sa.type_coerce(row.at, sa.BigInteger)
    ask = sa.select(row.contact_id, row.channel, row.topic, row.granted, at).join_from(names, permission, mine)
    return {
        (owner, channel, topic): (bool(granted), told)
        for owner, channel, topic, granted, told in gather(db, ask, map(str, owners))
    }


def _already(live: tuple[bool, int] | None, granted: bool, at: datetime | None) -> bool:  # noqa: FBT001 - an answer
    return live is not None and live[0] == granted and (at is None or micros(at) <= live[1])
