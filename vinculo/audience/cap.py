"""How many messages a contact has had, or will have had, in a rolling window before this one is due."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from vinculo import consent
from vinculo.db.tables import delivery, occurrence, preference
from vinculo.model import CampaignKind, DeliveryState, Occurrence
from vinculo.project.schema import Campaign, Cap, Policy

#: What a contact has had, or may still get.
COUNTED = (
    *(DeliveryState.PLANNED, DeliveryState.CLAIMED, DeliveryState.SUBMITTING),
    *(DeliveryState.ACCEPTED, DeliveryState.DEFERRED, DeliveryState.IN_DOUBT),
)
_DAY = timedelta(days=1) // timedelta(microseconds=1)


def caps(campaign: Campaign, policy: Policy, date: Occurrence, asked: sa.CTE) -> list[tuple[sa.Subquery, list[str]]]:
    """For each cap that holds for *campaign*: the contacts it holds back, and on which channels ([]: on all).

    `service` is exempt. *asked* has `contact_id` and `due_at`.
    """
    if campaign.kind == CampaignKind.SERVICE:
        return []
    held_back = [
        (_over(cap, date, asked, number), list(cap.channels))
        for number, cap in enumerate(policy.caps)
        if not cap.kinds or campaign.kind in cap.kinds
    ]
    return [*held_back, (_over_wish(date, asked), [])]


def _over(cap: Cap, date: Occurrence, asked: sa.CTE, number: int) -> sa.Subquery:
    window = sa.literal(cap.within // timedelta(microseconds=1), sa.BigInteger)
    had = _had(date, asked, window)
    if cap.channels:
        had = had.where(delivery.c.channel.in_(cap.channels))
    kind = occurrence.c.definition["kind"].as_string()
    had = had.where(kind.in_(cap.kinds) if cap.kinds else kind != CampaignKind.SERVICE.value)
    query = had.group_by(asked.c.contact_id).having(sa.func.count() >= cap.at_most)
    return query.subquery(f"cap_{number}")


def _over_wish(date: Occurrence, asked: sa.CTE) -> sa.Subquery:
    """Those who have had as many as they said: `weekly`, `monthly` (30 days), `3 per 10 days`."""
    wish = _wishes()
    had = _had(date, asked, wish.c.days * _DAY).join(wish, wish.c.contact_id == asked.c.contact_id)
    had = had.where(occurrence.c.definition["kind"].as_string() != CampaignKind.SERVICE.value)
    over = sa.func.count() >= wish.c.number
    return had.group_by(asked.c.contact_id, wish.c.number).having(over).subquery("over_wish")


def _had(date: Occurrence, asked: sa.CTE, window: sa.ColumnElement[int]) -> sa.Select[Any]:
    """One row for each delivery of another occurrence in the *window* (microseconds) up to the contact's hour."""
    d, o = delivery.c, occurrence.c
    due = sa.type_coerce(asked.c.due_at, sa.BigInteger)
    when = sa.type_coerce(d.due_at, sa.BigInteger)
    return (
        sa.select(asked.c.contact_id)
        .join(delivery, d.contact_id == asked.c.contact_id)
        .join(occurrence, sa.and_(o.campaign == d.campaign, o.occurrence == d.occurrence))
        .where(d.state.in_(COUNTED), when > due - window, when <= due)
        .where(sa.or_(d.campaign != date.campaign, d.occurrence != date.key))
    )


def _wishes() -> sa.Subquery:
    """What contacts said of how often: `number` messages per `days`, as `consent.often` reads it, for all at once.

    A wish of another form holds nobody back.
    """
    p = preference.c
    numbers: list[Any] = [(p.value == word, number) for word, (number, _) in consent.FREQUENCIES.items()]
    days: list[Any] = [(p.value == word, days) for word, (_, days) in consent.FREQUENCIES.items()]
    for width in (1, 2, 3):  # the two databases have no common function that finds a text in a text
        form = p.value.regexp_match(f"^[1-9][0-9]{{{width - 1}}} per [1-9][0-9]{{0,2}} days?$")
        period = sa.func.substr(p.value, width + 6)
        period = sa.func.replace(sa.func.replace(period, " days", ""), " day", "")
        numbers.append((form, sa.cast(sa.func.substr(p.value, 1, width), sa.Integer)))
        days.append((form, sa.cast(period, sa.Integer)))
    columns = p.contact_id, sa.case(*numbers).label("number"), sa.cast(sa.case(*days), sa.BigInteger).label("days")
    return sa.select(*columns).where(p.name == "frequency").subquery("wish")
