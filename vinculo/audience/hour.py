"""When a contact is due on each channel: quiet hours and lateness, worked out in Python, once for each clock.

A clock is what we know of where a contact lives: its zone; else its country, which may have several; else nothing. Who
may live in several zones is written to only where it is quiet hours in none of them: the most restrictive reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from vinculo.db import Instant
from vinculo.model import Moment, Occurrence, SkipReason
from vinculo.project.schema import Campaign, Policy, QuietHours
from vinculo.schedule import countries, instant, known_zone, zone_of

_WEEK = timedelta(weeks=1)
#: How the database has the fields of an `Hour`.
_KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "due_at": Instant(),
    "expires_at": Instant(),
    "due_text": sa.Text(),
    "reason": sa.Text(),
}


class Hour(NamedTuple):
    """When a message is due and expires, the former as `pause_until` is written, and why it is not sent then."""

    due_at: datetime
    expires_at: datetime
    due_text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Clocks:
    """The hours of an occurrence, and which of them is whose: by zone, by country, and of all others, on a channel."""

    hours: Sequence[Hour]
    numbers: Mapping[str, tuple[Mapping[str, int], Mapping[str, int], int]]

    def number(
        self, channel: sa.ColumnElement[str], zone: sa.ColumnElement[str], country: sa.ColumnElement[str]
    ) -> sa.ColumnElement[int]:
        """The number of the hour of a contact on *channel*; `""` is for those whom no channel reaches."""
        told = {name: _spoken(zone, country, *which) for name, which in self.numbers.items()}
        first = told.pop("")
        return sa.case(*((channel == name, number) for name, number in told.items()), else_=first) if told else first

    def at(self, number: sa.ColumnElement[int], name: str) -> sa.ColumnElement[Any]:
        """What the hour with this *number* has as *name*: said where it is asked for, which costs less than a join."""
        kind = _KINDS[name]
        values = [getattr(hour, name) for hour in self.hours]
        usual = Counter(values).most_common(1)[0][0]
        others = {place: sa.literal(value, kind) for place, value in enumerate(values) if value != usual}
        rest = sa.literal(usual, kind)
        return sa.case(others, value=number, else_=rest) if others else rest


def _spoken(
    zone: sa.ColumnElement[str], country: sa.ColumnElement[str],
    zones: Mapping[str, int], lands: Mapping[str, int], nowhere: int,
) -> sa.ColumnElement[int]:  # fmt: skip
    """One hour's number as an expression; what is the same for many is said once."""
    elsewhere = _cases(country, {name: n for name, n in lands.items() if n != nowhere}, sa.literal(nowhere))
    plain = not lands or set(lands.values()) == {nowhere}
    return _cases(zone, {name: n for name, n in zones.items() if not plain or n != nowhere}, elsewhere)


def _cases(
    column: sa.ColumnElement[str], numbers: Mapping[str, int], other: sa.ColumnElement[int]
) -> sa.ColumnElement[int]:
    groups: dict[int, list[str]] = {}
    for name, number in numbers.items():
        groups.setdefault(number, []).append(name)
    return sa.case(*((column.in_(names), number) for number, names in groups.items()), else_=other) if groups else other


def clocks(
    campaign: Campaign,
    policy: Policy,
    moment: Moment,
    *,
    zones: Mapping[str, datetime],
    lands: Collection[str],
    home: str,
) -> Clocks:
    """Work the hours out. *zones*: when each zone is due, *home* among them: who has no zone is due when *home* is."""
    found: dict[Hour, int] = {}
    known = {zone: due for zone, due in zones.items() if known_zone(zone)}

    def number(channel: str, due_at: datetime, where: Collection[str]) -> int:
        hour = hour_of(campaign, quiet_of(policy, channel), moment, due_at, where)
        return found.setdefault(hour, len(found))

    numbers = {}
    for channel in ("", *campaign.channels):
        quiet = quiet_of(policy, channel)
        there = {land: countries()[land] for land in lands if quiet and land in countries()}
        by_land = {land: number(channel, zones[home], where) for land, where in there.items()}
        nowhere = number(channel, zones[home], sorted(known) if quiet else [home])
        numbers[channel] = {zone: number(channel, due, [zone]) for zone, due in known.items()}, by_land, nowhere
    return Clocks(list(found), {name: which for name, which in numbers.items() if not name or which != numbers[""]})


def hour_of(
    campaign: Campaign, quiet: list[QuietHours], moment: Moment, due_at: datetime, zones: Collection[str]
) -> Hour:
    """When a message that is due at *due_at* goes out to somebody in one of *zones*, and why it does not."""
    start = max(due_at, moment.now)
    expires_at = start + campaign.expires
    reason = ""
    if campaign.late.else_ == "skip" and due_at + campaign.late.within < moment.now:
        reason = SkipReason.MISSED.value
    else:
        good = end_of_quiet(start, quiet, zones, expires_at)
        reason = SkipReason.QUIET_HOURS.value if good >= expires_at else ""
        due_at = good if good > start else due_at
    return Hour(due_at, expires_at, pause_text(due_at), reason)


# ── quiet hours ──────────────────────────────────────────────────────────────────────────────────────────────────
def quiet_of(policy: Policy, channel: str) -> list[QuietHours]:
    """The quiet hours of *channel*."""
    return [one for one in policy.quiet_hours if channel and (not one.channels or channel in one.channels)]


def quiet_until(policy: Policy, channel: str, zones: Collection[str], at: datetime) -> datetime | None:
    """When the quiet hours of *channel* end that *at* falls into, on every clock of *zones*; None: into none."""
    end = end_of_quiet(at, quiet_of(policy, channel), zones, at + _WEEK)
    return end if end > at else None


def pause_text(at: datetime) -> str:
    """An instant in the form in which the preference `pause_until` is kept: texts compare as the instants do."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def end_of_quiet(at: datetime, quiet: Iterable[QuietHours], zones: Collection[str], limit: datetime) -> datetime:
    """The first instant from *at* on outside all *quiet* hours of all *zones*; not looked for beyond *limit*."""
    rules = list(quiet)
    while at < limit:
        ends = [end for one in rules for zone in zones if (end := _end(at, one, zone)) is not None]
        if not ends:
            return at
        at = max(ends)
    return at


def _end(at: datetime, quiet: QuietHours, zone: str) -> datetime | None:
    """When the quiet hours that *at* falls into end; None when it falls into none."""
    local = at.astimezone(zone_of(zone)).replace(tzinfo=None)
    first, last = time.fromisoformat(quiet.from_), time.fromisoformat(quiet.to)
    now = local.time()
    inside = first <= now < last if first <= last else now >= first or now < last
    if not inside:
        return None
    day = local.date() if now < last else local.date() + timedelta(days=1)
    end = instant(Occurrence("", datetime.combine(day, last), zone))
    # Where the clocks are set back the end may come twice, and its first time may be over: then it is the second.
    return end if end > at else datetime.combine(day, last, zone_of(zone)).replace(fold=1).astimezone(UTC)
