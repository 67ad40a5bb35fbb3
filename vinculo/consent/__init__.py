"""May we write? Consent is append-only; `permission` is its live answer; suppression beats both."""

from vinculo.consent.preference import FREQUENCIES, often, preferences, set_preference
from vinculo.consent.recording import (
    LIVE,
    Consent,
    channels,
    grant,
    live,
    record,
    record_first,
    record_many,
    record_new,
    refresh,
    withdraw,
)
from vinculo.consent.suppression import (
    ERASURE,
    SOFT_BOUNCES,
    Hasher,
    address_hash,
    address_hashes,
    lift_soft_bounces,
    suppress,
    suppressed,
)

__all__ = [
    "ERASURE",
    "FREQUENCIES",
    "LIVE",
    "SOFT_BOUNCES",
    "Consent",
    "Hasher",
    "address_hash",
    "address_hashes",
    "channels",
    "grant",
    "lift_soft_bounces",
    "live",
    "often",
    "preferences",
    "record",
    "record_first",
    "record_many",
    "record_new",
    "refresh",
    "set_preference",
    "suppress",
    "suppressed",
    "withdraw",
]
