"""Parting two contacts that were joined by mistake: each has again what it had, and what came since stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from vinculo import consent, facts, history
from vinculo.consent import Consent
from vinculo.contacts.belongings import BELONGINGS, Belonging
from vinculo.contacts.merging import wishes
from vinculo.contacts.merging.joining import CONSENTS, FILLED, MERGED
from vinculo.contacts.past import OPEN, call_off
from vinculo.contacts.store import find
from vinculo.db.bulk import chunks
from vinculo.db.tables import address, alias, contact, delivery, merging, micros, occurrence, permission
from vinculo.db.tables import consent as consents
from vinculo.errors import NotFound, UsageError
from vinculo.history import Interaction
from vinculo.model import DeliveryState, Direction, EventKind

_CLAIMED, _PLANNED, _OVER = "claimed", "planned", ("finished", "cancelled")


def part(db: sa.Connection, key: str, now: datetime, reason: str = "") -> tuple[int, int]:
    """Take the contact that *key* named out of the one that it became part of; return the ids of both, that one first.

    Addresses, identifiers, tags, consents, history, deliveries, points, journeys, scores and traits are as they were
    before. What came since stays with the one that stayed; a no and a pause that came since hold for both, for
    whichever of the two asked. Only the last merge of a contact can be undone, then the one before. Raises `NotFound`,
    `UsageError`.
    """
    row = _last(db, key)
    kept, joined, before = row.contact_id, row.joined_id, row.before
    _part_consents(db, before, kept, joined, row.at)  # before deliveries move, which rest on them
    _give_back(db, before, kept, joined)
    # Handed over without an answer under *kept*'s key: to its provider it would be new.
    call_off(db, joined, MERGED, now, delivery.c.lost_at >= row.at)
    if "wishes" in before:  # a merge of an earlier version moved the rows themselves
        wishes.part(db, before["wishes"], kept, joined)
    _rest_again(db, kept, joined)
    _lapse(db, now, kept, joined)
    db.execute(sa.delete(alias).where(alias.c.key.in_([before["contact"]["joined"]["key"], f"#{joined}"])))
    _restore_contacts(db, before["contact"], kept, joined)
    facts.renew(db, [kept, joined])
    # What was needed to part them is their data, too: it goes.
    done = {"undone_at": now, "undone_reason": reason, "before": {}}
    db.execute(sa.update(merging).where(merging.c.id == row.id).values(done))
    note = Interaction(kept, now, Direction.IN, EventKind.PARTED, summary=f"#{joined}", source="merge")
    history.record(db, [note])
    return kept, joined


# ── which merge? ─────────────────────────────────────────────────────────────────────────────────────────────────
def _last(db: sa.Connection, key: str) -> Any:
    kept = find(db, key)
    ask = sa.select(merging).where(merging.c.contact_id == kept, merging.c.undone_at.is_(None))
    rows = db.execute(ask.order_by(merging.c.id.desc())).all() if kept is not None else []
    if not rows:
        raise NotFound(
            f"`{key}` is not part of another contact",
            f"`vinculo contacts show {key}` lists what was merged.",
            phrase="part_nothing",
            key=key,
        )
    names = [{f"#{row.joined_id}", row.before["contact"]["joined"]["key"]} for row in rows if row.before]
    if not names:
        remedy = "Nothing needs to be done."
        raise UsageError("The contact was erased: there is nothing to part", remedy, phrase="part_erased")
    if key.strip() in names[0]:
        return rows[0]
    if any(key.strip() in each for each in names):
        raise UsageError(
            f"#{rows[0].joined_id} became part of #{kept} later than `{key}`",
            f"Part that first: `vinculo contacts unmerge '#{rows[0].joined_id}'`.",
            phrase="part_later",
            first=rows[0].joined_id,
        )
    shown = ", ".join(f"`#{row.joined_id}`" for row in rows)
    remedy = f"Say which to take out of it: {shown}."
    raise UsageError(f"`{key}` is the contact that stayed, #{kept}", remedy, phrase="part_stayed", key=key, shown=shown)


# ── consent ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _part_consents(db: sa.Connection, before: Mapping[str, Any], kept: int, joined: int, merged_at: datetime) -> None:
    db.execute(sa.delete(permission).where(permission.c.contact_id.in_([kept, joined])))  # it names consents that go
    db.execute(sa.delete(consents).where(consents.c.id.in_(before["noes"])))
    for keys in chunks(before["moved"].get(CONSENTS.table.name, ())):
        _move_back(db, CONSENTS, keys, kept, joined)
    since = _noes_since(db, kept, merged_at, before.get("newest"))
    consent.record_many(db, [replace(each, contact_id=joined, source="parted") for each in since])
    consent.refresh(db, [kept, joined])


def _noes_since(db: sa.Connection, kept: int, merged_at: datetime, newest: int | None) -> list[Consent]:
    """Return the withdrawals that came after the merge: nobody knows which of the two persons spoke.

    Also those told since of a day before it, as an import may; *newest*: the last consent that the merge saw.
    """
    c = consents.c
    since = c.at >= merged_at if newest is None else (c.at >= merged_at) | (c.id > newest)
    ask = sa.select(
        c.contact_id, c.channel, c.topic, c.granted, c.at, c.source, c.legal_basis, c.text_hash, c.expires_at
    )
    ask = ask.where(c.contact_id == kept, ~c.granted, since, c.source != MERGED).order_by(c.id)
    return [Consent(*row) for row in db.execute(ask)]


# ── rows that go back ────────────────────────────────────────────────────────────────────────────────────────────
def _give_back(db: sa.Connection, before: Mapping[str, Any], kept: int, joined: int) -> None:
    for each in (one for one in BELONGINGS if one is not CONSENTS):
        name = each.table.name
        for keys in chunks(before["moved"].get(name, ())):
            _move_back(db, each, keys, kept, joined)
        _put_back(db, each.table, before["dropped"].get(name, ()))
    for number, place in before["address"]:
        mine = (address.c.id == number) & (address.c.contact_id == joined)
        db.execute(sa.update(address).where(mine).values(position=place))
    for number, state, reason in before["delivery"]:
        _reopen(db, number, state, reason)
    for number, expires_at in before.get("late", ()):  # an earlier version did not keep it
        _try_again(db, number, expires_at)


def _move_back(db: sa.Connection, each: Belonging, keys: list[list[Any]], kept: int, joined: int) -> None:
    """Move those rows that are still there; what a keeper of data has cleared away since stays away."""
    columns = [each.table.c[name] for name in each.key]
    if len(columns) == 1:
        named = columns[0].in_([key for (key,) in keys])
    else:
        named = sa.tuple_(*columns).in_([tuple(key) for key in keys])
    db.execute(sa.update(each.table).where(each.of(kept), named).values(contact_id=joined))


def _put_back(db: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert what was put away, under its old number unless another row has that by now."""
    taken: set[int] = set()
    if "id" in table.c and rows:
        ask = sa.select(table.c.id).where(table.c.id.in_([row["id"] for row in rows]))
        if table is address and db.dialect.name == "postgresql":  # has no index of them: they tell apart a contact's
            ask = ask.where(table.c.contact_id.in_({row["contact_id"] for row in rows}))
        taken = set(db.scalars(ask))
    for row in (_unpacked(table, each) for each in rows):
        db.execute(sa.insert(table), {n: v for n, v in row.items() if n != "id" or v not in taken})


