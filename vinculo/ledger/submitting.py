"""The last check before a message can leave, in the statement that marks it as possibly sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo.db.statement import Change, Statement
from vinculo.db.tables import control, delivery, occurrence, permission
from vinculo.ledger.permission import consents, is_service, row_consents, row_reachable, row_rests
from vinculo.ledger.row import (
    TOO_LATE,
    Claim,
    D,
    controlled,
    fences,
    its_occurrence,
    lock,
    lost,
    ours,
    state_is,
    these_ours,
)
from vinculo.model import DeliveryState, SkipReason


def submit(db: sa.Connection, claims: Collection[Claim], now: datetime) -> set[int]:
    """Mark *claims* as being handed over; return the ids of those that may go. Commit before the first byte leaves.

    What pause, cancellation, consent, suppression or age forbid is settled here by what forbade it. A claim that is
    void, because its lease is over or another worker has the row, is not returned and nothing is changed for it.
    """
    gone: set[int] = set()
    lock(db, (claim.id for claim in claims))
    for (campaign, name, fence), ids in _alike(claims).items():
        gone |= _SUBMIT.of(db, ids, campaign=campaign, occurrence=name, fence=fence, now=now)
    if len(gone) < len(claims):
        refused = fences(claim for claim in claims if claim.id not in gone)
        _RENEW(db, given=refused, now=now)
        _REFUSE(db, given=refused, now=now)
    return gone


def _alike(claims: Iterable[Claim]) -> dict[tuple[str, str, int], list[int]]:
    """The ids by what one statement asks of all of them: nearly always there is one occurrence, and one fence."""
    found: dict[tuple[str, str, int], list[int]] = {}
    for claim in claims:
        campaign, name, _ = claim.key
        found.setdefault((campaign, name, claim.fence), []).append(claim.id)
    return found


#: When it is, and when a row was handed over before.
_NOW: Any = sa.bindparam("now", type_=D.expires_at.type)
_HANDED = sa.func.coalesce(D.submitted_at, _NOW)


def _submit() -> sa.Update:
    """For claims of one occurrence: what is the same for all of them is asked once."""
    o = occurrence.c
    campaign = sa.bindparam("campaign", type_=sa.Text)
    here = o.campaign == campaign, o.occurrence == sa.bindparam("occurrence", type_=sa.Text)
    kind: Any = sa.select(o.definition["kind"].as_string()).where(*here).scalar_subquery()
    may = (
        state_is(DeliveryState.CLAIMED), D.lease_until > _NOW, D.expires_at > _NOW,
        sa.exists().where(*here, o.state == "open"), ~sa.exists().where(control.c.campaign == campaign),
        row_reachable(), row_rests(consents(D.contact_id, D.channel, D.topic, is_service(kind, D.topic), _NOW), _NOW),
    )  # fmt: skip
    handed = {"state": DeliveryState.SUBMITTING, "submitted_at": _NOW, "attempts": D.attempts + 1}
    return sa.update(delivery).where(*these_ours(), *may).values(**handed)


def _renew() -> sa.Update:
    """Let what has lapsed rest on the yes that its contact has all the same; it is planned again, and asked once more.

    On PostgreSQL an answer that is being written does not see a row that comes back, or comes in, at that moment.
    """
    p = permission.c
    yes = sa.and_(p.contact_id == D.contact_id, p.channel == D.channel, p.topic == D.topic, p.granted)
    ends_later = sa.or_(p.expires_at.is_(None), sa.and_(p.expires_at > _NOW, p.expires_at > _HANDED))
    live = {name: sa.select(p[name]).where(yes, ends_later).scalar_subquery() for name in ("consent_id", "expires_at")}
    lapsed = D.basis == "consent", D.lapses_at <= _NOW, sa.exists().where(yes, ends_later)
    update = sa.update(delivery).where(*ours(), *_alive(), *lapsed)
    return update.values(consent_id=live["consent_id"], lapses_at=live["expires_at"])


def _alive() -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return state_is(DeliveryState.CLAIMED), D.lease_until > _NOW


def _refuse() -> sa.Update:
    """Settle what the last check refused, by the first of these that holds; else the row is free again.

    In doubt, with that reason, is what was handed over without an answer before.
    """
    causes = [
        (sa.or_(controlled("cancelled"), its_occurrence("cancelled")), DeliveryState.CANCELLED, ""),
        (sa.or_(controlled(), sa.not_(its_occurrence("open"))), DeliveryState.PLANNED, ""),
        (D.expires_at <= _NOW, DeliveryState.EXPIRED, TOO_LATE),
        (sa.not_(row_reachable()), DeliveryState.SKIPPED, SkipReason.SUPPRESSED.value),
        (sa.not_(row_consents(_NOW)), DeliveryState.SKIPPED, SkipReason.NO_CONSENT.value),
    ]
    found = sa.case(*((held, value.value) for held, value, _ in causes), else_=DeliveryState.PLANNED.value)
    reason = sa.case(*((held, why) for held, _, why in causes), else_="")
    free = found == DeliveryState.PLANNED.value
    state = sa.case((sa.and_(lost(), ~free), DeliveryState.IN_DOUBT.value), else_=found)
    settled = sa.case((sa.or_(lost(), free), sa.null()), else_=_NOW)
    values = {"state": state, "reason": reason, "settled_at": settled, "lease_until": None}
    return sa.update(delivery).where(*ours(), *_alive()).values(values)


_SUBMIT, _RENEW, _REFUSE = Change(_submit), Statement(_renew), Statement(_refuse)
