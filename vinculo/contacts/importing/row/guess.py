"""What nobody said of a contact, from its number and its country."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vinculo.contacts.importing.row import values

#: No country, and no zone.
NOWHERE = ("", "")


def guessed(said: Mapping[str, Any], place: tuple[str, str]) -> dict[str, tuple[str, str]]:
    """Infer country, zone and language from the *place* (country and zone) of the number, then from the country.

    A number of another country than the contact's tells nothing of where the contact is.
    """
    if "country" in said and "timezone" in said and "language" in said:
        return {}
    country, zone = place
    if "country" in said and said["country"] != country:
        country, zone = said["country"], ""
    guesses = {
        "country": (country, "country" if "country" in said else "phone"),
        "timezone": (zone, "phone") if zone else (values.zone_of(country), "country"),
        "language": (values.language_of(country), "country"),
    }
    return {name: guess for name, guess in guesses.items() if guess[0] and name not in said}
