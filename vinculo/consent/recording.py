"""What contacts say: consent is append-only, `permission` is its live answer.

A row about the topic "" is a withdrawal from every topic of its channel. The newest row about a topic, or about all
of them, decides: first by `at`, then by id. So the order in which records arrive does not matter. What was just said is
the newest all the same: an answer of later than now is of a clock that was ahead then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from vinculo.db.bulk import add, chunks, numbers, put
from vinculo.db.insert import insert
from vinculo.db.tables import address, consent, contact, delivery, micros, permission
from vinculo.errors import UsageError


@dataclass(frozen=True, slots=True)
class Consent:
    """A contact's yes or no to a topic on a channel. *at* None: the import did not say when."""

    contact_id: int
    channel: str
    topic: str
    granted: bool
    at: datetime | None
    source: str
    legal_basis: str = ""
    text_hash: str = ""
    expires_at: datetime | None = None


def record(  # noqa: PLR0913 - the columns of a consent row
    db: sa.Connection,
    contact_id: int,
    channel: str,
    topic: str,
    granted: bool,  # noqa: FBT001 - a yes or a no is what it is about
    at: datetime,
    *,
    source: str,
    legal_basis: str = "",
    text_hash: str = "",
    expires_at: datetime | None = None,
    heard: datetime | None = None,
) -> None:
    """Append a yes or no and bring the live answer up to date. Raises `UsageError` for a yes to every topic.

    *heard*: as for `record_many`.
    """
    row = Consent(contact_id, channel, topic, granted, at, source, legal_basis, text_hash, expires_at)
    record_many(db, [row], heard=heard)


def grant(db: sa.Connection, contact_id: int, channel: str, topic: str, at: datetime, **proof: Any) -> None:
    """Record a yes; *proof* as for `record`."""
    record(db, contact_id, channel, topic, True, at, **proof)


def withdraw(db: sa.Connection, contact_id: int, channel: str, topic: str, at: datetime, **proof: Any) -> None:
    """Record a no; the topic "" withdraws from every topic of the channel."""
    record(db, contact_id, channel, topic, False, at, **proof)


def record_many(
    db: sa.Connection, rows: Sequence[Consent], *, now: datetime | None = None, heard: datetime | None = None
) -> None:
    """Append *rows* in a few statements and bring the live answers up to date.

    A row without a date is kept as of *now* (`ValueError` when that is missing). Whether a no stands against a yes, an
    import asks before. *heard*: when the contacts were heard; what was `_just_said` then is dated no sooner than what
    they have said before. An import hears nobody: it takes hours, and its rows are older than what is said meanwhile.
    Raises `UsageError` for a yes to every topic.
    """
    for row in rows:
        if row.granted and not row.topic:
            # LGPD Art. 8 §4: consent to nothing in particular is void.
            raise UsageError("A yes needs a topic", "Name one of the topics of plan/policy.yaml.")
    if not rows:
        return
    newest = db.scalar(sa.select(sa.func.coalesce(sa.func.max(consent.c.id), 0))) or 0
    # One statement, for PostgreSQL asks once a statement whether the contacts are there.
    add(db, consent, ("id", *_SAID), _lines(db, _newest(db, rows, heard) if heard else rows, now))
    _refresh(db, newest)


def _newest(db: sa.Connection, rows: Sequence[Consent], now: datetime) -> Sequence[Consent]:
    """Return *rows*, those `_just_said` dated so that they are the newest of their contact and channel.

    Who left after a clock was set back was written to all the same until it came to the date of the yes.
    """
    said = {row.contact_id for row in rows if _just_said(row, now)}
    p, ahead = permission.c, dict[tuple[int, str], datetime]()
    for ids in chunks(said):
        later = sa.select(p.contact_id, p.channel, sa.func.max(p.at)).where(p.contact_id.in_(ids), p.at > now)
        ahead |= {(who, channel): at for who, channel, at in db.execute(later.group_by(p.contact_id, p.channel))}
    if not ahead:
        return rows
    there = ((row, ahead.get((row.contact_id, row.channel))) for row in rows)
    return [replace(row, at=at) if at and _just_said(row, now) else row for row, at in there]


def _just_said(row: Consent, now: datetime) -> bool:
    """Whether an answer is of *now*, as far as anybody can tell: it is written a moment after it was said.

    A no that a provider tells of a while later, too: nobody knows whether it was before what is dated later than now.
    """
    return row.at is not None and row.at >= now - (_MOMENT if row.granted else _WHILE)


def record_first(db: sa.Connection, rows: Sequence[Consent], *, now: datetime) -> None:
    """Append *rows* as `record_many` does, for contacts that have said nothing yet: there is no answer to compare with.

    Each about another contact, channel or topic. A row without a date is kept as of *now*.
    """
    lines = _lines(db, rows, now)
    put(db, consent, ("id", *_SAID), lines)
    live = [(*line[1:6], line[9], line[0]) for line in lines]
    newer = ", ".join(f"{name} = excluded.{name}" for name in ("granted", "at", "expires_at", "consent_id"))
    # Somebody else may have added the same contact a moment ago.
    newest = f"(contact_id, channel, topic) DO UPDATE SET {newer} WHERE excluded.at > permission.at"
    put(db, permission, (*LIVE, "consent_id"), live, newest)


#: How long before it is written an answer was said at most, to be of now: a yes, and a no.
_MOMENT, _WHILE = timedelta(minutes=1), timedelta(days=1)
#: A line of `consent` as the database has it, without its id: `_SAID`.
Line = tuple[Any, ...]
_SAID = ("contact_id", "channel", "topic", "granted", "at", "source", "legal_basis", "text_hash", "expires_at")
#: What `permission` repeats of it, besides its id.
LIVE = ("contact_id", "channel", "topic", "granted", "at", "expires_at")


