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


def had(campaign: Campaign, policy: Policy, date: Occurrence, asked: sa.CTE) -> sa.Subquery | None:
    """How many messages each contact has had before its hour: `cap_0` … for the policy's caps, `wished` of `wish`.

    In the rolling window of each cap, and of the contact's own wish; a message counts up to the very hour at which the
    next is due. None: `service` is exempt. *asked* has `contact_id`, `due_at` and `reason`; who is left out for a
    reason is not asked for. One pass over the ledger, whatever the number of caps.
    """
    if campaign.kind == CampaignKind.SERVICE:
        return None
    a, d, wish, kinds = asked.c, delivery.c, _wishes(), _kinds()
    ours = concerning(campaign, policy)
    when, due = (sa.type_coerce(at, sa.BigInteger) for at in (d.due_at, a.due_at))
    longest = sa.literal(max((_window(cap) for _, cap in ours), default=0), sa.BigInteger)
    wished = sa.func.coalesce(wish.c.days * _DAY, 0)
    counts = [_count(_counts(cap, when, due, kinds.c.kind)).label(f"cap_{number}") for number, cap in ours]
    return (
        sa.select(a.contact_id, *counts, _count(when > due - wished).label("wished"), wish.c.number.label("wish"))
        .outerjoin_from(asked, wish, wish.c.contact_id == a.contact_id)
        .join(delivery, d.contact_id == a.contact_id)
        .join(kinds, sa.and_(kinds.c.campaign == d.campaign, kinds.c.occurrence == d.occurrence))
        .where(a.reason == "", d.state.in_(COUNTED), when <= due)
        .where(when > due - sa.case((wished > longest, wished), else_=longest))
        .where(sa.or_(d.campaign != date.campaign, d.occurrence != date.key))
        .group_by(a.contact_id, wish.c.number)
        .subquery("had")
    )


def concerning(campaign: Campaign, policy: Policy) -> list[tuple[int, Cap]]:
    """The caps of the policy that hold for a campaign of this kind, with their numbers."""
    return [(n, cap) for n, cap in enumerate(policy.caps) if not cap.kinds or campaign.kind in cap.kinds]


def over(campaign: Campaign, policy: Policy, before: sa.Subquery, channel: sa.ColumnElement[str]) -> Any:
    """Whether a contact has had as many as a cap or its own wish allows, on *channel*."""
    reached = [before.c.wished >= before.c.wish]
    for number, cap in concerning(campaign, policy):
        full = before.c[f"cap_{number}"] >= cap.at_most
        reached.append(sa.and_(full, channel.in_(cap.channels)) if cap.channels else full)
    return sa.or_(*reached)


def _window(cap: Cap) -> int:
    return cap.within // timedelta(microseconds=1)


def _count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((condition, 1), else_=0))


def _counts(
    cap: Cap, when: sa.ColumnElement[int], due: sa.ColumnElement[int], kind: sa.ColumnElement[str]
) -> sa.ColumnElement[bool]:
    """Whether a delivery counts towards *cap*."""
    conditions = [when > due - sa.literal(_window(cap), sa.BigInteger)]
    if cap.channels:
        conditions.append(delivery.c.channel.in_(cap.channels))
    if cap.kinds:
        conditions.append(kind.in_(cap.kinds))
    return sa.and_(*conditions)


def _kinds() -> sa.CTE:
    """The occurrences that count, with their kind: read once, and not anew for each delivery."""
    kind = occurrence.c.definition["kind"].as_string()
    known = sa.select(occurrence.c.campaign, occurrence.c.occurrence, kind.label("kind"))
    return known.where(kind != CampaignKind.SERVICE.value).cte("kinds").prefix_with("MATERIALIZED")


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
