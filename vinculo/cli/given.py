"""What a person types that is more than a word: a contact, a file and where its columns go, a time, an address."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from vinculo.errors import UsageError
from vinculo.fields import LANGUAGE

KeyArgument = Annotated[
    str, typer.Argument(metavar="KEY", help="The contact's key, an address of it, SYSTEM:VALUE, or # and its id.")
]
MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="COLUMN=PLACE", help="Where a column goes; several times. `-` leaves it out."),
]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file, or JSON lines.")]
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


def language(text: str, ours: Collection[str] = ()) -> str:
    """Read the code of a language; "" is none given. *ours*: no other will do, with a region or without.

    Raises `UsageError` that says what to write, also for a language that is called by its name.
    """
    if not text:
        return ""
    from vinculo.contacts import language_code

    try:
        code = language_code(text)
    except ValueError:
        some = ", ".join(ours or ("pt", "pt-BR", "en"))
        raise UsageError(f"`{text}` is no language's code", f"Write for example {some}.") from None
    if not re.fullmatch(LANGUAGE, text):
        raise UsageError(f"`{text}` is no language's code", f"Write {code}.")
    if ours and code.partition("-")[0] not in ours:
        raise UsageError(f"This is not said in `{text}`", f"Write {', '.join(ours)}.")
    return code


def pairs(given: list[str] | None) -> dict[str, str]:
    """Read `--map COLUMN=PLACE`. Raises `UsageError`."""
    split = [each.rpartition("=") for each in given or ()]
    for column, _, place in split:
        if not column or not place:
            raise UsageError(f"`--map {column or place}` is no mapping", "Write --map 'COLUMN=PLACE'.")
    return {column.strip(): place.strip() for column, _, place in split}
