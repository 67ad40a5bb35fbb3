"""The schedule that Prefect is given: plain data, nothing of Prefect.

Prefect reads the wall clock in `timezone`. It ignores a `Z` after DTSTART, runs a rule without DTSTART at midnight,
and takes a naive anchor for UTC: so a rule goes out with a DTSTART that has a time and no zone.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, time

from vinculo.schedule.occurrence import EPOCH, recurrence, rule_start
from vinculo.schedule.when import When
from vinculo.schedule.zone import CONTACT, earliest, zone_or

_STAMP = "%Y%m%dT%H%M%S"


def prefect_schedule(when: When, *, default_zone: str, zones: Collection[str] = ()) -> dict[str, str] | None:
    """`{"cron" or "rrule": …, "timezone": …}`, or None when there is nothing to schedule (`on: []`).

    With `timezone: contact` it fires where, of *zones*, the day comes first. A cron rule knows no `from:` and
    `until:`: before and after, the run that it starts finds no occurrence and ends.
    """
    zone = when.timezone or default_zone
    if zone == CONTACT:
        zone = earliest(
            {zone_or(name, default_zone) for name in zones} or {default_zone}, datetime.combine(EPOCH, time())
        )
    if when.cron is not None:
        return {"cron": when.cron, "timezone": zone}
    lines = _listed(when) if when.on is not None else _ruled(when)
    return {"rrule": "\n".join(lines), "timezone": zone} if lines else None


def _listed(when: When) -> list[str]:
    days = when.on if isinstance(when.on, list) else [when.on] if when.on else []
    stamps = [_stamp(day, when.at) for day in sorted(set(days))]
    return (
        [f"DTSTART:{stamps[0]}", "RRULE:FREQ=DAILY;COUNT=1", *(f"RDATE:{stamp}" for stamp in stamps[1:])]
        if stamps
        else []
    )


def _ruled(when: When) -> list[str]:
    rule = str(recurrence(when))
    if when.until and "UNTIL=" not in rule:
        rule += f";UNTIL={_stamp(when.until, '23:59')}"
    return [f"DTSTART:{rule_start(when):{_STAMP}}", f"RRULE:{rule}"]


def _stamp(day: date, at: str) -> str:
    return f"{datetime.combine(day, time.fromisoformat(at)):{_STAMP}}"
