"""From an allocation to rows, and from no open row to a finished occurrence."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo.db.insert import insert
from vinculo.db.relay import Rows
from vinculo.db.tables import control, delivery, occurrence, permission
from vinculo.errors import NotFound
from vinculo.ledger.permission import serves
from vinculo.ledger.row import OPEN, TOO_LATE, WAITING, D, change, doubted, ended, free, scope, waiting
from vinculo.model import DeliveryState, Occurrence, SkipReason
from vinculo.project.schema import Campaign

#: The name of a lock of PostgreSQL; any number that nobody else uses. The first half of a contact's.
_PLANNING, _CONTACT = 0x76696E63756C6F, 0x76696E63
#: What PostgreSQL may use of memory for each sort and each set.
_ROOM = "256MB"
#: What an allocation says of each contact, in the ledger's columns.
ALLOCATED = (
    *("contact_id", "state", "reason", "channel", "address"),
    *("variant", "due_at", "expires_at", "priority", "topic"),
)
#: On what each row rests, see `vinculo.db.rules`. An allocation may leave it to the ledger.
RESTS_ON = ("basis", "consent_id", "lapses_at")


def plan_alone(db: sa.Connection) -> None:
    """Wait until no other transaction plans: a frequency cap must see what the others have planned.

    On SQLite one transaction writes at a time anyway.
    """
    if db.dialect.name == "postgresql":
        db.execute(sa.select(sa.func.pg_advisory_xact_lock(_PLANNING)))


def plan_for(db: sa.Connection, contact_id: int) -> None:
    """As `plan_alone`, for who plans for one contact: it waits only for who erases or merges that one, and they for it.

    A page that asks or answers a contact must not wait until a campaign of a million is planned. Ask before the address
    is looked up.
    """
    _hold(db, sa.func.pg_advisory_xact_lock_shared, contact_id)


def plan_without(db: sa.Connection, *contact_ids: int) -> None:
    """Wait until nobody plans, for all or for *contact_ids*, who are to go: a row made meanwhile would stay open."""
    plan_alone(db)
    for number in sorted(contact_ids):
        _hold(db, sa.func.pg_advisory_xact_lock, number)


def _hold(db: sa.Connection, lock: Any, contact_id: int) -> None:
    if db.dialect.name == "postgresql":
        db.execute(sa.select(lock(_CONTACT, sa.cast(contact_id % 2**31, sa.Integer))))


def plan(  # noqa: PLR0913 - what, for whom, and two ways of planning it
    db: sa.Connection, campaign: Campaign, occurrence: Occurrence,
    allocation: sa.Select[Any] | Iterable[sa.Select[Any] | Rows], now: datetime, *,
    held: bool = False, joining: bool = False,
) -> int:  # fmt: skip
    """Give every contact of *allocation* its row; return how many are new.

    An allocation may come in parts, and those of an occurrence that nobody has planned as rows (see `entries`).

    The audience of an occurrence is fixed when it is first planned: planning it again changes nothing and returns 0,
    also when two processes plan at once. *joining*: newcomers get their row later, as in a journey, and the occurrence
    is open again. *held*: nothing is claimed before `approve`.
    """
    made = _open(db, campaign, occurrence, now, held=held)
    if not made and not joining:
        return 0
    # Of an occurrence that nobody had planned nothing can be there, nor need be looked for. SQLAlchemy keeps the text
    # of such a statement for the next occurrence, as it does of none with ON CONFLICT.
    statement = sa.insert(delivery) if made else insert(db, delivery).on_conflict_do_nothing()
    _prepare(db)
    parts = [allocation] if isinstance(allocation, sa.Select) else allocation
    count = sum(
        part.enter(db) if isinstance(part, Rows) else _entered(db, _filled(statement, campaign, occurrence, part))
        for part in parts
    )
    if made and not count:
        _forget(db, campaign.name, occurrence.key)
    elif made:
        _date(db, campaign.name, occurrence.key)
    elif count:
        _reopen(db, campaign.name, occurrence.key)
    if standing(db, campaign.name) == "cancelled":
        cancel_occurrence(db, campaign.name, occurrence.key, now, "the campaign is cancelled")
    return count


def _filled(statement: Any, campaign: Campaign, date: Occurrence, allocation: sa.Select[Any]) -> sa.Insert:
    rows = entries(campaign, date, allocation)
    # An audience's contacts come in order, and would be sorted all the same.
    if "basis" not in allocation.selected_columns:
        rows = rows.order_by("contact_id")
    rows = rows.where(sa.true())  # else SQLite takes ON CONFLICT for a join's
    filled: sa.Insert = statement.from_select(list(rows.selected_columns.keys()), rows)
    return filled


def entries(campaign: Campaign, date: Occurrence, allocation: sa.Select[Any]) -> sa.Select[Any]:
    """The rows of *allocation*, each with what it rests on, by the names of the ledger's columns.

    Where the allocation does not say so, a contact without a live answer is left out: the database would refuse it.
    """
    a = allocation.subquery("allocation")
    place = sa.literal(campaign.name).label("campaign"), sa.literal(date.key).label("occurrence")
    if "basis" in a.c:
        return sa.select(*place, *(a.c[name] for name in (*ALLOCATED, *RESTS_ON)))
    skipped, said = a.c.state == DeliveryState.SKIPPED.value, permission.c
    if serves(campaign):
        basis: sa.ColumnElement[str] = sa.case((skipped, ""), else_="service")
        rests: tuple[sa.ColumnElement[Any], ...] = (basis, sa.null(), sa.null())
        named = (each.label(name) for name, each in zip(RESTS_ON, rests, strict=True))
        return sa.select(*place, *(a.c[name] for name in ALLOCATED), *named)
    here = sa.and_(said.contact_id == a.c.contact_id, said.channel == a.c.channel, said.topic == a.c.topic)
    gets_it = sa.and_(sa.not_(skipped), said.consent_id.is_not(None))
    columns = {name: a.c[name] for name in ALLOCATED} | {
        "state": sa.case((gets_it, a.c.state), else_=DeliveryState.SKIPPED.value),
        "reason": sa.case((gets_it, a.c.reason), (skipped, a.c.reason), else_=SkipReason.NO_CONSENT.value),
    }
    rests_on = (
        sa.case((gets_it, "consent"), else_=""),
        sa.case((gets_it, said.consent_id)),
        sa.case((gets_it, said.expires_at)),
    )
    columns |= dict(zip(RESTS_ON, rests_on, strict=True))
    joined = sa.select(*place, *(each.label(name) for name, each in columns.items())).select_from(a)
    return joined.outerjoin(permission, sa.and_(here, said.granted))


def _prepare(db: sa.Connection) -> None:
    """On PostgreSQL, until the transaction ends: who says no while rows are worked out is left out, see `db.rules`.

    And there is memory: what is asked of a million contacts at once is no good from a disk.
    """
    if db.dialect.name == "postgresql":
        roomy = sa.func.pg_size_bytes(sa.func.current_setting("work_mem")) >= sa.func.pg_size_bytes(_ROOM)
        more = sa.case((sa.not_(roomy), sa.func.set_config("work_mem", _ROOM, sa.true())))
        db.execute(sa.select(sa.func.set_config("vinculo.plans", "yes", sa.true()), more))


def _entered(db: sa.Connection, statement: sa.Insert) -> int:
    """Run *statement*; return how many rows it made."""
    if db.dialect.name == "postgresql":
        return db.execute(statement, execution_options={"preserve_rowcount": True}).rowcount
    db.execute(statement)
    return db.scalar(sa.select(sa.func.changes())) or 0  # Python's sqlite3 does not count WITH … INSERT


def _forget(db: sa.Connection, campaign: str, name: str) -> None:
    """Take back an occurrence for nobody: kept, it would be finished, and close the door to who is imported next."""
    o = occurrence.c
    db.execute(sa.delete(occurrence).where(o.campaign == campaign, o.occurrence == name))


def _reopen(db: sa.Connection, campaign: str, name: str) -> None:
    o = occurrence.c
    finished = sa.and_(o.campaign == campaign, o.occurrence == name, o.state == "finished")
    db.execute(sa.update(occurrence).where(finished).values(state="open", finished_at=None))


def _open(db: sa.Connection, campaign: Campaign, date: Occurrence, now: datetime, *, held: bool) -> bool:
    """Make the occurrence's row; false when it is there already."""
    row = {
        "campaign": campaign.name,
        "occurrence": date.key,
        "state": "held" if held else "open",
        "due_at": now,  # until the rows are there, see `_date`
        "planned_at": now,
        "definition": campaign.model_dump(mode="json", by_alias=True),
    }
    made = insert(db, occurrence).values(row).on_conflict_do_nothing().returning(occurrence.c.campaign)
    return db.execute(made).first() is not None


