"""Writing drafts, and whom else a batch names that is there: a handful of set-based statements, however many rows."""

from __future__ import annotations

import json
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
from vinculo.contacts.importing.writing.whose import Joined, Keyless, ids, join, known_keys
from vinculo.db.bulk import numbers, put
from vinculo.db.tables import alias, contact, micros
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


def write(db: sa.Connection, drafts: Sequence[Draft], signer: Hasher, now: datetime, source: str) -> Written:
    """Write *drafts*, which no file goes on after."""
    return write_joined(db, join(db, drafts, Keyless()), signer, now, source)


def write_joined(
    db: sa.Connection, made: Joined, signer: Hasher, now: datetime, source: str, known: Sequence[Known] = ()
) -> Written:
    """Write what *made* holds, of contacts new or there, and *known*, of others that are there.

    Of who is there only what changes is written.
    """
    joined, at = made.drafts, micros(now)
    _rename(db, made.adopted)
    there = held(db, sorted(joined), PERSON[1:])
    old = {there[key][0]: draft for key, draft in joined.items() if key in there}
    new = _made(db, {key: draft for key, draft in joined.items() if key not in there}, source, at)
    _remember(db, made.adopted)
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
    number = dict(zip(drafts, numbers(db, contact, len(drafts)), strict=True))  # as old as the file has them
    lines = [
        (number[key], *_row(key, drafts[key], ContactKind.CUSTOMER.value, source, at), at) for key in sorted(drafts)
    ]
    # Somebody else may have added one of them a moment ago.
    put(db, contact, ("id", *PERSON, "updated_at"), lines, upsert(db.dialect.name, PERSON))
    return {who: drafts[key] for key, who in ids(db, sorted(drafts)).items()}


def _rename(db: sa.Connection, adopted: Mapping[str, str]) -> None:
    """Give contacts that are there the keys that they have been given."""
    if adopted:
        names = [{"old": old, "new": new} for old, new in sorted(adopted.items())]
        c = contact.c.key
        db.execute(sa.update(contact).where(c == sa.bindparam("old")).values(key=sa.bindparam("new")), names)


def _remember(db: sa.Connection, adopted: Mapping[str, str]) -> None:
    """Have what was taken for their keys lead to them, too."""
    if adopted:
        there = ids(db, sorted(set(adopted.values())))
        put(db, alias, ("key", "contact_id"), [(old, there[new]) for old, new in sorted(adopted.items())])


def contacts_of(db: sa.Connection, drafts: Sequence[Draft]) -> list[int]:
    """Return the contacts that are there of those that *drafts* name."""
    known = known_keys(db, drafts)
    return list(ids(db, [known.get(draft.identity, draft.identity) for draft in drafts]).values())


def heed(db: sa.Connection, made: Joined, now: datetime, source: str) -> list[Draft]:
    """Record what wrong rows say no to, of contacts that are there: a no does not wait until its row is mended.

    Returns those noes.
    """
    old = {new: name for name, new in made.adopted.items()}  # a wrong row gives nobody a key
    found = ids(db, sorted({*made.drafts, *made.adopted}))
    named = {key if key in found else old.get(key, ""): draft for key, draft in made.drafts.items()}
    there = {found[key]: draft for key, draft in named.items() if key in found}
    record(db, there, (), now, source)
    return list(there.values())


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
