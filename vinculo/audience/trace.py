"""Why a contact gets a message or not: each rule of the audience in its order, what it found, and the numbers.

The verdict is `allocate`'s own, asked for one contact. What stands beside it is looked up for that contact alone, by
its indexes: it takes the same time whatever else is in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from vinculo import consent
from vinculo.audience.allocation import GLOBAL_HOLDOUT, sharers, verdict
from vinculo.audience.cap import COUNTED, concerning
from vinculo.audience.hour import quiet_of
from vinculo.audience.reach import tier_of
from vinculo.db.tables import address, contact, conversation, delivery, occurrence, permission, score, suppression
from vinculo.ledger import serves
from vinculo.model import CampaignKind, Moment, Occurrence, SkipReason
from vinculo.project import Project
from vinculo.project.schema import Campaign
from vinculo.segment import bucket_of, explain_contact

#: A rule that was not asked, because an earlier one had decided.
PASSED, STOPPED, UNASKED = "passed", "stopped", "not asked"


@dataclass(frozen=True, slots=True)
class Step:
    """One rule: its name (a reason of `SkipReason`, `segment` or `route`), its outcome, words and numbers."""

    rule: str
    outcome: str
    words: str
    numbers: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trace:
    """What the audience decides for a contact at a moment. *state* "": not in the segment."""

    at: datetime
    occurrence: str
    state: str
    reason: str
    channel: str
    due_at: datetime | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The question."""

    db: sa.Connection
    project: Project
    campaign: Campaign
    date: Occurrence
    moment: Moment
    contact_id: int
    #: What the contact wishes, by name.
    wishes: Mapping[str, str]

    @property
    def service(self) -> bool:
        return self.campaign.kind == CampaignKind.SERVICE


def trace(  # noqa: PLR0913 - what `verdict` needs
    db: sa.Connection, project: Project, campaign: Campaign, date: Occurrence, moment: Moment, contact_id: int, *,
    zones: Mapping[str, datetime],
) -> Trace:  # fmt: skip
    """Ask every rule of the audience about one contact at *moment*; *zones* as for `allocate`."""
    asked = _Asked(db, project, campaign, date, moment, contact_id, consent.preferences(db, contact_id))
    row = verdict(db, project, campaign, date, moment, contact_id, zones=zones)
    state, reason = (row.state, row.reason) if row else ("", "segment")
    steps = tuple(_in_order(_rules(asked, row), reason))
    due = row.due_at if row else None
    return Trace(moment.now, date.key, state, reason if row else "", row.channel if row else "", due, steps)


def _in_order(found: Iterator[tuple[str, str, Mapping[str, Any]]], reason: str) -> Iterator[Step]:
    """Give each rule its outcome: those before the one that decided have passed, those after it were not asked."""
    decided = False
    for rule, words, numbers in found:
        outcome = UNASKED if decided else STOPPED if rule == reason else PASSED
        decided = decided or rule == reason
        yield Step(rule, outcome, words, numbers)


