"""The audience of an occurrence as one SELECT: exactly one row for each contact of the segment.

Three layers, so that each question sees only those whom the earlier ones left in: what concerns the contact alone, then
who else has the address, then how much the contact has had. The reasons are asked in the order of `SkipReason`.

What holds of a part of the contacts is asked for all of them at once (`IN (SELECT …)`, a set that is made once), and
not of each: a look-up costs as much as all that is done with its answer. Of a *few* contacts it is looked up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo.audience.cap import full
from vinculo.audience.hour import Clocks, clocks
from vinculo.audience.part import Part
from vinculo.audience.reach import COSTLY, SUPPRESSED, UNCONSENTED, UNREACHED, Members, alone, belonging, reach
from vinculo.db.tables import address, contact, conversation, preference
from vinculo.ledger import serves
from vinculo.model import CampaignKind, DeliveryState, Moment, Occurrence, SkipReason
from vinculo.project import Project
from vinculo.project.schema import Campaign, Variant
from vinculo.segment import bucket, compile_segment
from vinculo.segment.compile.person import Unindexed

#: Who shares an address with more than so many is no person of its own.
_NEAR = 100
#: The salt of the holdout that is the same in every campaign.
GLOBAL_HOLDOUT = "holdout"


def allocate(  # noqa: PLR0913 - what is planned, as of when, for whom and where they live
    project: Project, campaign: Campaign, occurrence: Occurrence, moment: Moment, *,
    zones: Mapping[str, datetime], lands: Collection[str] = (), members: sa.Select[Any] | None = None,
    part: Part | None = None,
) -> sa.Select[Any]:  # fmt: skip
    """Return a row for each contact of *campaign*'s segment, or of *members*, with the columns of `ledger.plan`.

    *zones*: when each zone's contacts are due; contacts of another zone, or of none, have the company's. *lands*: the
    countries of those without a zone, whose quiet hours their country decides (see `vinculo.audience.hour`). *part*:
    only these contacts.
    """
    part = part or Part()
    who = members if members is not None else compile_segment(project.segments, campaign.segment, moment)
    if part.held is not None:
        who = sa.select(contact.c.id.label("contact_id")).where(part.held, *belonging(who))
    asked = _asked(project, campaign, moment, who, zones, lands, part=part, few=members is not None)
    return _judged(project, campaign, occurrence, asked, part, few=members is not None)


def verdict(  # noqa: PLR0913 - what `allocate` needs, and whom it is about
    db: sa.Connection, project: Project, campaign: Campaign, occurrence: Occurrence, moment: Moment, contact_id: int, *,
    zones: Mapping[str, datetime],
) -> sa.Row[Any] | None:  # fmt: skip
    """The row that `allocate` has for one contact at *moment*; None: not in the segment.

    Asked of those alone who have an address in common with it, who decide with it whether it is the second of them.
    """
    near = {contact_id, *sharers(db, contact_id, campaign.channels)}
    whole = compile_segment(project.segments, campaign.segment, moment)
    members = sa.select(contact.c.id.label("contact_id")).where(contact.c.id.in_(sorted(near)), *belonging(whole))
    lands = list(db.scalars(sa.select(contact.c.country).where(contact.c.id == contact_id)))
    rows = allocate(project, campaign, occurrence, moment, zones=zones, lands=lands, members=members)
    return next((row for row in db.execute(rows) if row.contact_id == contact_id), None)


def sharers(db: sa.Connection, contact_id: int, channels: Sequence[str]) -> set[int]:
    """Contacts that have an address on *channels* in common with this one."""
    a = address.c
    mine = sa.select(a.channel, a.value).where(a.contact_id == contact_id, a.channel.in_(channels))
    theirs = sa.select(a.contact_id).where(a.contact_id != contact_id).limit(_NEAR)
    # One by one: each is a look-up in an index, and a join need not be.
    return {
        who
        for row in db.execute(mine).all()
        for who in db.scalars(theirs.where(a.channel == row.channel, a.value == row.value))
    }


# ── first layer: the contact alone ───────────────────────────────────────────────────────────────────────────────
def _asked(  # noqa: PLR0913 - what `allocate` is asked
    project: Project,
    campaign: Campaign,
    moment: Moment,
    members: Members,
    zones: Mapping[str, datetime],
    lands: Collection[str],
    *,
    part: Part,
    few: bool,
) -> sa.CTE:
    """Each contact with its best address, its hour, and the first reason that concerns it alone."""
    company = project.settings.company
    told = clocks(campaign, project.policy, moment, zones=zones, lands=lands, home=company.timezone)
    plain, sets = _excluded(project, campaign, moment, members, few=few)
    best = reach(
        *(campaign, project.policy.routing, members, moment),
        clocks=told, currency=company.currency, excluded=plain, part=part, few=few,
    )  # fmt: skip
    reasons = [
        *((held, SkipReason.EXCLUDED) for held in (best.c.excluded, *map(best.c.contact_id.in_, sets))),
        (best.c.obstacle == UNREACHED, SkipReason.NO_ADDRESS),
        (best.c.obstacle == SUPPRESSED, SkipReason.SUPPRESSED),
        (best.c.obstacle == UNCONSENTED, SkipReason.NO_CONSENT),
        (best.c.obstacle == COSTLY, SkipReason.TOO_COSTLY),
        (_paused(campaign, best, told, few=few), SkipReason.PAUSED),
        (_reproachful(campaign, best, few=few), SkipReason.REPROACH),
        (_held_out(project, campaign, best), SkipReason.HOLDOUT),
    ]
    return sa.select(
        best.c.contact_id,
        *(best.c.channel, best.c.address, best.c.consent_id, best.c.lapses_at),
        *(told.at(best.c.hour, name).label(name) for name in ("due_at", "expires_at")),
        told.at(best.c.hour, "reason").label("hour_reason"),
        sa.case(*((held, reason.value) for held, reason in reasons), else_="").label("reason"),
    ).cte("asked")


def _excluded(
    project: Project, campaign: Campaign, moment: Moment, members: Members, *, few: bool
) -> tuple[sa.ColumnElement[bool], list[Members]]:
    """What the segments that the campaign excludes ask of the contact's own row, and the contacts of the others.

    The former is asked where the row is read anyway; of the latter, those alone who are among a *few*.
    """
    plain: list[sa.ColumnElement[bool]] = [sa.false()]
    sets: list[Members] = []
    for name in campaign.exclude:
        one = compile_segment(project.segments, name, moment)
        held = sa.and_(*belonging(one))
        if alone(one):
            plain.append(held)
        else:
            sets.append(sa.select(contact.c.id).where(contact.c.id.in_(members), held) if few else one)
    return sa.or_(*plain), sets


def _paused(campaign: Campaign, best: sa.Subquery, told: Clocks, *, few: bool) -> sa.ColumnElement[bool]:
    """Whether the contact's pause lasts beyond its hour. What it needs to know anyway is exempt."""
    if campaign.kind == CampaignKind.SERVICE:
        return sa.false()
    p = preference.c
    due = told.at(best.c.hour, "due_text")
    lasts = sa.exists().where(p.contact_id == best.c.contact_id, p.name == "pause_until", p.value > due)
    first = min(hour.due_text for hour in told.hours)
    anybody = sa.select(p.contact_id).where(p.name == "pause_until", p.value > first)
    return lasts if few else sa.and_(best.c.contact_id.in_(anybody), lasts)


