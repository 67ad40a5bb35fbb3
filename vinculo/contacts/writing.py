"""Writing a batch of contacts: a handful of set-based statements, however many rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from vinculo import consent
from vinculo.consent import Consent, Hasher, address_hash
from vinculo.contacts.draft import Draft, birthday
from vinculo.contacts.store import chunks
from vinculo.db.tables import address, alias, contact, permission, tag
from vinculo.model import ContactKind

_GUESSED = ("country", "language", "timezone")
_TEXT = ("kind", "given_name", "family_name", *_GUESSED, "region", "city", "owner", "source")


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch changed. *refused*: yeses not taken over because the contact had said no."""

    created: int
    updated: int
    refused: int


def write(db: sa.Connection, drafts: Sequence[Draft], signer: Hasher, now: datetime, source: str) -> Written:
    """Write *drafts*, new or known. Rows of the same contact are joined first, in the order of the file."""
    joined = _join(drafts, _known_keys(db, drafts))
    keys = sorted(joined)  # one order for everybody: two imports at once wait for each other, and never in a ring
    known = _known(db, keys)
    ids = _upsert(db, [_row(key, joined[key], known.get(key), now) for key in keys])
    owned = {ids[key]: joined[key] for key in keys}
    _write_addresses(db, owned, {row["id"] for row in known.values()}, signer, now)
    tags = [{"contact_id": owner, "name": name} for owner, draft in owned.items() for name in sorted(draft.tags)]
    if tags:
        db.execute(_insert(db, tag).on_conflict_do_nothing(), tags)
    refused = _write_consents(db, owned, now, source)
    return Written(len(keys) - len(known), len(known), refused)


def _insert(db: sa.Connection, table: sa.Table) -> Any:
    dialect: Any = sqlite if db.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


# ── which contact is it? ─────────────────────────────────────────────────────────────────────────────────────────
def _known_keys(db: sa.Connection, drafts: Sequence[Draft]) -> dict[str, str]:
    """Return the key of the contact that each identity names, where it is not the identity itself."""
    found: dict[str, str] = {}
    values = {draft.identity for draft in drafts if not draft.key}
    for chunk in chunks(sorted(values)):
        ask = sa.select(address.c.value, contact.c.key).join_from(address, contact).where(address.c.value.in_(chunk))
        # Of several contacts with the address, the oldest.
        found.update((value, key) for value, key in db.execute(ask.order_by(contact.c.id.desc())))
    for chunk in chunks(sorted({draft.key for draft in drafts if draft.key})):
        ask = sa.select(alias.c.key, contact.c.key).join_from(alias, contact).where(alias.c.key.in_(chunk))
        found.update((key, now_called) for key, now_called in db.execute(ask))
    return found


def _join(drafts: Sequence[Draft], known: Mapping[str, str]) -> dict[str, Draft]:
    joined: dict[str, Draft] = {}
    named = {each.value: draft.key for draft in reversed(drafts) if draft.key for each in draft.addresses}
    for draft in drafts:
        identity = draft.identity
        key = known.get(identity) or (draft.key or named.get(identity) or identity)
        if key in joined:
            joined[key].add(draft)
        else:
            joined[key] = draft
    return joined


def _known(db: sa.Connection, keys: Sequence[str]) -> dict[str, Mapping[Any, Any]]:
    columns = [contact.c.id, contact.c.key, *(contact.c[name] for name in _GUESSED)]
    return {
        row["key"]: row
        for chunk in chunks(keys)
        for row in db.execute(sa.select(*columns).where(contact.c.key.in_(chunk))).mappings()
    }


# ── the contact itself ───────────────────────────────────────────────────────────────────────────────────────────
def _row(key: str, draft: Draft, known: Mapping[Any, Any] | None, now: datetime) -> dict[str, Any]:
    guesses = {n: g for n, g in draft.guessed.items() if known is None or not known[n]}
    defaults = {"kind": ContactKind.CUSTOMER.value} if known is None else {}
    said = defaults | guesses | draft.said
    born = said.get("birthdate")
    return {
        "key": key,
        **{name: said.get(name, "") for name in _TEXT},
        "birthdate": born,
        "birthday": birthday(born),
        "traits": draft.traits,
        "first_seen": said.get("first_seen", now),
        "updated_at": now,
    }


