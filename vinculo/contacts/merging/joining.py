"""Joining two contacts that are one person, and noting all that it takes to part them again."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from vinculo import consent, facts, history
from vinculo.consent import Consent
from vinculo.contacts.belongings import BELONGINGS, Belonging
from vinculo.contacts.merging import wishes
from vinculo.contacts.past import OPEN, call_off, had_by, selves
from vinculo.contacts.turn import take_turn
from vinculo.db.tables import address, alias, contact, delivery, merging, micros, permission
from vinculo.db.tables import consent as consents
from vinculo.errors import UsageError
from vinculo.history import Interaction
from vinculo.model import DeliveryState, Direction, EventKind

#: What fills a gap of the contact that stays, and is taken out again when the two are parted.
FILLED = (
    *("given_name", "family_name", "language", "language_from", "country", "country_from", "timezone", "timezone_from"),
    *("region", "city", "birthdate", "birthday", "owner", "source"),
)
#: An answer that is inferred fills a gap together with what it was inferred from.
_TOGETHER = {f"{name}_from": name for name in ("language", "country", "timezone")} | {"birthday": "birthdate"}
#: The reason of a delivery that is called off, and the source of what a merge records.
MERGED = "merged"
#: Handed over, and nobody knows what became of it.
_UNKNOWN = (DeliveryState.SUBMITTING, DeliveryState.IN_DOUBT)
#: A row by the names of its columns.
Row = dict[str, Any]


def merge(db: sa.Connection, kept: int, joined: int, now: datetime, reason: str = "") -> None:
    """Move everything of the contact *joined* to *kept*; its key and its id lead to *kept* from now on.

    Of two answers about consent the stricter holds, and of two pauses the longer. Where both have a fact, *kept*'s
    stays. A delivery of an occurrence that both were to get stays with *joined*'s empty row, cancelled if it had not
    gone out; if it had, *kept*'s is: the person has it. What had no answer and was to be sent again is in doubt.
    `part` undoes it. Raises `UsageError` for a contact merged with itself or erased.
    """
    from vinculo import ledger  # brings the project along, which the process that reads an import has no use for

    ledger.plan_without(db, kept, joined)  # who plans meanwhile would leave a row of one who is nobody any more
    take_turn(db)
    mine, theirs = _both(db, kept, joined)
    contradicted = _contradicted(db, kept, joined)
    called_off, places = _open_deliveries(db, kept, joined), _places(db, joined)
    _addresses_last(db, kept, joined)
    call_off(db, joined, MERGED, now, delivery.c.lost_at.is_not(None))  # to its provider it would be *kept*'s, and new
    had = had_by(selves(db, joined))
    call_off(db, kept, MERGED, now, had)
    late = _try_no_more(db, kept, had)
    moved = _move(db, CONSENTS, kept, joined)
    noes = _say_no(db, kept, contradicted, now)
    consent.refresh(db, [kept, joined])  # before deliveries move, which rest on it
    moved |= {name: rows for each in _REST for name, rows in _move(db, each, kept, joined).items()}
    wished = wishes.join(db, kept, joined)
    dropped = {name: rows for each in _LEFT for name, rows in _put_away(db, each, joined).items()}
    call_off(db, joined, MERGED, now)
    filled = _fill(db, mine, theirs, now)
    facts.renew(db, [kept, joined])
    db.execute(sa.insert(alias), [{"key": key, "contact_id": kept} for key in (theirs["key"], f"#{joined}")])
    # Not by its key: should the two be parted, nothing of one may stand in the other's history.
    history.record(db, [Interaction(kept, now, Direction.IN, EventKind.MERGED, summary=f"#{joined}", source="merge")])
    before: Row = {"contact": {"kept": packed(mine), "joined": packed(theirs), "filled": packed(filled)}}
    before |= {"moved": moved, "dropped": dropped, "delivery": called_off, "address": places, "noes": noes}
    before |= {"newest": _newest(db, kept), "wishes": wished, "late": late}
    told = {"contact_id": kept, "joined_id": joined, "at": now, "reason": reason, "before": before}
    db.execute(sa.insert(merging).values(told))


def _both(db: sa.Connection, kept: int, joined: int) -> tuple[Row, Row]:
    if kept == joined:
        raise UsageError(
            "A contact cannot be merged with itself", "Name two different contacts.", phrase="merge_itself"
        )
    # Two merges at once, of which one would take what the other has just given, wait for each other.
    ask = sa.select(contact).where(contact.c.id.in_([kept, joined])).order_by(contact.c.id).with_for_update()
    rows: dict[int, Row] = {row["id"]: dict(row) for row in db.execute(ask).mappings()}
    if any(row["erased_at"] for row in rows.values()):
        raise UsageError(
            "An erased contact cannot be merged", "Name two contacts that are there.", phrase="merge_erased"
        )
    return rows[kept], rows[joined]


# ── consent ──────────────────────────────────────────────────────────────────────────────────────────────────────
_Answers = dict[tuple[str, str], bool]


def _contradicted(db: sa.Connection, kept: int, joined: int) -> list[tuple[str, str]]:
    """Return the (channel, topic) to which one of the two says yes and the other no."""
    mine, theirs = _answers(db, kept), _answers(db, joined)
    said = ((about, _answer(mine, about), _answer(theirs, about)) for about in sorted(mine.keys() | theirs.keys()))
    return [about for about, one, other in said if about[1] and {one, other} == {True, False}]


def _answers(db: sa.Connection, contact_id: int) -> _Answers:
    row = permission.c
    ask = sa.select(row.channel, row.topic, row.granted).where(row.contact_id == contact_id)
    return {(channel, topic): bool(granted) for channel, topic, granted in db.execute(ask)}


def _answer(answers: _Answers, about: tuple[str, str]) -> bool | None:
    return answers.get(about, answers.get((about[0], "")))


def _say_no(db: sa.Connection, kept: int, contradicted: list[tuple[str, str]], now: datetime) -> list[int]:
    """Record a no, newer than either answer, so that it stays the live one; return the ids of the rows."""
    c, newest = consents.c, _newest(db, kept)
    ask = sa.select(c.channel, sa.func.max(c.at)).where(c.contact_id == kept).group_by(c.channel)
    at = {channel: max(last, now) for channel, last in db.execute(ask)}  # a clock that was ahead may have dated one
    rows = [Consent(kept, *about, granted=False, at=at[about[0]], source=MERGED) for about in contradicted]
    consent.record_many(db, rows)
    return list(db.scalars(sa.select(c.id).where(c.contact_id == kept, c.id > newest)))


def _newest(db: sa.Connection, contact_id: int) -> int:
    """Return the number of the contact's newest consent."""
    c = consents.c
    return db.scalar(sa.select(sa.func.max(c.id)).where(c.contact_id == contact_id)) or 0


