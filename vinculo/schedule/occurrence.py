"""`when:` → occurrences, each a wall clock and a zone, and the instants that they are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

from vinculo.errors import UsageError
from vinculo.model import Occurrence
from vinculo.schedule import every, rule
from vinculo.schedule.when import When
from vinculo.schedule.zone import CONTACT, check, earliest_reading, instant_of, known, zone_or

#: Rules without `from:` are read from this Monday on: any fixed day does, and a fixed one keeps keys the same for ever.
EPOCH = date(2024, 1, 1)
#: A scheduler's clock may be a little before ours.
TOLERANCE = timedelta(seconds=60)
#: No wall clock is further from UTC; one more day for days that a zone left out (Samoa, 2011-12-30).
_FURTHEST = timedelta(hours=38)
#: No clock was ever put forward by more.
_LONGEST_GAP = timedelta(days=1)
_BACK = (timedelta(days=8), timedelta(days=63), timedelta(days=800), timedelta(days=366 * 9))


def occurrences(
    campaign: str,
    when: When,
    *,
    default_zone: str,
    start: datetime,
    end: datetime,
    zones: Collection[str] = (),
) -> list[Occurrence]:
    """Every occurrence whose first instant lies in [*start*, *end*), in order of time.

    With `timezone: contact` an occurrence begins in that of *zones* (or *default_zone*) where its time comes first.
    Raises `UsageError` when *when* is wrong (`problems` says so beforehand).
    """
    zone = when.timezone or default_zone
    places = _places(zone, default_zone, zones)
    found: dict[datetime, Occurrence] = {}
    for local in wall_clocks(when, _naive(start) - _FURTHEST, _naive(end) + _FURTHEST):
        first = min(instant_of(local, place) for place in places)
        if start <= first < end:
            # Times in a gap of the clocks all fall on its end: one of them is enough, the one that is written last.
            found[first] = Occurrence(campaign, local, zone)
    return [found[first] for first in sorted(found)]


def standing_for(
    campaign: str, when: When, at: datetime, *, default_zone: str, zones: Collection[str] = ()
) -> Occurrence | None:
    """The latest occurrence that has begun at *at* (a minute early counts): what a run started then stands for."""
    places = _places(when.timezone or default_zone, default_zone, zones)
    for back in _BACK:
        window = {"start": at - back, "end": at + _LONGEST_GAP}
        found = occurrences(campaign, when, default_zone=default_zone, zones=zones, **window)
        begun = [one for one in found if min(earliest_reading(one.local, p) for p in places) <= at + TOLERANCE]
        if begun:
            return begun[-1]
    return None


def instant(occurrence: Occurrence, zone: str | None = None) -> datetime:
    """The UTC instant of *occurrence*, for `timezone: contact` in the contact's *zone* (see `zone_or`).

    Raises `UsageError` for an unknown zone, or when a contact's is needed and not given.
    """
    if occurrence.zone != CONTACT:
        return instant_of(occurrence.local, occurrence.zone)
    if not zone:
        raise UsageError(f"{occurrence.key} is at another instant in each zone", "Say which zone.")
    return instant_of(occurrence.local, zone)


def due(occurrence: Occurrence, zones: Collection[str], default_zone: str) -> dict[str, datetime]:
    """The UTC instant of *occurrence* for contacts of each of *zones*, and of *default_zone*.

    A zone that is empty or unknown is there too, with the instant of *default_zone*.
    """
    return {name: instant(occurrence, zone_or(name, default_zone)) for name in {default_zone, *zones}}


def span(occurrence: Occurrence, zones: Collection[str]) -> tuple[datetime, datetime]:
    """The first and the last UTC instant of *occurrence* over *zones*: the same twice in a fixed zone.

    Names that are no zone are passed over, so name the company's too. Raises `UsageError` when none is one.
    """
    places = [name for name in zones if known(name)] if occurrence.zone == CONTACT else [occurrence.zone]
    instants = [instant(occurrence, place) for place in places or [""]]
    return min(instants), max(instants)


def alone(when: When, day: date) -> bool:
    """Whether *when* has no more than one wall clock on *day*."""
    start = datetime.combine(day, time())
    return len(list(islice(wall_clocks(when, start, start + timedelta(days=1)), 2))) < 2


def wall_clocks(when: When, after: datetime, before: datetime) -> Iterator[datetime]:
    """Every wall clock of *when* in [*after*, *before*), naive, in order."""
    first = max(after, datetime.combine(when.from_, time.min)) if when.from_ else after
    last = min(before, datetime.combine(when.until, time.min) + timedelta(days=1)) if when.until else before
    return _source(when)(when, first, last)


def recurrence(when: When) -> rule.Rule:
    """The rule of *when* with `every:` or `rrule:`. Raises `UsageError`."""
    found = rule.parse(when.rrule if when.rrule is not None else every.parse(when.every or "").rule)
    if found.needs_start and when.from_ is None:
        raise UsageError(
            f"`{when.rrule or when.every}` counts from a first day", "Add `from: 2026-12-01`, its first day."
        )
    if found.parts.get("UNTIL", "").endswith("Z"):
        raise UsageError(
            "UNTIL with a Z is an instant in UTC; a campaign lives on the wall clock", "Write it without Z."
        )
    if found.frequency in ("SECONDLY", "MINUTELY") or "BYSECOND" in found.parts:
        raise UsageError("a campaign cannot occur more than once a minute", "Use FREQ=HOURLY with BYMINUTE, or cron.")
    return found


def rule_start(when: When) -> datetime:
    """The wall clock that the rule of *when* begins at."""
    return datetime.combine(when.from_ or EPOCH, time.fromisoformat(when.at))


def _places(zone: str, default: str, zones: Collection[str]) -> Collection[str]:
    check(default)
    if zone != CONTACT:
        return [zone]
    return {zone_or(name, default) for name in zones} or {default}


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _source(when: When) -> Callable[[When, datetime, datetime], Iterator[datetime]]:
    if when.on is not None:
        return _listed
    return _cron if when.cron is not None else _ruled


def _listed(when: When, after: datetime, before: datetime) -> Iterator[datetime]:
    days = when.on if isinstance(when.on, list) else [when.on] if when.on else []
    at = time.fromisoformat(when.at)
    return (local for day in sorted(set(days)) if after <= (local := datetime.combine(day, at)) < before)


def _ruled(when: When, after: datetime, before: datetime) -> Iterator[datetime]:
    return rule.dates(recurrence(when), rule_start(when), after=after, before=before)


def _cron(when: When, after: datetime, before: datetime) -> Iterator[datetime]:
    from cronsim import CronSim, CronSimError

    try:
        clock = CronSim(when.cron or "", after - timedelta(seconds=1))
    except CronSimError as error:
        raise UsageError(
            f"`{when.cron}` is no cron rule: {error}", "Write minute, hour, day, month, weekday: `0 9 * * 2`."
        ) from None
    for local in clock:
        if local >= before:
            return
        yield local