def _reproachful(campaign: Campaign, best: sa.Subquery, *, few: bool) -> sa.ColumnElement[bool]:
    """Whether the contact's negative feedback waits for us: until it is dealt with, nobody sells it anything."""
    if campaign.kind != CampaignKind.PROMOTION:
        return sa.false()
    c = conversation.c
    waits = c.state.in_(["open", "waiting"]), c.negative
    if few:
        return sa.exists().where(c.contact_id == best.c.contact_id, *waits)
    return best.c.contact_id.in_(sa.select(c.contact_id).where(*waits))


def _held_out(project: Project, campaign: Campaign, best: sa.Subquery) -> sa.ColumnElement[bool]:
    """Whether the contact is left out to measure: of every campaign but `service`, or of this one."""
    everywhere = 0.0 if campaign.kind == CampaignKind.SERVICE else project.policy.holdout
    shares = {GLOBAL_HOLDOUT: everywhere, f"{GLOBAL_HOLDOUT}/{campaign.name}": campaign.holdout}
    return sa.or_(
        sa.false(),
        *(bucket(best.c.contact_id, salt) < share / 100 for salt, share in shares.items() if share),
    )


# ── second and third layer: the others, and the past ─────────────────────────────────────────────────────────────
def _judged(
    project: Project, campaign: Campaign, occurrence: Occurrence, asked: sa.CTE, part: Part, *, few: bool
) -> sa.Select[Any]:
    a = asked.c
    near = few or part.shares is True
    second = [] if part.shares is False else [a.contact_id.in_(_second(campaign, asked, few=near))]
    reasons = [
        (a.reason != "", a.reason),
        *((those, SkipReason.DUPLICATE_ADDRESS.value) for those in second),
        *(
            (a.contact_id.in_(those), SkipReason.FREQUENCY_CAP.value)
            for those in full(campaign, project.policy, occurrence, asked, part, few=few)
        ),
    ]
    judged = sa.select(*a, sa.case(*reasons, else_=a.hour_reason).label("why"))
    # OFFSET, so that the databases work the reason out once, and not anew for each column that depends on it.
    return _columns(campaign, judged.offset(sa.literal_column("0")).subquery("judged"))