def _try_no_more(db: sa.Connection, kept: int, had: sa.ColumnElement[bool]) -> list[list[Any]]:
    """Let what is being handed over to *kept* of what it *had* expire: should it come back, it is not sent again.

    So with what is in doubt: its worker may live, and hear that it never left. Return its id, and when it would have
    expired.
    """
    d = delivery.c
    out = sa.select(d.id, d.expires_at).where(d.contact_id == kept, d.state.in_(_UNKNOWN), had)
    rows = [[number, micros(at)] for number, at in db.execute(out.order_by(d.id))]
    db.execute(sa.update(delivery).where(d.id.in_([number for number, _ in rows])).values(expires_at=0))
    return rows


# ── rows that change as they move ────────────────────────────────────────────────────────────────────────────────
def _open_deliveries(db: sa.Connection, *contact_ids: int) -> list[list[Any]]:
    """Return id and state of what has not gone out, and does not go out meanwhile: some of it will be called off.

    What is out or in doubt is held, too: an answer, or a person, might let it wait again behind our back.
    """
    d = delivery.c
    ask = sa.select(d.id, d.state, d.reason).where(d.contact_id.in_(contact_ids), d.state.in_([*OPEN, *_UNKNOWN]))
    rows = db.execute(ask.order_by(d.id).with_for_update()).all()
    return [list(row) for row in rows if row.state in OPEN]


def _places(db: sa.Connection, joined: int) -> list[list[int]]:
    ask = sa.select(address.c.id, address.c.position).where(address.c.contact_id == joined)
    return [list(row) for row in db.execute(ask)]


def _addresses_last(db: sa.Connection, kept: int, joined: int) -> None:
    after = sa.select(sa.func.coalesce(sa.func.max(address.c.position) + 1, 0)).where(address.c.contact_id == kept)
    places = address.c.position + (db.scalar(after) or 0)
    db.execute(sa.update(address).where(address.c.contact_id == joined).values(position=places))


# ── rows that move ───────────────────────────────────────────────────────────────────────────────────────────────
#: Consents move before all else: deliveries rest on them.
CONSENTS = next(each for each in BELONGINGS if each.table is consents)
_REST = [each for each in BELONGINGS if each.moves and each is not CONSENTS]
#: What does not move of these tables is put away.
_LEFT = [each for each in BELONGINGS if not each.stays and not each.derived]


def _move(db: sa.Connection, each: Belonging, kept: int, joined: int) -> dict[str, list[list[Any]]]:
    """Move the rows that can, and return their keys under the table's name."""
    table, which = each.table, each.of(joined)
    if each.distinct:
        other = table.alias("other")
        same = sa.and_(*(other.c[name] == table.c[name] for name in each.distinct))
        which &= ~sa.exists().where(other.c.contact_id == kept, same)
    ask = sa.select(*(table.c[name] for name in each.key)).where(which)
    keys = [[_plain(value) for value in row] for row in db.execute(ask)]
    if keys:
        db.execute(sa.update(table).where(which).values(contact_id=kept))
    return {table.name: keys} if keys else {}


def _put_away(db: sa.Connection, each: Belonging, joined: int) -> dict[str, list[Row]]:
    """Delete what did not move, and return it under the table's name."""
    rows = [packed(dict(row)) for row in db.execute(sa.select(each.table).where(each.of(joined))).mappings()]
    if rows:
        db.execute(sa.delete(each.table).where(each.of(joined)))
    return {each.table.name: rows} if rows else {}


# ── the contacts themselves ──────────────────────────────────────────────────────────────────────────────────────
def _fill(db: sa.Connection, kept: Row, joined: Row, now: datetime) -> Row:
    """Fill the gaps of *kept*, empty *joined*'s row, and return what *kept* has now."""
    values = {n: joined[n] if not kept[_TOGETHER.get(n, n)] else kept[n] for n in FILLED}
    values["traits"] = {**(joined["traits"] or {}), **(kept["traits"] or {})}
    values["first_seen"] = min(kept["first_seen"], joined["first_seen"])
    values["updated_at"] = now
    db.execute(sa.update(contact).where(contact.c.id == kept["id"]).values(values))
    empty: Row = dict.fromkeys(FILLED, "") | {"birthdate": None, "traits": {}}
    gone = {"key": f"merged-{joined['id']}", "erased_at": now, "updated_at": now}
    db.execute(sa.update(contact).where(contact.c.id == joined["id"]).values(empty | gone))
    return values


def packed(row: Row) -> Row:
    """Return *row* as JSON has it: instants as the database's numbers, dates as texts."""
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return micros(value)
    return value.isoformat() if isinstance(value, date) else value