def _rules(asked: _Asked, row: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    yield _segment(asked)
    if row is None:
        return
    yield _excluded(asked)
    yield from _addresses(asked)
    yield _paused(asked, row.due_at)
    yield _reproach(asked)
    yield _holdout(asked)
    yield _duplicate(asked, row)
    yield _caps(asked, row.due_at)
    yield _late(asked, row)
    yield _quiet(asked, row)


# ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _holds(asked: _Asked, segment: str) -> bool:
    return explain_contact(asked.db, asked.project.segments, segment, asked.moment, asked.contact_id)[0].holds


def _segment(asked: _Asked) -> tuple[str, str, Mapping[str, Any]]:
    name = asked.campaign.segment
    inside = _holds(asked, name)
    words = f"is {'' if inside else 'not '}in the segment `{name}`"
    return "segment", words, {"segment": name, "inside": inside}


def _excluded(asked: _Asked) -> tuple[str, str, Mapping[str, Any]]:
    inside = [name for name in asked.campaign.exclude if _holds(asked, name)]
    words = f"is in {', '.join(inside)}" if inside else f"is in none of {len(asked.campaign.exclude)} excluded segments"
    return SkipReason.EXCLUDED.value, words, {"excluded": asked.campaign.exclude, "inside": inside}


# ── where ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _addresses(asked: _Asked) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """How many addresses each of the four questions leaves, and on what the message would rest."""
    campaign = asked.campaign
    told = _reached(asked)
    yield SkipReason.NO_ADDRESS.value, _many(told, "on the campaign's channels"), {"addresses": len(told)}
    free = [one for one in told if one.suppressed is None]
    gone = {one.channel: one.suppressed for one in told if one.suppressed}
    yield SkipReason.SUPPRESSED.value, _many(free, "not suppressed"), {"left": len(free), "suppressed": gone}
    answers = _answers(asked)
    live = consent.live(asked.db, asked.contact_id, asked.moment.now)
    if serves(campaign):
        refused = [c for (c, topic), one in answers.items() if topic in {campaign.topic, ""} and not one["granted"]]
        yield SkipReason.NO_CONSENT.value, "needs no consent, unless it was refused", {"refused": sorted(set(refused))}
        allowed = free
    else:
        allowed = [one for one in free if live.get((one.channel, campaign.topic))]
        said = {channel: one for (channel, topic), one in answers.items() if topic == campaign.topic}
        yield SkipReason.NO_CONSENT.value, _many(allowed, f"with a live yes to `{campaign.topic}`"), {"answers": said}
    yield _route(asked, allowed)


def _reached(asked: _Asked) -> list[Any]:
    a, s = address.c, suppression.c
    listed = sa.and_(s.channel == a.channel, s.address_hash == a.hash)
    query = sa.select(a.channel, a.position, s.reason.label("suppressed")).outerjoin_from(address, suppression, listed)
    ours = query.where(a.contact_id == asked.contact_id, a.channel.in_(asked.campaign.channels))
    return list(asked.db.execute(ours.order_by(a.position, a.id)))


def _answers(asked: _Asked) -> dict[tuple[str, str], dict[str, Any]]:
    p = permission.c
    query = sa.select(p.channel, p.topic, p.granted, p.at, p.expires_at, p.consent_id)
    rows = asked.db.execute(query.where(p.contact_id == asked.contact_id))
    return {
        (row.channel, row.topic): {
            "granted": bool(row.granted), "at": row.at, "expires_at": row.expires_at, "consent": row.consent_id,
        }
        for row in rows
    }  # fmt: skip


def _route(asked: _Asked, allowed: list[Any]) -> tuple[str, str, Mapping[str, Any]]:
    """Which channel it is to be, and what it costs."""
    routing, wish = asked.project.policy.routing, asked.wishes.get("channel", "")
    if routing is None or serves(asked.campaign):
        words = "no costs are weighed: the preferred channel, else the first of the campaign's"
        return SkipReason.TOO_COSTLY.value, words, {"preferred": wish}
    row = asked.db.execute(sa.select(score).where(score.c.contact_id == asked.contact_id)).mappings().first()
    tier = tier_of(routing, dict(row or {}), asked.project.settings.company.currency)
    costs = {one.channel: str(routing.cost(one.channel)) for one in allowed}
    paid = [one for one in allowed if routing.pays(tier, one.channel)]
    words = _many(paid, f"that the tier `{tier.name}` pays for" if tier else "that contacts in no tier are worth")
    return SkipReason.TOO_COSTLY.value, words, {"tier": tier.name if tier else "", "costs": costs, "preferred": wish}


def _many(found: list[Any], what: str) -> str:
    return f"{len(found)} address{'' if len(found) == 1 else 'es'} {what}"


# ── whether now ──────────────────────────────────────────────────────────────────────────────────────────────────
def _paused(asked: _Asked, due_at: datetime) -> tuple[str, str, Mapping[str, Any]]:
    until = asked.wishes.get("pause_until", "")
    words = f"asked for a pause until {until}" if until else "asked for no pause"
    return SkipReason.PAUSED.value, words, {"pause_until": until, "due_at": due_at}


def _reproach(asked: _Asked) -> tuple[str, str, Mapping[str, Any]]:
    c = conversation.c
    mine = c.contact_id == asked.contact_id, c.state.in_(["open", "waiting"]), c.negative
    number = asked.db.scalar(sa.select(sa.func.count()).select_from(conversation).where(*mine)) or 0
    words = f"{number} reproaches wait for us" if number else "no reproach waits for us"
    return SkipReason.REPROACH.value, words, {"open": number}


def _holdout(asked: _Asked) -> tuple[str, str, Mapping[str, Any]]:
    everywhere = 0.0 if asked.service else asked.project.policy.holdout
    salts = {GLOBAL_HOLDOUT: everywhere, f"{GLOBAL_HOLDOUT}/{asked.campaign.name}": asked.campaign.holdout}
    drawn = {
        salt: {"drawn": round(100 * bucket_of(asked.contact_id, salt), 3), "below": share}
        for salt, share in salts.items()
        if share
    }
    words = ", ".join(f"drew {one['drawn']} of 100, left out below {one['below']:g}" for one in drawn.values())
    return SkipReason.HOLDOUT.value, words or "nobody is held out", drawn


def _duplicate(asked: _Asked, row: Any) -> tuple[str, str, Mapping[str, Any]]:
    others = sorted(sharers(asked.db, asked.contact_id, [row.channel]))
    words = f"shares its address with {', '.join(f'#{one}' for one in others)}" if others else "shares it with nobody"
    return SkipReason.DUPLICATE_ADDRESS.value, words, {"others": others}


def _caps(asked: _Asked, due_at: datetime) -> tuple[str, str, Mapping[str, Any]]:
    """How many messages count in each window, beside how many may."""
    if asked.service:
        return SkipReason.FREQUENCY_CAP.value, "service messages are exempt", {}
    wish = asked.wishes.get("frequency", "")
    windows = [(f"policy {n + 1}", c.at_most, c.within, c) for n, c in concerning(asked.campaign, asked.project.policy)]
    longest = max([timedelta(0), *(within for _, _, within, _ in windows)])
    allowed = _wished(wish)
    had = _had(asked, due_at, max(longest, timedelta(days=allowed[1]) if allowed else longest))
    counted = []
    for name, at_most, within, cap in windows:
        number = sum(
            abs(row.due_at - due_at) < within
            and (not cap.channels or row.channel in cap.channels)
            and (not cap.kinds or row.kind in cap.kinds)
            for row in had
        )
        counted.append({"rule": name, "had": number, "at_most": at_most, "days": within / timedelta(days=1)})
    if allowed:
        number = sum(abs(row.due_at - due_at) < timedelta(days=allowed[1]) for row in had)
        counted.append({"rule": "own wish", "had": number, "at_most": allowed[0], "days": float(allowed[1])})
    words = "; ".join(f"{one['rule']}: {one['had']} of {one['at_most']} in {one['days']:g} days" for one in counted)
    return SkipReason.FREQUENCY_CAP.value, words or "there is no cap", {"caps": counted}


def _wished(wish: str) -> tuple[int, int] | None:
    from vinculo.errors import UsageError

    try:
        return consent.often(wish) if wish else None
    except UsageError:  # a wish of another form holds nobody back
        return None


def _had(asked: _Asked, due_at: datetime, within: timedelta) -> list[Any]:
    d, o = delivery.c, occurrence.c
    kind = o.definition["kind"].as_string()
    query = (
        sa.select(d.due_at, d.channel, kind.label("kind"))
        .join_from(delivery, occurrence, sa.and_(o.campaign == d.campaign, o.occurrence == d.occurrence))
        .where(d.contact_id == asked.contact_id, d.due_at > due_at - within, d.due_at < due_at + within)
        .where(d.state.in_(COUNTED), kind != CampaignKind.SERVICE.value)
        .where(sa.or_(d.campaign != asked.date.campaign, d.occurrence != asked.date.key))
    )
    return list(asked.db.execute(query))


def _late(asked: _Asked, row: Any) -> tuple[str, str, Mapping[str, Any]]:
    within = asked.campaign.late.within
    words = f"due {row.due_at:%Y-%m-%d %H:%M} UTC, {asked.campaign.late.else_} after {within}"
    return SkipReason.MISSED.value, words, {"due_at": row.due_at, "within_minutes": within / timedelta(minutes=1)}


def _quiet(asked: _Asked, row: Any) -> tuple[str, str, Mapping[str, Any]]:
    rules = [f"{one.from_}-{one.to}" for one in quiet_of(asked.project.policy, row.channel)]
    c = contact.c
    place = asked.db.execute(sa.select(c.timezone, c.country).where(c.id == asked.contact_id)).one()
    where = place.timezone or (f"anywhere in {place.country}" if place.country else "wherever our contacts live")
    words = f"quiet {', '.join(rules)} in {where}; goes out {row.due_at:%Y-%m-%d %H:%M} UTC" if rules else "none"
    return SkipReason.QUIET_HOURS.value, words, {"quiet": rules, "where": where, "expires_at": row.expires_at}
