"""When each zone's contacts are due on each channel: quiet hours and lateness, worked out once per zone in Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta

import sqlalchemy as sa

from vinculo.db import Instant
from vinculo.model import Moment, Occurrence, SkipReason
from vinculo.project.schema import Campaign, Policy, QuietHours
from vinculo.schedule import instant, zone_of, zone_or

_WEEK = timedelta(weeks=1)


def hours(
    campaign: Campaign, policy: Policy, moment: Moment, *, zones: Mapping[str, datetime], home: str
) -> tuple[sa.CTE, list[str]]:
    """A table of (zone, channel): `due_at`, `expires_at`, `due_text` and `reason`, "" when the hour is a good one.

    *zones*: when each zone is due, *home* among them. Channel "" is for contacts that no channel reaches. A zone whose
    hours are those of *home* has no row: the table is searched for every contact. Also returns the zones that have.
    """
    columns = (
        sa.column("zone", sa.Text),
        sa.column("channel", sa.Text),
        sa.column("due_at", Instant),
        sa.column("expires_at", Instant),
        sa.column("due_text", sa.Text),
        sa.column("reason", sa.Text),
    )
    found = {
        zone: [
            (channel, *_hour(campaign, _quiet(policy, channel), moment, due_at, zone_or(zone, home)))
            for channel in ("", *campaign.channels)
        ]
        for zone, due_at in zones.items()
    }
    own = [zone for zone in found if zone == home or found[zone] != found[home]]
    rows = [(zone, *row) for zone in own for row in found[zone]]
    return sa.values(*columns, name="hour").data(rows).cte("hours"), own


def _quiet(policy: Policy, channel: str) -> list[QuietHours]:
    return [one for one in policy.quiet_hours if channel and (not one.channels or channel in one.channels)]


def quiet_until(policy: Policy, channel: str, zone: str, at: datetime) -> datetime | None:
    """When the quiet hours of *channel* end that *at* falls into, on the clock of *zone*; None: it falls into none."""
    end = end_of_quiet(at, _quiet(policy, channel), zone, at + _WEEK)
    return end if end > at else None


def _hour(
    campaign: Campaign, quiet: list[QuietHours], moment: Moment, due_at: datetime, zone: str
) -> tuple[datetime, datetime, str, str]:
    """When a message that is due at *due_at* in *zone* goes out and expires, and why it does not."""
    start = max(due_at, moment.now)
    expires_at = start + campaign.expires
    reason = ""
    if campaign.late.else_ == "skip" and due_at + campaign.late.within < moment.now:
        reason = SkipReason.MISSED.value
    else:
        good = end_of_quiet(start, quiet, zone, expires_at)
        reason = SkipReason.QUIET_HOURS.value if good >= expires_at else ""
        due_at = good if good > start else due_at
    return due_at, expires_at, pause_text(due_at), reason


def pause_text(at: datetime) -> str:
    """An instant in the form in which the preference `pause_until` is kept: texts compare as the instants do."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def end_of_quiet(at: datetime, quiet: Iterable[QuietHours], zone: str, limit: datetime) -> datetime:
    """The first instant from *at* on that is outside all *quiet* hours of *zone*; not looked for beyond *limit*."""
    while at < limit:
        ends = [end for one in quiet if (end := _end(at, one, zone)) is not None]
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
