"""Telephone numbers in E.164, as most files have them, checked as the library `phonenumbers` would, in a fraction of
its time: a file brings a million of them.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

#: `+`, the country's code, the rest; signs between groups of digits mean nothing.
_SIGNS = str.maketrans("", "", " -().")
_CODED = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_KINDS = (
    *("premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail"),
    *("fixed_line", "mobile"),
)


def e164(value: str) -> str | None:
    """Return *value* in E.164 if it is a valid number with its country's code; None: ask the library.

    Only for codes of one country, and not for a number that may begin with a prefix which is dialled at home: there the
    library takes digits away.
    """
    number = value.translate(_SIGNS)
    if not _CODED.fullmatch(number):
        return None
    for length in (2, 3, 1):
        valid = _valid(number[1 : 1 + length])
        if valid is not None:
            return number if valid.fullmatch(number, 1 + length) else None
    return None


@cache
def _valid(code: str) -> re.Pattern[str] | None:
    """What the digits after a country's code are in every valid number; None for a code of none or several."""
    import phonenumbers

    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code), ())
    if len(regions) != 1 or regions[0] == "001":
        return None
    about: Any = phonenumbers.PhoneMetadata.metadata_for_region(regions[0])
    kinds = [getattr(about, kind) for kind in _KINDS]
    patterns = "|".join(
        f"(?:{kind.national_number_pattern})" for kind in kinds if kind and kind.national_number_pattern
    )
    home = f"(?!{about.national_prefix_for_parsing})" if about.national_prefix_for_parsing else ""
    general = about.general_desc.national_number_pattern
    return re.compile(f"{home}(?=(?:{general})$)(?:{patterns})", re.ASCII)
