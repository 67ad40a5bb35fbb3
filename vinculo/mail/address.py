"""One spelling for each address, so that the same mailbox or number is found, suppressed and counted once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from vinculo.mail.number import e164

#: Channels whose addresses are telephone numbers.
NUMBERED = frozenset({"sms", "whatsapp", "phone", "voice", "rcs"})
#: A local part that email-validator takes as it is: RFC 5322 §3.2.3's dot-atom, at most 64 characters.
_ATOM = r"[A-Za-z0-9_!#$%&'*+\-/=?^`{|}~]+"
_SIMPLE = rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@([A-Za-z0-9.-]+)"
_PLAIN = re.compile(_SIMPLE)
_LINES = re.compile(f"^{_SIMPLE}$", re.MULTILINE)
#: The country code whose countries, like its time zones, are told apart by the area code.
_NORTH_AMERICA = 1
#: How a number begins, and its length → its country and time zone. Digits that come later tell no more.
_places: dict[tuple[str, int], tuple[str, str]] = {}
_MOST_PLACES = 65_536
#: RFC 5321 §4.5.3.1.3
_LONGEST = 254
_HANDLE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\u2028\u2029]{1,254}")


def normalise_address(channel: str, value: str, country: str = "") -> str:
    """Return *value* as *channel* keeps it: a mailbox in lower case, a number in E.164, a handle without spaces around.

    *country* (ISO 3166 code) reads numbers written without `+`. Raises `ValueError` that says what to write.
    """
    if channel == "email":
        return mailbox(value.strip())
    if channel in NUMBERED:
        return _number(value.strip(), country)
    handle = value.strip()
    if not _HANDLE.fullmatch(handle):
        raise ValueError(f"{value[:80]!r} is no address for {channel}: write one word of at most 254 characters")
    return handle


def mailbox(value: str) -> str:
    """As `normalise_address` for e-mail, of a value without spaces around it."""
    plain = _PLAIN.fullmatch(value)
    if plain and len(value) <= _LONGEST and _is_domain(plain[1].lower()):
        return value.lower()
    return _checked(value)


def mailboxes(values: Sequence[str]) -> list[str] | None:
    """Return `mailbox` of each of *values*, one line or nothing each; None if one of them needs a closer look."""
    text = "\n".join(values)
    domains = _LINES.findall(text)
    plain = values and len(domains) == sum(map(bool, values)) and len(max(values, key=len)) <= _LONGEST
    return text.lower().split("\n") if plain and all(map(_is_domain, map(str.lower, set(domains)))) else None


@lru_cache(maxsize=65_536)
def _is_domain(domain: str) -> bool:
    """Tell whether *domain*, ASCII, stands in addresses as it is: contacts by the thousand share a few of them."""
    try:
        return _checked(f"a@{domain}") == f"a@{domain}"
    except ValueError:
        return False


def _checked(value: str) -> str:
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(value, check_deliverability=False)
    except EmailNotValidError as error:
        raise ValueError(f"{value[:80]!r} is no e-mail address: {error}") from None
    # RFC 5321 §2.4 lets a server tell Ana@ from ana@; none does, and people type both.
    return (found.ascii_email or found.normalized).lower()


def _number(value: str, country: str) -> str:
    if plain := e164(value):
        return plain
    import phonenumbers

    try:
        number = phonenumbers.parse(value, country.upper() or None)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        raise ValueError(f"{value[:40]!r} is no telephone number: write it with its country, like +55 11 91234-5678")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def place_of_number(number: str) -> tuple[str, str]:
    """Return country and time zone of *number*, in E.164; "" for what is not known, or is one of several zones."""
    start = number[:8], len(number)
    if start in _places:
        return _places[start]
    found, shared = _place(number)
    if not shared and len(_places) < _MOST_PLACES:
        _places[start] = found
    return found


def _place(number: str) -> tuple[tuple[str, str], bool]:
    """Return country and zone of *number*, and whether numbers that begin like it may be of another country."""
    import phonenumbers
    from phonenumbers.timezone import time_zones_for_number

    parsed = phonenumbers.parse(number)
    zones = [name for name in time_zones_for_number(parsed) if name != "Etc/Unknown"]
    countries = phonenumbers.region_codes_for_country_code(parsed.country_code or 0)
    place = phonenumbers.region_code_for_number(parsed) or "", zones[0] if len(zones) == 1 else ""
    return place, len(countries) > 1 and parsed.country_code != _NORTH_AMERICA