def _date(db: sa.Connection, campaign: str, name: str) -> None:
    """Date the occurrence by the first of its rows that wait, which their index names; of all, where none waits."""
    o = occurrence.c
    first = sa.select(sa.func.min(D.due_at)).where(*scope(campaign, name))
    dates = first.where(waiting()).scalar_subquery(), first.scalar_subquery(), o.due_at
    row = sa.and_(o.campaign == campaign, o.occurrence == name)
    db.execute(sa.update(occurrence).where(row).values(due_at=sa.func.coalesce(*dates)))


def standing(db: sa.Connection, campaign: str) -> str:
    """Whether *campaign* is `paused` or `cancelled`; "" when it is neither."""
    return db.scalar(sa.select(control.c.state).where(control.c.campaign == campaign)) or ""


def approve(db: sa.Connection, campaign: str, occurrence: str, by: str, now: datetime) -> None:
    """Let a held occurrence go out. Approving it again changes nothing; raises `NotFound` unless it was planned."""
    del now  # the approval has no time of its own: the rows keep theirs
    _decide(db, campaign, occurrence, state="open", by=by)


def reject(db: sa.Connection, campaign: str, occurrence: str, by: str, now: datetime) -> None:
    """Do not let an occurrence go out: what was not handed over is cancelled. Raises `NotFound` unless planned."""
    _decide(db, campaign, occurrence, state="cancelled", by=by)
    cancel_occurrence(db, campaign, occurrence, now, f"rejected by {by}")


