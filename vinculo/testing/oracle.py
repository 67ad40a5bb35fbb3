"""The judge of every torture test: the receiver's own record against the ledger, rule by rule.

O1  no delivery was accepted twice
O2  nobody is lost: every contact has its row, a finished occurrence has none open, the history has what was accepted
O3  in doubt is no more than was in flight when something died
O4  the receiver has what the ledger calls accepted, and the ledger owns up to what the receiver has
O5  nobody got a message that consent, suppression or a cancellation forbade when it was handed over
O6  the database is sound

It reads the tables itself, not through the functions under test.
"""

from __future__ import annotations

import email.policy
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from typing import Any
from urllib.parse import unquote

import sqlalchemy as sa

from vinculo.db.tables import address, delivery, interaction, occurrence, permission, suppression
from vinculo.ledger.row import OPEN, WRITTEN_OFF
from vinculo.model import DeliveryKey, DeliveryState
from vinculo.signing import BadToken, Signer
from vinculo.testing.provider import Received

#: States in which a row owns up to a message that the receiver has.
_OWNED = frozenset({DeliveryState.ACCEPTED, DeliveryState.IN_DOUBT, DeliveryState.SUBMITTING})
_IN_HANDS = (DeliveryState.CLAIMED, DeliveryState.SUBMITTING)
_Row = sa.Row[Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """A message in a receiver's record; *delivery*: the row that it names, 0 when it names none of ours."""

    delivery: int
    to: str


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that was broken, and by what."""

    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


# ── what the receivers wrote down ────────────────────────────────────────────────────────────────────────────────
def mails(raw: Iterable[bytes], signer: Signer) -> list[Taken]:
    """The record of `smtp-sink -d`: its own X- lines name the recipient, the Message-ID the delivery."""
    return [_mail(one, signer) for one in raw]


def _mail(raw: bytes, signer: Signer) -> Taken:
    head = BytesHeaderParser(policy=email.policy.compat32).parsebytes(raw)
    to = str(head.get("X-Rcpt-Args", "")).partition(" ")[0].strip("<>")
    return Taken(named(str(head.get("Message-ID", "")), signer), to)


def named(message_id: str, signer: Signer) -> int:
    """The delivery whose Message-ID this is; 0: it is none of ours."""
    try:
        return signer.read_mail_token("message", message_id.strip(" <>\r\n").partition("@")[0])[0]
    except BadToken:
        return 0


def received(those: Iterable[Received], signer: Signer) -> list[Taken]:
    """The record of `SmtpSink`."""
    return [Taken(named(dict(one.headers).get("message-id", ""), signer), one.to) for one in those]


def posted(those: Iterable[Received], db: sa.Connection) -> list[Taken]:
    """The record of `GatewayFake`: the idempotency key names the delivery."""
    d = delivery.c
    rows = db.execute(sa.select(d.id, d.campaign, d.occurrence, d.contact_id))
    number = {str(DeliveryKey(*key)): row_id for row_id, *key in rows}
    return [Taken(number.get(unquote(one.key), 0), one.to) for one in those]


# ── the judgement ────────────────────────────────────────────────────────────────────────────────────────────────
def judge(
    db: sa.Connection, taken: Iterable[Taken], *, doubt: int, people: int | None = None, rest: bool = True,
    one_clock: bool = True,
) -> list[Violation]:  # fmt: skip
    """Every violation of O1–O6 that *taken*, the receivers' records together, and the ledger show.

    *doubt*: how many may be in doubt. *people*: how many rows each occurrence must have. *rest*: no worker lives and
    the leases of the dead were taken back, so that no row may be in anybody's hands. *one_clock*: the ledger's times
    were all told by one clock, so that they prove what came first.
    """
    d = delivery.c
    rows = {row.id: row for row in db.execute(sa.select(delivery).order_by(d.id))}
    record = list(taken)
    found = [
        *_once(record), *_conserved(db, rows, people, rest=rest), *_doubted(rows, doubt), *_owned(record, rows),
        *_permitted(db, record, rows, one_clock=one_clock), *_sound(db),
    ]  # fmt: skip
    return [Violation(*one) for one in found]


_Found = Iterator[tuple[str, str]]


def _once(record: list[Taken]) -> _Found:
    for number, times in Counter(one.delivery for one in record).items():
        if number and times > 1:
            yield "O1", f"delivery {number} was accepted {times} times"


def _conserved(db: sa.Connection, rows: Mapping[int, _Row], people: int | None, *, rest: bool) -> _Found:
    places = {(row.campaign, row.occurrence): row.state for row in db.execute(sa.select(occurrence))}
    size = Counter((row.campaign, row.occurrence) for row in rows.values())
    for place, state in places.items():
        if people is not None and size[place] != people:
            yield "O2", f"{place} has {size[place]} rows for {people} contacts"
        if state == "finished" and (still := [n for n, row in _of(rows, place) if row.state in OPEN]):
            yield "O2", f"{place} is finished and these are open: {still}"
    for number, row in rows.items():
        if row.state not in set(DeliveryState):
            yield "O2", f"delivery {number} is in no known state: {row.state!r}"
        if rest and row.state in _IN_HANDS:
            yield "O2", f"delivery {number} is {row.state} and nobody holds it"
    yield from _remembered(db, rows)


def _of(rows: Mapping[int, _Row], place: tuple[str, str]) -> Iterator[tuple[int, _Row]]:
    return ((number, row) for number, row in rows.items() if (row.campaign, row.occurrence) == place)


def _remembered(db: sa.Connection, rows: Mapping[int, _Row]) -> _Found:
    """The history has one line of our own for each accepted delivery; a provider may say so as well."""
    i = interaction.c
    lines = Counter(db.scalars(sa.select(i.delivery_id).where(i.kind == "sent", i.event_id == "")))
    accepted = {number for number, row in rows.items() if row.state == DeliveryState.ACCEPTED}
    for number in accepted | set(lines):
        if lines[number] != (number in accepted):
            state = rows[number].state if number in rows else "gone"
            yield "O2", f"delivery {number} is {state}, and the history has it {lines[number]} times"


def _doubted(rows: Mapping[int, _Row], most: int) -> _Found:
    doubted = [number for number, row in rows.items() if row.state == DeliveryState.IN_DOUBT]
    if len(doubted) > most:
        yield "O3", f"{len(doubted)} are in doubt, more than {most}: {doubted}"


def _owned(record: list[Taken], rows: Mapping[int, _Row]) -> _Found:
    there = {one.delivery for one in record}
    for number, row in rows.items():
        if row.state == DeliveryState.ACCEPTED and number not in there:
            yield "O4", f"delivery {number} is accepted, and the receiver has it not"
    for one in record:
        ours = rows.get(one.delivery)
        if ours is None:
            yield "O4", f"the receiver has a message to {one.to} that is no delivery of ours"
        elif ours.address != one.to:
            yield "O4", f"delivery {ours.id} to {ours.address} went to {one.to}"
        elif ours.state not in _OWNED and ours.reason != WRITTEN_OFF:
            yield "O4", f"the receiver has delivery {ours.id}, which is {ours.state} {ours.reason}"


def _permitted(db: sa.Connection, record: list[Taken], rows: Mapping[int, _Row], *, one_clock: bool) -> _Found:
    """What forbids a message must not be older than its handing over."""
    forbidden = _forbidden(db) if one_clock else {}
    for one in record:
        row = rows.get(one.delivery)
        if row is None:
            continue
        if row.state in {DeliveryState.SKIPPED, DeliveryState.CANCELLED}:
            yield "O5", f"delivery {row.id} was received, and the ledger says {row.state} {row.reason}"
        since = forbidden.get((row.contact_id, row.channel))
        if since is not None and since < row.submitted_at:
            yield "O5", f"delivery {row.id} was handed over at {row.submitted_at}, forbidden since {since}"


def _forbidden(db: sa.Connection) -> dict[tuple[int, str], Any]:
    """Since when a contact must not be written to on a channel: suppressed, or withdrawn from every topic."""
    a, p, s = address.c, permission.c, suppression.c
    listed = sa.select(a.contact_id, a.channel, s.at).join(
        suppression, sa.and_(s.channel == a.channel, s.address_hash == a.hash)
    )
    withdrawn = sa.select(p.contact_id, p.channel, sa.func.max(p.at)).group_by(p.contact_id, p.channel)
    left = withdrawn.having(sa.func.max(sa.cast(p.granted, sa.Integer)) == 0)
    since: dict[tuple[int, str], Any] = {}
    for contact_id, channel, at in [*db.execute(listed), *db.execute(left)]:
        since[contact_id, channel] = min(at, since.get((contact_id, channel), at))
    return since


def _sound(db: sa.Connection) -> _Found:
    d = delivery.c
    if db.dialect.name == "sqlite":
        for line in db.exec_driver_sql("PRAGMA integrity_check").scalars():
            if line != "ok":
                yield "O6", str(line)
        for broken in db.exec_driver_sql("PRAGMA foreign_key_check"):
            yield "O6", f"a row of {broken[0]} points nowhere"
        return
    db.exec_driver_sql("SET LOCAL enable_indexscan = off")  # what the tables hold, not what the indexes say of it
    db.exec_driver_sql("SET LOCAL enable_indexonlyscan = off")
    keys = sa.select(d.campaign, d.occurrence, d.contact_id).group_by(d.campaign, d.occurrence, d.contact_id)
    for row in db.execute(keys.having(sa.func.count() > 1)):
        yield "O6", f"{tuple(row)} has several rows"
