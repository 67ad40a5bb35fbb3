"""Three years of purchases of one contact, from the model that scoring fits again: BG/NBD with gamma spend.

A contact buys at random at a rate of its own (gamma over contacts), may leave for good after each purchase (beta over
contacts), and spends around a mean of its own (log-normal). Fader, Hardie and Lee (2005), "Counting your customers".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from vinculo.demo.people import PRODUCTS

#: How busy a month is beside the year's mean; November has its sale, December its presents, June its cold.
SEASON = (0.8, 0.75, 0.85, 0.9, 1.05, 1.15, 1.05, 0.95, 0.9, 0.95, 1.45, 1.6)
_BUSIEST = max(SEASON)
#: Purchases a year: shape and scale of the gamma; its mean is their product.
_RATE = (1.1, 9.5)
#: The chance to leave after a purchase: alpha and beta.
_LEAVE = (0.7, 10.0)
_OPEN, _CLOSE = 8, 22


@dataclass(frozen=True, slots=True)
class Purchase:
    """What was bought, when, and for how much in cents."""

    at: datetime
    product: str
    amount: int


def purchases(dice: Random, since: datetime, until: datetime, zone: str) -> list[Purchase]:
    """Return the purchases of one contact between *since* and *until*, in order of time; the first comes soon."""
    generosity = dice.lognormvariate(0.0, 0.35)
    clock = ZoneInfo(zone)
    times = (_in_shop_hours(dice, at, clock) for at in _times(dice, since, until))
    return [_purchase(dice, at, generosity) for at in sorted(times) if since < at < until]


def _times(dice: Random, since: datetime, until: datetime) -> Iterator[datetime]:
    rate, leaves = dice.gammavariate(*_RATE), dice.betavariate(*_LEAVE)
    at = since + timedelta(hours=dice.expovariate(1 / 60))
    while at < until:
        yield at
        if dice.random() < leaves:
            return
        at = _next(dice, at, max(rate, 0.05))


def _next(dice: Random, at: datetime, rate: float) -> datetime:
    """Draw the next time at *rate* a year, thinned by the season."""
    while True:
        at += timedelta(days=min(365 * dice.expovariate(rate * _BUSIEST), 2000))
        if dice.random() * _BUSIEST < SEASON[at.month - 1]:
            return at


def _in_shop_hours(dice: Random, at: datetime, zone: ZoneInfo) -> datetime:
    """Move *at* to a waking hour of the day it falls on, where the contact lives."""
    local = at.astimezone(zone)
    if _OPEN <= local.hour < _CLOSE:
        return at
    waking = local.replace(hour=dice.randrange(_OPEN, _CLOSE), minute=dice.randrange(60), fold=0)
    return waking.astimezone(at.tzinfo)


def _purchase(dice: Random, at: datetime, generosity: float) -> Purchase:
    product, _, price, _ = dice.choices(PRODUCTS, _WEIGHTS)[0]
    pieces = max(1.0, dice.lognormvariate(0.35, 0.45) * generosity)
    return Purchase(at, product, round(price * pieces))


_WEIGHTS = [weight for *_, weight in PRODUCTS]
