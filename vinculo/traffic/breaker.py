"""Too many complaints or hard bounces pause a campaign until a person resumes it.

Whoever learns of one counts it (`count`: one cheap statement); a worker judges before it claims (`judge`). Since what
was sent only grows, a number of setbacks that is not too many now says from how many on it can be: only then are the
deliveries counted again.
"""

from __future__ import annotations

from datetime import datetime
from math import floor
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from vinculo import ledger
from vinculo.db.insert import insert
from vinculo.db.statement import Statement
from vinculo.db.tables import delivery, setback
from vinculo.model import DeliveryState
from vinculo.project.schema import Breakers

Setback = Literal["bounced", "complained"]
BOUNCED: Setback = "bounced"
COMPLAINED: Setback = "complained"
S = setback.c


class Tripped(NamedTuple):
    """A campaign that was paused, and why."""

    campaign: str
    reason: str


def count(db: sa.Connection, campaign: str, occurrence: str, kind: Setback, number: int = 1) -> None:
    """Note that *number* of those who got *occurrence* bounced or complained."""
    statement = insert(db, setback)
    upsert = statement.on_conflict_do_update(
        index_elements=["campaign", "occurrence"], set_={kind: S[kind] + statement.excluded[kind]}
    )
    db.execute(upsert, {"campaign": campaign, "occurrence": occurrence, kind: number})


def judge(db: sa.Connection, breakers: Breakers, now: datetime) -> list[Tripped]:
    """Pause every campaign of which an occurrence has had too many setbacks; return them. Cheap when there are none.

    After it, the same occurrence is judged by what comes then: `vinculo resume` is not undone by what was known.
    """
    return [tripped for row in _DUE(db).all() if (tripped := _judge_one(db, row, breakers, now))]


def _due() -> sa.Select[Any]:
    due = sa.select(setback).where(sa.or_(S.bounced >= S.bounced_look, S.complained >= S.complained_look))
    return due.order_by(S.campaign, S.occurrence).with_for_update(skip_locked=True)


_DUE = Statement(_due)


def _judge_one(db: sa.Connection, row: sa.Row[Any], breakers: Breakers, now: datetime) -> Tripped | None:
    sent = _sent(db, row.campaign, row.occurrence)
    fresh = sent - row.sent_before
    found = [
        (row.complained - row.complained_before, breakers.complaints, "complained"),
        (row.bounced - row.bounced_before, breakers.bounces, "bounced hard"),
    ]
    reasons = [_words(number, fresh, percent, word) for number, percent, word in found if _over(number, fresh, percent)]
    if fresh < breakers.after or not reasons:
        _look_again(db, row, max(fresh, breakers.after), breakers)
        return None
    reason = f"{row.occurrence}: {' and '.join(reasons)}"
    ledger.pause(db, row.campaign, now, reason)
    _begin_anew(db, row, sent, breakers)
    return Tripped(row.campaign, reason)


def _sent(db: sa.Connection, campaign: str, occurrence: str) -> int:
    """How many deliveries had a final answer of a provider."""
    d = delivery.c
    refused = sa.and_(d.state == DeliveryState.REJECTED, d.reason == "bad_address")
    ours = d.campaign == campaign, d.occurrence == occurrence
    answered = sa.select(sa.func.count()).where(*ours, sa.or_(d.state == DeliveryState.ACCEPTED, refused))
    return int(db.scalar(answered) or 0)


def _over(number: int, sent: int, percent: float) -> bool:
    return number * 100 > percent * sent


def _words(number: int, sent: int, percent: float, word: str) -> str:
    return f"{number:,} of {sent:,} {word}, more than {percent:g} %"


def _look_again(db: sa.Connection, row: sa.Row[Any], sent: int, breakers: Breakers) -> None:
    """Judge again when there are as many setbacks as would be too many of *sent*."""
    _write(db, row, {
        "bounced_look": row.bounced_before + floor(breakers.bounces * sent / 100) + 1,
        "complained_look": row.complained_before + floor(breakers.complaints * sent / 100) + 1,
    })  # fmt: skip


def _begin_anew(db: sa.Connection, row: sa.Row[Any], sent: int, breakers: Breakers) -> None:
    before = {"bounced_before": row.bounced, "complained_before": row.complained, "sent_before": sent}
    looks = {
        "bounced_look": row.bounced + floor(breakers.bounces * breakers.after / 100) + 1,
        "complained_look": row.complained + floor(breakers.complaints * breakers.after / 100) + 1,
    }
    _write(db, row, before | looks)


def _write(db: sa.Connection, row: sa.Row[Any], values: dict[str, int]) -> None:
    ours = S.campaign == row.campaign, S.occurrence == row.occurrence
    db.execute(sa.update(setback).where(*ours).values(values))
