"""One spelling for each address, so that the same mailbox or number is found, suppressed and counted once."""

from __future__ import annotations

import re

#: Channels whose addresses are telephone numbers.
NUMBERED = frozenset({"sms", "whatsapp", "phone", "voice", "rcs"})
_HANDLE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\u2028\u2029]{1,254}")


def normalise_address(channel: str, value: str, country: str = "") -> str:
    """Return *value* as *channel* keeps it: a mailbox in lower case, a number in E.164, a handle without spaces around.

    *country* (ISO 3166 code) reads numbers written without `+`. Raises `ValueError` that says what to write.
    """
    if channel == "email":
        return _mailbox(value.strip())
    if channel in NUMBERED:
        return _number(value.strip(), country)
    handle = value.strip()
    if not _HANDLE.fullmatch(handle):
        raise ValueError(f"{value[:80]!r} is no address for {channel}: write one word of at most 254 characters")
    return handle


def _mailbox(value: str) -> str:
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(value, check_deliverability=False)
    except EmailNotValidError as error:
        raise ValueError(f"{value[:80]!r} is no e-mail address: {error}") from None
    # RFC 5321 §2.4 lets a server tell Ana@ from ana@; none does, and people type both.
    return (found.ascii_email or found.normalized).lower()


def _number(value: str, country: str) -> str:
    import phonenumbers

    try:
        number = phonenumbers.parse(value, country.upper() or None)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        raise ValueError(f"{value[:40]!r} is no telephone number: write it with its country, like +55 11 91234-5678")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