def record_new(db: sa.Connection, columns: Sequence[str], lines: Sequence[Line]) -> None:
    """Append *lines* of `consent` as the database has them, without ids, each about another contact, channel or topic,
    of contacts that this transaction has made.
    """
    ids = numbers(db, consent, len(lines))
    add(db, consent, ("id", *columns), [(n, *line) for n, line in zip(ids, lines, strict=True)])
    live = itemgetter(*(columns.index(name) for name in LIVE))
    add(db, permission, (*LIVE, "consent_id"), [(*live(line), n) for n, line in zip(ids, lines, strict=True)])


def _lines(db: sa.Connection, rows: Sequence[Consent], now: datetime | None) -> list[Line]:
    """Return *rows* as the database has them."""
    ids = numbers(db, consent, len(rows))
    return [
        (
            *(n, row.contact_id, row.channel, row.topic, row.granted, _dated(row, now), row.source),
            *(row.legal_basis, row.text_hash, None if row.expires_at is None else micros(row.expires_at)),
        )
        for n, row in zip(ids, rows, strict=True)
    ]


def _dated(row: Consent, now: datetime | None) -> int:
    at = row.at or now
    if at is None:
        raise ValueError("a consent without a date needs `now`")
    return micros(at)


def _refresh(db: sa.Connection, newest: int) -> None:
    """Bring the live answers up to date with the rows added after the row *newest*."""
    added = sa.select(consent.c.contact_id, consent.c.channel).where(consent.c.id > newest).distinct().subquery()
    # Two transactions that add to the same contact must see each other's rows: the second waits here.
    lock = sa.select(contact.c.id).where(contact.c.id.in_(sa.select(added.c.contact_id))).order_by(contact.c.id)
    db.execute(lock.with_for_update(key_share=True)).all()
    _lock_resting(db, sa.select(added.c.contact_id))
    db.execute(_upsert(db, permission, ["contact_id", "channel", "topic"], _answers(added)))


def _lock_resting(db: sa.Connection, contacts: sa.Select[Any]) -> None:
    """Lock the deliveries that a new answer changes, in the order in which whoever sends them locks them.

    Else one answer after another locks its own, and who leaves and who sends may wait for each other in a circle.
    """
    if db.dialect.name == "postgresql":
        d = delivery.c
        waiting = d.contact_id.in_(contacts), d.basis == "consent", d.state.in_(["planned", "deferred", "claimed"])
        db.execute(sa.select(d.id).where(*waiting).order_by(d.id).with_for_update()).all()


def refresh(db: sa.Connection, contacts: Collection[int]) -> None:
    """Work the live answers of *contacts* out again: consents of theirs have changed hands."""
    c, live = consent.c, permission.c
    about = sa.select(c.contact_id, c.channel).where(c.contact_id.in_(contacts)).distinct().subquery()
    _lock_resting(db, sa.select(about.c.contact_id))
    db.execute(_upsert(db, permission, ["contact_id", "channel", "topic"], _answers(about)))
    said = sa.exists().where(c.contact_id == live.contact_id, c.channel == live.channel, c.topic == live.topic)
    db.execute(sa.delete(permission).where(live.contact_id.in_(contacts), ~said))


def _answers(added: sa.Subquery) -> sa.Select[Any]:
    """Select the live answer of every topic of the contacts and channels in *added*."""
    said, about = consent.alias("said"), consent.alias("about")
    topics = sa.select(said.c.contact_id, said.c.channel, said.c.topic).join_from(said, added, _same(said, added))
    topic = topics.distinct().subquery("topic")
    order = sa.func.row_number().over(
        partition_by=[topic.c.contact_id, topic.c.channel, topic.c.topic],
        order_by=[about.c.at.desc(), about.c.id.desc()],
    )
    ranked = (
        sa.select(*topic.c, about.c.granted, about.c.at, about.c.expires_at, about.c.id.label("consent_id"))
        .add_columns(order.label("place"))
        .join_from(topic, about, _same(topic, about) & about.c.topic.in_([topic.c.topic, ""]))
        .subquery("ranked")
    )
    return sa.select(*(column for column in ranked.c if column.name != "place")).where(ranked.c.place == 1)


def _same(a: sa.FromClause, b: sa.FromClause) -> sa.ColumnElement[bool]:
    return (a.c.contact_id == b.c.contact_id) & (a.c.channel == b.c.channel)


def live(db: sa.Connection, contact_id: int, at: datetime) -> dict[tuple[str, str], bool]:
    """Return the contact's answer at the instant *at* per (channel, topic). An expired yes is a no."""
    row = permission.c
    valid = row.granted & (row.expires_at.is_(None) | (row.expires_at > at))
    ask = sa.select(row.channel, row.topic, valid.label("valid"))
    ask = ask.where(row.contact_id == contact_id, row.topic != "").order_by(row.channel, row.topic)
    return {(channel, topic): bool(yes) for channel, topic, yes in db.execute(ask)}


def channels(db: sa.Connection, contact_id: int) -> list[str]:
    """Return the channels on which the contact has an address or has said yes or no."""
    tables = (address, permission)
    ask = sa.union(*(sa.select(t.c.channel).where(t.c.contact_id == contact_id) for t in tables))
    return sorted(db.scalars(ask))


def _upsert(db: sa.Connection, table: sa.Table, key: list[str], rows: sa.Select[Any]) -> Any:
    names = [column.name for column in rows.selected_columns]
    statement = insert(db, table).from_select(names, rows.where(sa.true()))
    changed = {name: statement.excluded[name] for name in names if name not in key}
    return statement.on_conflict_do_update(
        index_elements=key, set_=changed, where=table.c.consent_id != statement.excluded.consent_id
    )
