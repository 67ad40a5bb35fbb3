"""What a file says about consent of contacts that are there: what is on record already is not recorded again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any

import sqlalchemy as sa

from vinculo import consent
from vinculo.consent import Consent
from vinculo.contacts.importing.row.draft import Draft
from vinculo.contacts.importing.row.lot import PROOF
from vinculo.contacts.importing.writing.known import Known
from vinculo.db.bulk import gather, listed
from vinculo.db.tables import micros, moment, permission
from vinculo.quick import quick

#: Contact, channel and topic, the answer, and when it was given in microseconds, if that is said.
_Live = dict[tuple[int, str, str], tuple[bool, int]]
_CONSENT = quick(Consent)


def record(db: sa.Connection, asked: Mapping[int, Draft], known: Sequence[Known], now: datetime, source: str) -> int:
    """Record what is said about consent, unless it is what we hold already; return how many yeses a no refuses.

    *asked*: by the contact's id.
    """
    told = [each for each in known if each.of("consent")]
    owners = [*asked, *chain.from_iterable(each.ids for each in told)]
    if not owners:
        return 0
    live = _live(db, owners)
    rows = [*consents(asked, source, live), *chain.from_iterable(_told(each, source, live) for each in told)]
    rows = list(_stricter(rows, live, now))
    return len(consent.record_many(db, rows, now=now, respect_withdrawals=True)) if rows else 0


def consents(asked: Mapping[int, Draft], source: str, live: _Live) -> Iterator[Consent]:
    """What the drafts *asked* say that is not *live*."""
    for owner, draft in asked.items():
        for about, granted in draft.consents.items():
            proof = draft.proof_of(about)
            at = proof.get("at")
            if not _already(live.get((owner, *about)), granted, micros(at) if at else None):
                yield _consent(owner, about, granted, proof, source)


def _told(known: Known, source: str, live: _Live) -> Iterator[Consent]:
    """What rows of a lot say that is not *live*."""
    dated = known.said["proof", "at"]
    for about, answers in known.of("consent").items():
        channel, topic = about
        rows = enumerate(zip(known.ids, answers, dated, strict=True))
        for place, (owner, granted, at) in rows:
            if granted is not None and not _already(live.get((owner, channel, topic)), granted, at):
                yield _consent(owner, (channel, topic), granted, _proof(known, place), source)


def _stricter(rows: Sequence[Consent], live: _Live, now: datetime) -> Iterator[Consent]:
    """*rows*, of which a no ends a yes that the file has given before it without a date, whatever its own date is: as
    of two answers in one batch.
    """
    undated = {about for about, (granted, at) in live.items() if granted and at == micros(now)}
    for row in rows:
        ends = not row.granted and row.at is not None and (row.contact_id, row.channel, row.topic) in undated
        yield replace(row, at=now) if ends else row


def _proof(known: Known, place: int) -> Mapping[str, Any]:
    proof = {name: known.said["proof", name][place] for name in PROOF}
    return proof | {name: None if proof[name] is None else moment(proof[name]) for name in ("at", "expires_at")}


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


def _live(db: sa.Connection, owners: Sequence[int]) -> _Live:
    row, names = permission.c, listed(db)
    mine = row.contact_id == sa.cast(names.c.value, sa.BigInteger)
    at = sa.type_coerce(row.at, sa.BigInteger)
    ask = sa.select(row.contact_id, row.channel, row.topic, row.granted, at).join_from(names, permission, mine)
    return {
        (owner, channel, topic): (bool(granted), told)
        for owner, channel, topic, granted, told in gather(db, ask, map(str, owners))
    }


def _already(live: tuple[bool, int] | None, granted: bool, at: int | None) -> bool:  # noqa: FBT001 - an answer
    return live is not None and live[0] == granted and (at is None or at <= live[1])
