"""Mail domains that are one provider to us: they share its patience, so they share one bucket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

#: Where a bucket's name begins that is no channel's.
MARK = "@"
#: The default for domains without a rate of their own.
EVERY = "@*"

#: A provider's domains, the first being its name. Only those that certainly end in the same place.
_PROVIDERS = (
    ("gmail.com", "googlemail.com"),
    ("outlook.com", "hotmail.com", "live.com", "msn.com", "hotmail.com.br", "outlook.com.br", "live.com.pt"),
    ("yahoo.com", "yahoo.com.br", "yahoo.es", "yahoo.com.ar", "yahoo.com.mx", "ymail.com", "rocketmail.com", "aol.com"),
    ("icloud.com", "me.com", "mac.com"),
    ("uol.com.br", "bol.com.br"),
    ("proton.me", "protonmail.com", "pm.me"),
)
PROVIDER = {domain: names[0] for names in _PROVIDERS for domain in names}


def grouped(keys: Iterable[str]) -> dict[str, str]:
    """Return each domain's group: what vinculo.toml names together, over what we know to be one provider."""
    groups = dict(PROVIDER)
    for key in keys:
        names = key.split()
        if len(names) > 1:
            groups |= dict.fromkeys(names, names[0])
    return groups


def bucket_of(domain: str, groups: Mapping[str, str]) -> str:
    """Return the name of the bucket of a mail domain."""
    return MARK + groups.get(domain, domain)


def domain_of(address: str) -> str:
    """Return the domain of a mail address, in small letters; "" when it has none."""
    return address.rpartition("@")[2].lower() if "@" in address else ""