def _reopen(db: sa.Connection, number: int, state: str, reason: str) -> None:
    """Open a delivery again that the merge called off, unless its occurrence is over. Its fence stays where it is:
    who held it then finds its claim void, now as before.
    """
    d = delivery.c
    again = _PLANNED if state == _CLAIMED else state
    called_off = (d.id == number) & (d.reason == MERGED) & ~_over()
    values = {"state": again, "reason": reason, "settled_at": None}
    db.execute(sa.update(delivery).where(called_off, d.state.in_(["cancelled", "in_doubt"])).values(values))


def _try_again(db: sa.Connection, number: int, expires_at: int) -> None:
    """Let a delivery that was being handed over when they were joined expire when it would have; what came back since
    waits again, unless its occurrence is over.
    """
    d = delivery.c
    here = (d.id == number) & (d.expires_at == 0)
    again = {"state": _PLANNED, "reason": "", "settled_at": None}
    db.execute(sa.update(delivery).where(here, d.state == DeliveryState.EXPIRED, ~_over()).values(again))
    db.execute(sa.update(delivery).where(here).values(expires_at=expires_at))


def _over() -> sa.ColumnElement[bool]:
    """Whether a delivery's occurrence is over."""
    d, o = delivery.c, occurrence.c
    return sa.exists().where(o.campaign == d.campaign, o.occurrence == d.occurrence, o.state.in_(_OVER))


