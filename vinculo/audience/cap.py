"""How many messages a contact has had, or may still get, in a rolling window around the hour of this one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from vinculo import consent
from vinculo.audience.part import Part
from vinculo.db.tables import delivery, occurrence, preference
from vinculo.model import CampaignKind, DeliveryState, Occurrence
from vinculo.project.schema import Campaign, Cap, Policy

#: What a contact has had, or may still get.
COUNTED = (
    *(DeliveryState.PLANNED, DeliveryState.CLAIMED, DeliveryState.SUBMITTING),
    *(DeliveryState.ACCEPTED, DeliveryState.DEFERRED, DeliveryState.IN_DOUBT),
)
_DAY = timedelta(days=1) // timedelta(microseconds=1)


def full(
    campaign: Campaign, policy: Policy, date: Occurrence, asked: sa.CTE, part: Part, *, few: bool
) -> list[sa.Select[Any]]:
    """Questions for those who have had, or wait for, as many messages as a cap of the policy, or a wish, allows.

    In the rolling window of each cap, and of the contact's own wish: before its hour, and after it, for what waits for
    a later hour is sent without being asked again. `service` is exempt. *asked* has `contact_id`, `channel`, `due_at`
    and `reason`; who is left out for a reason is not asked for. One pass over the past, whatever the number of caps.
    """
    if campaign.kind == CampaignKind.SERVICE:
        return []
    ours, kinds = concerning(campaign, policy), _kinds()
    past = _past(date, asked, kinds, part)
    return [*([_capped(ours, asked, kinds, past)] if ours else []), _wished(asked, past, few=few)]


def _past(date: Occurrence, asked: sa.CTE, kinds: sa.CTE, part: Part) -> sa.Select[Any]:
    """What each contact has had, or may still get."""
    a, d = asked.c, delivery.c
    return (
        sa.select(a.contact_id)
        .join_from(asked, delivery, sa.and_(d.contact_id == a.contact_id, part.about(d.contact_id)))
        .join(kinds, sa.and_(kinds.c.campaign == d.campaign, kinds.c.occurrence == d.occurrence))
        .where(a.reason == "", d.state.in_(COUNTED))
        .where(sa.or_(d.campaign != date.campaign, d.occurrence != date.key))
        .correlate(None)
    )


def _capped(ours: list[tuple[int, Cap]], asked: sa.CTE, kinds: sa.CTE, past: sa.Select[Any]) -> sa.Select[Any]:
    a, when, due = asked.c, _at(delivery.c.due_at), _at(asked.c.due_at)
    longest = sa.literal(max(_window(cap) for _, cap in ours), sa.BigInteger)
    reached = []
    for _, cap in ours:
        enough = _count(_counts(cap, when, due, kinds.c.kind)) >= cap.at_most
        reached.append(sa.and_(enough, a.channel.in_(cap.channels)) if cap.channels else enough)
    return past.where(_near(when, due, longest)).group_by(a.contact_id, a.channel).having(sa.or_(*reached))


def _wished(asked: sa.CTE, past: sa.Select[Any], *, few: bool) -> sa.Select[Any]:
    a, wish, p = asked.c, _wishes(), preference.c
    inside = _near(_at(delivery.c.due_at), _at(a.due_at), wish.c.days * _DAY)
    if not few:  # those who wish for something, before each is looked up
        past = past.where(a.contact_id.in_(sa.select(p.contact_id).where(p.name == "frequency")))
    past = past.join(wish, wish.c.contact_id == a.contact_id).where(inside)
    return past.group_by(a.contact_id, wish.c.number).having(sa.func.count() >= wish.c.number)


def _at(instant: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    return sa.type_coerce(instant, sa.BigInteger)


def _near(
    when: sa.ColumnElement[int], due: sa.ColumnElement[int], window: sa.ColumnElement[int]
) -> sa.ColumnElement[bool]:
    return sa.and_(when > due - window, when < due + window)


def concerning(campaign: Campaign, policy: Policy) -> list[tuple[int, Cap]]:
    """The caps of the policy that hold for a campaign of this kind, with their numbers."""
    return [(n, cap) for n, cap in enumerate(policy.caps) if not cap.kinds or campaign.kind in cap.kinds]


def _window(cap: Cap) -> int:
    return cap.within // timedelta(microseconds=1)


def _count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((condition, 1), else_=0))


def _counts(
    cap: Cap, when: sa.ColumnElement[int], due: sa.ColumnElement[int], kind: sa.ColumnElement[str]
) -> sa.ColumnElement[bool]:
    """Whether a delivery counts towards *cap*."""
    conditions = [_near(when, due, sa.literal(_window(cap), sa.BigInteger))]
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
