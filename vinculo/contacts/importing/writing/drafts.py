"""Writing drafts, and whom else a batch names that is there: a handful of set-based statements, however many rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

import sqlalchemy as sa

from vinculo.consent import Hasher
from vinculo.contacts.importing.row.draft import Draft, birthday
from vinculo.contacts.importing.row.lot import GUESSED, PERSON
from vinculo.contacts.importing.writing.answering import Word, no_of, record, words
from vinculo.contacts.importing.writing.known import Columns, Known, held, renew, upsert
from vinculo.contacts.importing.writing.placing import Held, place
from vinculo.contacts.importing.writing.whose import Joined, Keyless, bearers, ids, join, known_keys
from vinculo.db.bulk import numbers, put
from vinculo.db.tables import alias, contact, micros, moment
from vinculo.model import ContactKind

#: Where these stand in what is held.
_SOURCE, _SEEN = (1 + PERSON.index(name) for name in ("source", "first_seen"))
_TEXT = ("given_name", "family_name", "region", "city", "owner")


class Wrote(NamedTuple):
    """The contacts that were written: *new* ones and those that are there, those who *heard* a no of a wrong row, what
    was *said* of consent, and where those who are there were *held* to be reached before.
    """

    new: Mapping[int, Draft]
    old: Sequence[int]
    heard: Collection[int]
    said: Sequence[Word]
    held: Held


def write(db: sa.Connection, drafts: Sequence[Draft], signer: Hasher, now: datetime, source: str) -> int:
    """Write *drafts*, which no file goes on after; return how many yeses a no refuses."""
    wrote = write_joined(db, join(db, drafts, Keyless()), signer, now, source)
    return record(db, wrote.said, (), wrote.new, wrote.held, None, now, source)


def write_joined(
    db: sa.Connection, made: Joined, signer: Hasher, now: datetime, source: str, known: Sequence[Known] = ()
) -> Wrote:
    """Write what *made* holds, of contacts new or there, and *known*, of others that are there; all but consents.

    Of who is there only what changes is written.
    """
    joined, at = made.drafts, micros(now)
    _rename(db, made.adopted)
    there = held(db, sorted(joined), PERSON[1:])
    old = {there[key][0]: draft for key, draft in joined.items() if key in there}
    new = _made(db, {key: draft for key, draft in joined.items() if key not in there}, source, at)
    _remember(db, made.adopted)
    for key, row in there.items():
        if row[_SOURCE] and len(joined[key].rows) > 1:
            joined[key].said["source"] = joined[key].source_before(moment(row[_SEEN]))
    touched, before = place(db, new, old, known, signer, at)
    columns = zip(*(_row(key, joined[key], "", "", at) for key in there), strict=True)
    said: Columns = {("person", name): column for name, column in zip(PERSON, columns, strict=False)}
    renew(db, [Known(PERSON[1:], list(there.values()), said)], touched, at)
    renew(db, known, touched, at)
    drafts = {**old, **new}
    return Wrote(
        new,
        [*old, *chain.from_iterable(each.ids for each in known)],
        [who for who, draft in drafts.items() if draft.heard],
        list(words(drafts, before)),
        before,
    )


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


def heed(db: sa.Connection, noes: Sequence[Draft], wrote: Wrote) -> list[Word]:
    """What the wrong rows *noes* say no to, of contacts that are there: a no does not wait until its row is mended.

    Of those in *wrote*, which the rows around it have written, it means whoever had the name before it: the rows after
    it have heard it.
    """
    since = {(each.who, value): each.line for each in wrote.said for _, value in each.gained}
    since |= {(who, ""): draft.line for who, draft in wrote.new.items()}
    whose = bearers(db, noes) if noes else {}
    return [
        no_of(draft, who)
        for draft in noes
        for who in sorted(
            {
                who
                for name in draft.names
                for who in whose.get(name, ())
                if max(since.get((who, name), 0), since.get((who, ""), 0)) < draft.line
            }
        )
    ]


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