def _second(campaign: Campaign, asked: sa.CTE, *, few: bool) -> sa.Select[Any]:
    """Those who share their address with a contact of a lower number that gets the message.

    Only addresses that several contacts have are looked at: to sort a million by theirs would cost more than all else.
    For a *few*, to look through all addresses would.
    """
    a = asked.c
    if few:
        place = sa.func.row_number().over(partition_by=[a.channel, a.address], order_by=a.contact_id)
        ranked = sa.select(a.contact_id, place.label("place")).where(a.reason == "")
    else:
        shared = shared_addresses(campaign.channels)
        place = sa.func.row_number().over(partition_by=[shared.c.channel, shared.c.value], order_by=a.contact_id)
        here = sa.and_(a.channel == shared.c.channel, a.address == shared.c.value, a.reason == "")
        # An outer join, so that SQLite begins with what is shared: there may be nothing.
        ranked = sa.select(a.contact_id, place.label("place")).select_from(shared.outerjoin(asked, here))
    numbered = ranked.subquery("numbered")
    return sa.select(numbered.c.contact_id).where(numbered.c.place > 1)


def shared_addresses(channels: Sequence[str]) -> sa.Subquery:
    """The addresses on *channels* that several contacts have: `channel` and `value`."""
    return sa.union_all(*map(_shared, dict.fromkeys(channels))).subquery("shared")


def _shared(channel: str) -> sa.Select[Any]:
    known = address.c
    # An expression, as what it is compared with: SQLite searches by no column that it would have to convert.
    value = Unindexed(known.value).label("value")
    values = sa.select(sa.literal(channel, sa.Text).label("channel"), value).where(known.channel == channel)
    return values.group_by(known.value).having(sa.func.count() > 1)


def _columns(campaign: Campaign, judged: sa.Subquery) -> sa.Select[Any]:
    """The ledger's columns; address and variant only of those who get a message."""
    j = judged.c
    gets_it = j.why == ""
    return sa.select(
        j.contact_id,
        sa.case((gets_it, DeliveryState.PLANNED.value), else_=DeliveryState.SKIPPED.value).label("state"),
        j.why.label("reason"),
        j.channel,
        sa.case((gets_it, j.address), else_="").label("address"),
        sa.case((gets_it, _variant(campaign, j.contact_id)), else_="").label("variant"),
        j.due_at,
        j.expires_at,
        sa.literal(campaign.priority).label("priority"),
        sa.literal(campaign.topic).label("topic"),
        sa.case((gets_it, "service" if serves(campaign) else "consent"), else_="").label("basis"),
        sa.case((gets_it, j.consent_id)).label("consent_id"),
        sa.case((gets_it, j.lapses_at)).label("lapses_at"),
    )


def _variant(campaign: Campaign, contact_id: sa.ColumnElement[int]) -> sa.ColumnElement[str]:
    if not campaign.variants:
        return sa.literal("")
    number = bucket(contact_id, f"variant/{campaign.name}")
    *first, (last, _) = shares(campaign.variants)
    return sa.case(*((number < share, name) for name, share in first), else_=last) if first else sa.literal(last)


def shares(variants: Mapping[str, Variant]) -> list[tuple[str, float]]:
    """Each variant with the end of its part of [0, 1). Those without a share divide what the others leave."""
    given = sum(one.share for one in variants.values() if one.share is not None)
    silent = [name for name, one in variants.items() if one.share is None]
    rest = max(0.0, 100 - given) / len(silent) if silent else 0.0
    parts = {name: rest if one.share is None else one.share for name, one in variants.items()}
    total, end, ends = sum(parts.values()) or 1.0, 0.0, []
    for name, part in parts.items():
        end += part / total
        ends.append((name, end))
    return ends
