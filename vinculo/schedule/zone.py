"""Wall clock and zone → instant. Rules are evaluated on the wall clock; only their results meet a zone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from vinculo.errors import UsageError, nearest

#: The zone of an occurrence that each contact has at its own wall clock.
CONTACT = "contact"
_SECOND = timedelta(seconds=1)
#: More than there are. By itself ZoneInfo keeps eight, and reads the file of a ninth anew each time.
_ZONES = 1_024

#: The IANA zone of that name. Raises as `ZoneInfo`.
zone_of = lru_cache(maxsize=_ZONES)(ZoneInfo)


@lru_cache(maxsize=_ZONES)
def known(name: str) -> bool:
    """Say whether *name* is an IANA zone."""
    try:
        zone_of(name)
    except (LookupError, ValueError, OSError):  # unknown · no relative path · a folder such as `America`
        return False
    return bool(name)


def zone_or(name: str, default: str) -> str:
    """The zone *name*, or *default* where a contact's zone is empty or unknown."""
    return name if known(name) else default


@lru_cache(maxsize=1)
def countries() -> Mapping[str, tuple[str, ...]]:
    """The zones of each country by its two-letter code (CLDR's, as far as there are such zones here)."""
    from babel.core import get_global

    found = {code: tuple(filter(known, zones)) for code, zones in get_global("territory_zones").items()}
    return {code: zones for code, zones in found.items() if zones and len(code) == 2}


def check(name: str) -> None:
    """Raise `UsageError` unless *name* is an IANA zone."""
    if not known(name):
        from zoneinfo import available_timezones

        near = nearest(name, available_timezones() | {CONTACT})
        other = "Write a zone's name, `America/Sao_Paulo`, or `contact` for each contact's own."
        raise UsageError(f"`{name}` is no time zone", f"Did you mean `{near}`?" if near else other)


def instant_of(local: datetime, name: str) -> datetime:
    """The UTC instant of the wall clock *local* (naive) in the zone *name*.

    A time that the clocks skip is the first valid instant after the gap; a time that comes twice is its first.
    Raises `UsageError` for an unknown zone.
    """
    check(name)
    zone = zone_of(name)
    first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == local:
        return first
    # In a gap PEP 495's two folds read the clock with the offset before and after it, so the change lies between.
    return _change(local.replace(tzinfo=zone, fold=1).astimezone(UTC), first, zone)


def earliest_reading(local: datetime, name: str) -> datetime:
    """The earliest UTC instant that a scheduler takes *local* for: in a gap Prefect fires before, we are due after."""
    zone = zone_of(name)
    return min(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first second in (*before*, *after*] with the offset that *after* has."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // (2 * _SECOND) * _SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


def earliest(zones: Collection[str], reference: datetime) -> str:
    """The zone of *zones* where the day comes first, judged over the year of *reference* (clocks change)."""
    seasons = (reference.replace(month=1, day=15), reference.replace(month=7, day=15))

    def lead(name: str) -> timedelta:
        return sum((local.replace(tzinfo=zone_of(name)).utcoffset() or timedelta() for local in seasons), timedelta())

    return max(sorted(zones), key=lead)
