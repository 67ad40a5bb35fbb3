"""What a person types that is more than a word: a time, an address."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from vinculo.errors import UsageError

#: Years in which every calendar, zone and database agrees.
_YEARS = range(1970, 2201)


def moment(text: str, home: str) -> datetime:
    """Read a time; without a zone it is the wall clock of the zone *home*. Raises `UsageError`."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"`{text}` is no time", "Write it like 2026-12-01T09:00 or 2026-12-01T12:00Z.") from None
    if read.year not in _YEARS:
        raise UsageError(f"`{text}` is not of our time", f"Give a year from {_YEARS[0]} to {_YEARS[-1]}.")
    return (read if read.tzinfo else read.replace(tzinfo=ZoneInfo(home))).astimezone(UTC)


def address(channel: str, text: str, country: str) -> str:
    """Read an address of *channel*. Raises `UsageError`."""
    from vinculo.mail import normalise_address

    try:
        return normalise_address(channel, text, country)
    except ValueError as error:
        raise UsageError(f"Nothing was sent: {error}", "Write it like ana@example.com, or +5511912345678.") from None