def _decide(db: sa.Connection, campaign: str, name: str, *, state: str, by: str) -> None:
    o = occurrence.c
    row = sa.and_(o.campaign == campaign, o.occurrence == name)
    if db.scalar(sa.select(o.state).where(row)) is None:
        raise NotFound(f"`{campaign}` has no planned occurrence `{name}`", "`vinculo plan` lists the occurrences.")
    db.execute(sa.update(occurrence).where(row, o.state == "held").values(state=state, approved_by=by))


def cancel_occurrence(db: sa.Connection, campaign: str, name: str, now: datetime, reason: str) -> int:
    """Cancel what was not handed over of an occurrence ("": of all); return how many rows.

    What is being handed over at this moment is settled by its worker.
    """
    o = occurrence.c
    ours = [o.campaign == campaign, *([o.occurrence == name] if name else [])]
    db.execute(sa.update(occurrence).where(*ours, o.state.in_(["held", "open"])).values(state="cancelled"))
    rows = *scope(campaign, name), D.state.in_((*WAITING, DeliveryState.CLAIMED))
    if db.dialect.name == "postgresql":
        # Locked in the order in which whoever sends them locks them; also what may wait again before it is looked for.
        open_rows = *scope(campaign, name), D.state.in_(OPEN)
        locked = sa.select(D.id).where(*open_rows).order_by(D.id).with_for_update().subquery()
        db.execute(sa.select(sa.func.count()).select_from(locked))
    cancelled = ended(DeliveryState.CANCELLED, now) | {"reason": "", "response": reason}
    return db.execute(sa.update(delivery).where(*rows).values(cancelled)).rowcount


def finish(db: sa.Connection, campaign: str, name: str, now: datetime) -> bool:
    """Expire what is too old, and mark the occurrence finished unless a row of it is open. True: it is finished."""
    o = occurrence.c
    ours = scope(campaign, name)
    late = free(*ours, waiting(), D.expires_at <= now)
    db.execute(change(late, **ended(DeliveryState.EXPIRED, now), reason=TOO_LATE))
    row = sa.and_(o.campaign == campaign, o.occurrence == name)
    # Locked before the rows are looked at: who joins meanwhile finds it finished, and opens it again.
    state = db.scalar(sa.select(o.state).where(row).with_for_update())
    if state == "cancelled":
        cancel_occurrence(db, campaign, name, now, "cancelled")  # what came back from a provider since
    if state != "open" or _is_open(db, ours):
        return state == "finished"
    db.execute(sa.update(occurrence).where(row, o.state == "open").values(state="finished", finished_at=now))
    return True


def _is_open(db: sa.Connection, ours: list[sa.ColumnElement[bool]]) -> bool:
    """Whether a row keeps an occurrence open: waiting, held or in doubt, each with an index of those rows alone.

    One statement: between two of them a row might go from one kind to another, and be seen as neither (PostgreSQL).
    """
    kinds = waiting(), D.lease_until.is_not(None), doubted()
    return bool(db.scalar(sa.select(sa.or_(*(sa.exists().where(*ours, kind) for kind in kinds)))))