def _rest_again(db: sa.Connection, *contact_ids: int) -> None:
    """Let deliveries that wait rest on the consents that hold now: the stricter answer of the two let them lapse.

    So do others that lapsed because the answers were taken away to be worked out again, see `_part_consents`.
    """
    d, p = delivery.c, permission.c
    waits = d.state.in_(OPEN)
    resting = d.contact_id.in_(contact_ids) & (d.basis == "consent") & (waits | (d.lapses_at == _ended()))
    mine = sa.and_(p.contact_id == d.contact_id, p.channel == d.channel, p.topic == d.topic, p.granted)
    mine &= p.expires_at.is_(None) | d.submitted_at.is_(None) | (d.submitted_at < p.expires_at)
    live = {n: sa.select(p[n]).where(mine).correlate(delivery).scalar_subquery() for n in ("consent_id", "expires_at")}
    named = sa.case((waits, live["consent_id"]), else_=d.consent_id)
    values = {"consent_id": named, "lapses_at": live["expires_at"]}
    db.execute(sa.update(delivery).where(resting, sa.exists().where(mine).correlate(delivery)).values(values))


def _ended() -> sa.ColumnElement[Any]:
    """When a row lapses whose answer is gone: at once, or when it was handed over."""
    return sa.func.coalesce(sa.type_coerce(delivery.c.submitted_at, sa.BigInteger) + 1, 0)


def _lapse(db: sa.Connection, now: datetime, *contact_ids: int) -> None:
    """Let what was planned since lapse where its consent was the other's: the trigger sees answers that change, and
    not one that went with its owner.
    """
    d, p = delivery.c, permission.c
    resting = d.contact_id.in_(contact_ids) & d.state.in_(OPEN) & (d.basis == "consent")
    resting &= d.lapses_at.is_(None) | (d.lapses_at > now)
    yes = sa.exists().where(p.contact_id == d.contact_id, p.channel == d.channel, p.topic == d.topic, p.granted)
    db.execute(sa.update(delivery).where(resting, ~yes).values(lapses_at=_ended()))


def _unpacked(table: sa.Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as it was before `packed`. Instants may stay numbers."""
    return {
        name: date.fromisoformat(value) if value and isinstance(table.c[name].type, sa.Date) else value
        for name, value in row.items()
    }


# ── the contacts themselves ──────────────────────────────────────────────────────────────────────────────────────
def _restore_contacts(db: sa.Connection, before: Mapping[str, Mapping[str, Any]], kept: int, joined: int) -> None:
    twin = sa.select(contact.c.id).where(contact.c.key == before["joined"]["key"])
    if db.scalar(twin) is not None:
        remedy = "Merge that one, or give it another key."
        raise UsageError("Another contact has taken the key since", remedy, phrase="part_taken")
    db.execute(sa.update(contact).where(contact.c.id == joined).values(_unpacked(contact, before["joined"])))
    now = dict(db.execute(sa.select(contact).where(contact.c.id == kept)).mappings().one())
    was, filled = _unpacked(contact, before["kept"]), _unpacked(contact, before["filled"])
    values = {name: was[name] for name in FILLED if now[name] == filled[name]}
    for name in ("first_seen", "updated_at"):
        values |= {name: was[name]} if micros(now[name]) == filled[name] else {}
    values["traits"] = {
        name: value
        for name, value in (now["traits"] or {}).items()
        if name in was["traits"] or name not in filled["traits"] or value != filled["traits"][name]
    }
    db.execute(sa.update(contact).where(contact.c.id == kept).values(values))
