"""Amounts of money as people write them, exactly: with a sign before or after, and marks of either kind."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from typing import Any

from vinculo.contacts.importing.row.wrong import RowError
from vinculo.model import decimals

_SIGNS = {"R$": "BRL", "US$": "USD", "U$S": "USD", "€": "EUR", "£": "GBP"}
#: Where amounts are written with `$` alone.
_DOLLARS = frozenset(["USD", "ARS", "AUD", "CAD", "CLP", "COP", "DOP", "HKD", "MXN", "NZD", "SGD", "UYU"])
_SIGN = "|".join([*map(re.escape, _SIGNS), r"\$", "[A-Z]{3}"])
_MARKED = re.compile(rf"(-?) *(?:(?P<before>{_SIGN}) *)?(?P<figures>-?\d(?:[\d.,' ]*\d)?) *(?P<after>{_SIGN})?")
#: Blanks that do not break a line stand between thousands, and before a sign.
_BLANKS = str.maketrans("\u00a0\u202f", "  ")
_AMOUNT = re.compile(r"-?\d{1,3}(?:[.,' ]\d{3})*(?:[.,]\d+)?|-?\d+(?:[.,]\d+)?")
#: One mark before three digits: thousands, or decimals?
_EITHER = re.compile(r"-?[1-9]\d{0,2}[.,]\d{3}")
_LARGEST = 10**15


@cache
def currency(code: str) -> str:
    """Read the code of a currency. Raises `RowError`."""
    from babel.numbers import list_currencies

    if code.upper() in list_currencies():
        return code.upper()
    raise RowError(code, "no currency code: write for example BRL")


def marked(text: str, home: str) -> tuple[str, str]:
    """Part an amount from its sign: its figures, and the currency that the sign names, "" without one.

    `$` alone is *home*'s if that is written so. Raises `RowError` for a sign that names no one currency.
    """
    bare = text.translate(_BLANKS).strip()
    found = _MARKED.fullmatch(bare)
    if found is None or (found["before"] and found["after"]):
        return bare, ""
    sign = found["before"] or found["after"] or ""
    if sign == "$" and home not in _DOLLARS:
        raise RowError(text, "`$` can be many currencies: write US$, or a code such as USD")
    named = home if sign == "$" else _SIGNS.get(sign) or (currency(sign) if sign else "")
    return found[1] + found["figures"], named


def priced(text: str, home: str, mark: str = "") -> Decimal | None:
    """The number of an amount that the sign of *home* marks as one; None for whatever else *text* is, also for one
    that is too large to be true: no database keeps it as a number. *mark*: what parts thousands here, and no decimals.
    """
    if not (text[-1:].isdecimal() or text[:1].isdecimal() or text[:1] == "-"):
        return None  # most texts, told for little
    try:
        figures, named = marked(text, home)
        number = _number(_unmarked(figures, home, mark), text) if named == home else None
    except RowError:
        return None
    return None if number is None or abs(number) >= _LARGEST else number


def minor_units(value: Any, code: str, mark: str = "") -> int:
    """Read an amount, exactly, in the minor units of the currency *code*. Raises `RowError`, also for what can mean
    two amounts, and for the sign of another currency. *mark* parts thousands where the sign of *code* stands.
    """
    number = _told(value, code, mark)
    minor = number.scaleb(decimals(code))
    if minor != minor.to_integral_value():
        raise RowError(value, f"more decimals than {code} has ({decimals(code)})")
    if abs(minor) >= _LARGEST:
        raise RowError(value, "the amount is too large to be true")
    return int(minor)


def _told(value: Any, code: str, mark: str) -> Decimal:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(str(value))
    figures, named = marked(str(value), code)
    if named not in {"", code}:
        raise RowError(value, f"the amount is in {named} and its currency is {code}: write {named} as its currency")
    return _number(_unmarked(figures, code, mark) if named else figures, value)


def _unmarked(figures: str, code: str, mark: str) -> str:
    """*figures* that could mean two amounts of *code*, without the *mark* that parts thousands here."""
    return figures.replace(mark, "") if mark and decimals(code) < 3 and _EITHER.fullmatch(figures) else figures


def _number(text: str, value: Any) -> Decimal:
    """Read the figures *text* of the amount *value*."""
    if not _AMOUNT.fullmatch(text):
        raise RowError(value, "write an amount such as 199,90 or 199.90")
    marks = [c for c in text if c in ".,"]
    after = len(text) - max(text.rfind("."), text.rfind(",")) - 1
    if len(marks) == 1 and after == 3 and not text.lstrip("-").startswith("0"):
        raise RowError(value, "can mean thousands or three decimals: write 1234.00 or 1.234,00")
    is_decimal = bool(marks) and (len(marks) == 1 or marks[-1] != marks[-2])
    if marks and not is_decimal and after != 3:
        raise RowError(value, "write an amount such as 199,90 or 199.90")
    bare = re.sub(r"[.,' ]", "", text)
    return Decimal(bare).scaleb(-after) if is_decimal else Decimal(bare)
