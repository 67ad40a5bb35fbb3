"""What cannot be meant by `[limits.rates]`, `[limits.domains]` or `[limits.warm_up]`, right as its shape may be."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from vinculo.errors import did_you_mean
from vinculo.project.schema import Limits

Wrong = tuple[tuple[Any, ...], str, str]


def speed_problems(limits: Limits, channels: Collection[str]) -> Iterator[Wrong]:
    """Yield path, message and remedy of every rate that would never hold."""
    for name in limits.rates:
        if name not in channels:
            yield ("limits", "rates", name), f"there is no channel `{name}`", did_you_mean(name, channels)
    yield from _domains(limits)
    for name, plan in limits.warm_up.items():
        if name not in channels and "." not in name:
            remedy = f"{did_you_mean(name, channels)} A mail domain has a dot: `gmail.com`."
            yield ("limits", "warm_up", name), f"`{name}` is neither a channel nor a mail domain", remedy
        if plan.until < plan.first:
            message = f"`until` {plan.until:,} is below `first` {plan.first:,}"
            yield ("limits", "warm_up", name), message, "A warm-up grows: write the larger figure at `until`."


def _domains(limits: Limits) -> Iterator[Wrong]:
    told: dict[str, str] = {}
    for key in limits.domains:
        for domain in key.split():
            path = ("limits", "domains", key)
            if domain != "*" and "." not in domain:
                yield path, f"`{domain}` is no mail domain", f"Write it whole: `{domain}.com`."
            elif domain in told:
                yield path, f"`{domain}` has two rates", f"Take it out here, or out of `{told[domain]}`."
            told.setdefault(domain, key)