def _upsert(db: sa.Connection, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Insert or update; an empty value changes nothing, traits are joined, `first_seen` only moves back."""
    insert = _insert(db, contact)
    new, old = insert.excluded, contact.c
    filled: dict[str, Any] = {n: sa.case((new[n] != "", new[n]), else_=old[n]) for n in (*_TEXT, "birthday")}
    filled["birthdate"] = sa.func.coalesce(new.birthdate, old.birthdate)
    filled["first_seen"] = sa.case((new.first_seen < old.first_seen, new.first_seen), else_=old.first_seen)
    filled["updated_at"] = new.updated_at
    filled["traits"] = (
        sa.func.json_patch(old.traits, new.traits) if db.dialect.name == "sqlite" else old.traits.op("||")(new.traits)
    )
    upsert = insert.on_conflict_do_update(index_elements=["key"], set_=filled)
    return {key: number for number, key in db.execute(upsert.returning(contact.c.id, contact.c.key), rows)}


# ── addresses ────────────────────────────────────────────────────────────────────────────────────────────────────
_Held = dict[tuple[int, str], dict[str, int]]


def _write_addresses(
    db: sa.Connection, owned: Mapping[int, Draft], known: set[int], signer: Hasher, now: datetime
) -> None:
    """Add the addresses of the file; on a channel where it names some, they come before those we had."""
    held = _held(db, sorted(known))
    rows = [
        {"contact_id": owner, "channel": channel, "value": value, "position": place, "added_at": now}
        | {"hash": address_hash(signer, channel, value)}
        for owner, draft in owned.items()
        for channel, values in _by_channel(draft).items()
        for value, place in _changed(values, held.get((owner, channel), {}))
    ]
    if rows:
        insert = _insert(db, address)
        moved = {"position": insert.excluded.position}
        db.execute(insert.on_conflict_do_update(index_elements=["contact_id", "channel", "value"], set_=moved), rows)


def _held(db: sa.Connection, owners: Sequence[int]) -> _Held:
    held: _Held = defaultdict(dict)
    ask = sa.select(address.c.contact_id, address.c.channel, address.c.value, address.c.position)
    for chunk in chunks(owners):
        rows = db.execute(ask.where(address.c.contact_id.in_(chunk)).order_by(address.c.position, address.c.id))
        for owner, channel, value, place in rows:
            held[owner, channel][value] = place
    return held


def _by_channel(draft: Draft) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for each in draft.addresses:
        found[each.channel].append(each.value)
    return found


def _changed(values: Sequence[str], held: Mapping[str, int]) -> list[tuple[str, int]]:
    order = [*values, *(value for value in held if value not in values)]
    return [(value, place) for place, value in enumerate(order) if held.get(value) != place]


# ── consents ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _write_consents(db: sa.Connection, owned: Mapping[int, Draft], now: datetime, source: str) -> int:
    """Record what the file says about consent, unless it is what we hold already. Never takes a no back."""
    asked = [owner for owner, draft in owned.items() if draft.consents]
    live = _live(db, asked)
    rows = [
        Consent(
            owner,
            channel,
            topic,
            granted,
            draft.consent_at,
            source=draft.consent_source or source,
            legal_basis=draft.legal_basis or ("consent" if granted else ""),
        )
        for owner in asked
        for draft in (owned[owner],)
        for (channel, topic), granted in draft.consents.items()
        if not _already(live.get((owner, channel, topic)), granted, draft.consent_at)
    ]
    return len(consent.record_many(db, rows, now=now, respect_withdrawals=True))


_Live = dict[tuple[int, str, str], tuple[bool, datetime]]


def _live(db: sa.Connection, owners: Sequence[int]) -> _Live:
    row = permission.c
    ask = sa.select(row.contact_id, row.channel, row.topic, row.granted, row.at)
    return {
        (owner, channel, topic): (bool(granted), at)
        for chunk in chunks(owners)
        for owner, channel, topic, granted, at in db.execute(ask.where(row.contact_id.in_(chunk)))
    }


def _already(live: tuple[bool, datetime] | None, granted: bool, at: datetime | None) -> bool:  # noqa: FBT001 - an answer
    return live is not None and live[0] == granted and (at is None or at <= live[1])
