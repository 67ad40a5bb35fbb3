"""Reading the values of cells. Every function raises `ValueError` that says what to write instead."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime, time
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from vinculo.contacts.importing.row.amount import priced
from vinculo.contacts.importing.row.columns import plain
from vinculo.model import ContactKind

_YES = frozenset(
    [
        *("yes", "y", "true", "t", "1", "x", "sim", "s", "si", "on", "opt_in", "subscribed", "aceito", "aceita"),
        *("verdadeiro", "verdadero", "autorizo", "autoriza", "acepto", "acepta"),
    ]
)
_NO = frozenset(
    [
        *("no", "n", "false", "f", "0", "nao", "off", "opt_out", "unsubscribed", "recuso", "rechazo", "falso"),
        *("nao_aceito", "nao_aceita", "nao_autorizo", "nao_autoriza", "no_acepto", "no_acepta", "no_autorizo"),
    ]
)
_KINDS = {
    "cliente": ContactKind.CUSTOMER,
    "prospect": ContactKind.LEAD,
    "prospecto": ContactKind.LEAD,
    "interessado": ContactKind.LEAD,
    "funcionario": ContactKind.STAFF,
    "colaborador": ContactKind.STAFF,
    "empleado": ContactKind.STAFF,
    "employee": ContactKind.STAFF,
    "parceiro": ContactKind.PARTNER,
    "socio": ContactKind.PARTNER,
} | {kind.value: kind for kind in ContactKind}
#: How a country's one clock is called, where several zones of it keep the same time.
_MAIN_ZONES = {"AR": "America/Argentina/Buenos_Aires", "DE": "Europe/Berlin"}
#: Zones that have kept the same time on these days keep the same time.
_DAYS = tuple(datetime(year, month, 15, tzinfo=UTC) for year in (2025, 2026) for month in range(1, 13))
#: Countries that write the month first.
_MONTH_FIRST = frozenset({"US"})
_DATE = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,9})?")
#: With a decimal comma: `99,9`, `99,90`, `1.234,56`, and `1,234.56`. Of `1,234` nobody knows which it is.
_COMMA = re.compile(r"-?(0|[1-9]\d{0,14}|[1-9]\d{0,2}(\.\d{3}){1,4}),\d{1,2}")
_GROUPED = re.compile(r"-?[1-9]\d{0,2}(,\d{3}){1,4}\.\d{1,9}")
#: What a spreadsheet keeps a day as, where the column has no format of dates: 1927 to 2173.
_SERIAL = re.compile(r"\d{5}")
#: `Português (Brasil)`, `Portuguese - Portugal`
_SPOKEN = re.compile(r"(\w+) *[(-] *([^()]+?)\)?")
_SCRIPT = re.compile(r"[A-Za-z]{4}")
_OLDEST = 1900
#: The languages that a country's companies write in.
_OFFICIAL = frozenset({"official", "de_facto_official"})


def yes(value: Any) -> bool:
    """Read a yes or no in Portuguese, English or Spanish."""
    if isinstance(value, bool):
        return value
    word = plain(str(value))
    if word in _YES or word in _NO:
        return word in _YES
    raise ValueError("write yes or no (sim ou não, sí o no)")


def kind(value: str) -> str:
    """Read the kind of a contact."""
    if plain(value) in _KINDS:
        return _KINDS[plain(value)].value
    raise ValueError("write customer, lead, staff or partner")


@lru_cache(maxsize=1_024)
def country(value: str) -> str:
    """Read a country: its two-letter code, or its name in Portuguese, English or Spanish."""
    found = _countries().get(plain(value))
    if found:
        return found
    raise ValueError("write a country's two-letter code, such as BR")


@lru_cache(maxsize=1_024)
def language(value: str) -> str:
    """Read a language: a code such as `pt` or `pt-BR`, or a name in Portuguese, English or Spanish.

    Raises `ValueError` for what is none.
    """
    head, _, tail = value.replace("_", "-").partition("-")
    names = _languages()
    if head.casefold() in names.values() and (not tail or tail.upper() in {*_countries().values(), *_areas()}):
        return head.casefold() + (f"-{tail.upper()}" if tail else "")
    if head.casefold() in names.values() and _SCRIPT.fullmatch(tail):
        return f"{head.casefold()}-{tail.capitalize()}"
    if plain(value) in names:
        return names[plain(value)]
    spoken = _SPOKEN.fullmatch(value)
    if spoken and plain(spoken[1]) in names and plain(spoken[2]) in _countries():
        return f"{names[plain(spoken[1])]}-{_countries()[plain(spoken[2])]}"
    raise ValueError("write a language's code, such as pt or pt-BR")


@lru_cache(maxsize=1_024)
def zone(value: str) -> str:
    """Read the name of a time zone."""
    if value in available_timezones():
        return value
    raise ValueError("write a zone's name, such as America/Sao_Paulo")


def day(value: str, country_code: str) -> date:
    """Read a date: ISO, or day first (month first in the United States)."""
    written = _DATE.fullmatch(value)
    try:
        if not written:
            return date.fromisoformat(value[:10]) if value[10:11] in {"", "T", " "} else date.fromisoformat(value)
        one, two, year = (int(part) for part in written.groups())
        return date(year, one, two) if country_code in _MONTH_FIRST else date(year, two, one)
    except ValueError:
        order = "mm/dd/yyyy" if country_code in _MONTH_FIRST else "dd/mm/yyyy"
        unknown = "there is no such day: " if written else ""
        if _SERIAL.fullmatch(value):
            unknown = "that is a spreadsheet's number of a day: give the column the format of a date, or "
        raise ValueError(f"{unknown}write the date as yyyy-mm-dd or {order}") from None


def birthdate(value: str, country_code: str, now: datetime) -> date:
    """Read a date of birth, which lies in the past."""
    born = day(value, country_code)
    if born.year < _OLDEST or born > now.date():
        raise ValueError(f"a date of birth lies between {_OLDEST} and today")
    return born


def instant(value: str, country_code: str, zone_name: str, *, needed: bool = False) -> datetime:
    """Read an instant; without an offset it is the wall clock of *zone_name*. *needed*: it cannot be left empty."""
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        read = _day_and_time(value, country_code)
    if read.year < _OLDEST:  # 0001-01-01 is how some programs write that they do not know
        remedy = "write when it was" if needed else "leave it empty where nobody knows it"
        raise ValueError(f"no date lies before {_OLDEST}: {remedy}")
    aware = read if read.tzinfo else read.replace(tzinfo=ZoneInfo(zone_name) if zone_name else UTC)
    try:
        return aware.astimezone(UTC)
    except OverflowError:
        remedy = "write when it was" if needed else "for never, leave it empty"
        raise ValueError(f"the date is at the end of all dates: {remedy}") from None


def _day_and_time(value: str, country_code: str) -> datetime:
    head, _, clock = value.partition(" ")
    try:
        at = time.fromisoformat(clock.strip()) if clock else time()
    except ValueError:
        raise ValueError("write the moment as yyyy-mm-dd hh:mm") from None
    return datetime.combine(day(head, country_code), at)


def _number(value: str) -> int | float | None:
    if _NUMBER.fullmatch(value):
        return float(value) if "." in value else int(value)
    if "," in value and _COMMA.fullmatch(value):
        return float(value.replace(".", "").replace(",", "."))
    if "," in value and _GROUPED.fullmatch(value):
        return float(value.replace(",", ""))
    return None


def trait(value: Any, home: str = "", mark: str = "") -> Any:
    """Read a fact: numbers and truth as such, all else as text. `01310` is text: a leading zero means something.

    A comma before one or two digits is a decimal one, as spreadsheets write it in Portuguese and Spanish. An amount
    with the sign of the currency *home* is its number; one in another is text, for it is not so much of *home*. *mark*
    parts thousands in it: what can mean two numbers has one then.
    """
    if not isinstance(value, str):
        return value
    if value in {"true", "false"}:
        return value == "true"
    number = _number(value)
    if number is not None:
        return number
    price = priced(value, home, mark) if home else None
    if price is None:
        return value
    return int(price) if price == price.to_integral_value() else float(price)


def could_be_two(value: Any, home: str, mark: str) -> bool:
    """Whether *value* is a whole number for its *mark* alone: R$ 1.500, and not R$ 5.00 or R$ 1.234,00."""
    if not (mark and isinstance(value, str) and value.count(mark) == 1):
        return False
    read = trait(value, home, mark)
    return type(read) is int and trait(value, home) != read


@cache
def thousands_mark(country_code: str) -> str:
    """Return which of `.` and `,` parts thousands, and never decimals, in a country; "" where its languages differ."""
    from babel import Locale, UnknownLocaleError
    from babel.languages import get_territory_language_info

    marks = set()
    for language, about in get_territory_language_info(country_code).items():
        if about["official_status"] in _OFFICIAL:
            with suppress(UnknownLocaleError):
                marks.add(Locale(language.partition("_")[0], country_code).number_symbols["latn"]["decimal"])
    return {",": ".", ".": ","}.get(marks.pop(), "") if len(marks) == 1 else ""


@cache
def language_of(country_code: str) -> str:
    """Return the language that most people of a country speak, or nothing."""
    from babel.languages import get_territory_language_info

    spoken = get_territory_language_info(country_code)
    shares = {name: float(about["population_percent"] or 0) for name, about in spoken.items()}
    return max(shares, key=lambda name: shares[name], default="").partition("_")[0]


@cache
def zone_of(country_code: str) -> str:
    """Return the zone of a country with one time; nothing where there are several: the audience takes the strictest."""
    from babel.core import get_global

    zones = sorted(name for name, place in get_global("zone_territories").items() if place == country_code)
    zones = [name for name in zones if name in available_timezones()]
    clocks = {tuple(at.astimezone(ZoneInfo(name)).utcoffset() for at in _DAYS) for name in zones}
    return _MAIN_ZONES.get(country_code, zones[0]) if len(clocks) == 1 else ""


@cache
def _countries() -> dict[str, str]:
    return _names("territories", re.compile(r"[A-Z]{2}"))


@cache
def _areas() -> frozenset[str]:
    """The codes of areas of several countries (UN M.49): es-419 is the Spanish of Latin America."""
    from babel import Locale

    return frozenset(filter(str.isdigit, Locale("en").territories))


@cache
def _languages() -> dict[str, str]:
    return _names("languages", re.compile(r"[a-z]{2,3}"))


def _names(kind_of_name: str, code: re.Pattern[str]) -> dict[str, str]:
    from babel import Locale

    found: dict[str, str] = {}
    for written_in in ("es", "pt", "en"):
        names = getattr(Locale(written_in), kind_of_name)
        found.update({plain(name): key for key, name in names.items() if code.fullmatch(key)})
    return found | {key.casefold(): key for key in found.values()}
