"""Honest statistics for campaigns: intervals rather than verdicts, and a test that may be looked at every day."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the range that holds the truth in *level* of all cases."""

    estimate: float
    low: float
    high: float
    level: float = 0.95

    @property
    def decided(self) -> bool:
        """Whether zero lies outside: for a difference, whether there is one."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Arm:
    """How many were tried, and how many of them did it."""

    successes: int
    trials: int

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.trials:
            raise ValueError(f"{self.successes} of {self.trials} is no proportion")

    @property
    def rate(self) -> float:
        """The proportion; 0 of 0 is 0."""
        return self.successes / self.trials if self.trials else 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The sums of a measured quantity: how many, their total, the total of their squares."""

    count: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        """The mean; of nothing 0."""
        return self.total / self.count if self.count else 0.0

    @property
    def error(self) -> float:
        """The variance of the mean."""
        spread = (self.squares - self.count * self.mean**2) / (self.count - 1)
        return max(0.0, spread) / self.count


def wilson(arm: Arm, level: float = 0.95) -> Interval:
    """Return the score interval of a proportion (Wilson 1927). Of no trials it is 0 to 1."""
    if not arm.trials:
        return Interval(0.0, 0.0, 1.0, level)
    z, n, rate = _z(level), arm.trials, arm.rate
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return Interval(rate, max(0.0, middle - half), min(1.0, middle + half), level)


def difference(one: Arm, other: Arm, level: float = 0.95) -> Interval:
    """Return the difference of two proportions, *one* minus *other* (Newcombe 1998, method 10).

    For one look at the end of a test; who looks every day asks `sequential`.
    """
    a, b = wilson(one, level), wilson(other, level)
    low = math.hypot(a.estimate - a.low, b.high - b.estimate)
    high = math.hypot(a.high - a.estimate, b.estimate - b.low)
    gap = a.estimate - b.estimate
    return Interval(gap, gap - low, gap + high, level)


def net_share(promoters: int, detractors: int, answers: int, level: float = 0.95) -> Interval:
    """Return the share of *promoters* minus that of *detractors* among *answers*, as the net promoter score is made.

    Both come from one multinomial sample, so its variance is (p + d - (p - d)²) / n (Rocks 2016, The American
    Statistician 70: 365–372); the normal interval, within -1 to 1. Of no answers it is all of that.
    """
    if not answers:
        return Interval(0.0, -1.0, 1.0, level)
    if promoters + detractors > answers or min(promoters, detractors) < 0:
        raise ValueError(f"{promoters} and {detractors} of {answers} are no shares")
    p, d = promoters / answers, detractors / answers
    half = _z(level) * math.sqrt(max(0.0, p + d - (p - d) ** 2) / answers)
    return Interval(p - d, max(-1.0, p - d - half), min(1.0, p - d + half), level)


def mean_difference(one: Sample, other: Sample, level: float = 0.95) -> Interval | None:
    """Return the difference of two means, *one* minus *other*; None with fewer than two in either.

    The normal interval: with the thousands of contacts of a campaign it agrees with Welch's.
    """
    if one.count < 2 or other.count < 2:
        return None
    gap, half = one.mean - other.mean, _z(level) * math.sqrt(one.error + other.error)
    return Interval(gap, gap - half, gap + half, level)


def sample_size(base: float, target: float, *, power: float = 0.8, significance: float = 0.05) -> int:
    """Return how many contacts each arm needs to tell a rate of *target* from *base* (both 0 to 1, two-sided).

    Raises `ValueError` when there is no difference to find or a rate is not between 0 and 1.
    """
    if not (0 < base < 1 and 0 < target < 1) or base == target:
        raise ValueError("base and target are two different rates between 0 and 1")
    alpha, beta = _NORMAL.inv_cdf(1 - significance / 2), _NORMAL.inv_cdf(power)
    spread = alpha * math.sqrt(2 * base * (1 - base)) + beta * math.sqrt(base * (1 - base) + target * (1 - target))
    return round((spread / (target - base)) ** 2)


@dataclass(frozen=True, slots=True)
class Sequential:
    """What may be said now of a test that is looked at whenever one likes: *interval* holds at every look at once."""

    interval: Interval
    p: float

    @property
    def decided(self) -> bool:
        """Whether the arms differ. Once true the test may be ended; until then the answer is "no decision"."""
        return self.interval.decided


def sequential(one: Arm, other: Arm, *, expected: float = 0.02, level: float = 0.95) -> Sequential:
    """Compare two proportions with the mixture sequential probability ratio test (Johari et al. 2017).

    False alarms stay below 1 - *level* however often one looks. *expected*: the difference one hopes to see; a wrong
    guess costs time, not truth. Rates are drawn towards one half by one success and one failure an arm, so that a
    few first results do not look like certainty.
    """
    if not one.trials or not other.trials:
        return Sequential(Interval(0.0, -1.0, 1.0, level), 1.0)
    gap, variance = one.rate - other.rate, _variance(one) + _variance(other)
    mixed, prior = variance + expected**2, expected**2
    evidence = 0.5 * math.log(variance / mixed) + prior * gap**2 / (2 * variance * mixed)
    half = math.sqrt(variance * mixed / prior * (2 * math.log(1 / (1 - level)) + math.log(mixed / variance)))
    return Sequential(Interval(gap, max(-1.0, gap - half), min(1.0, gap + half), level), math.exp(-max(0.0, evidence)))


def _variance(arm: Arm) -> float:
    rate = (arm.successes + 1) / (arm.trials + 2)
    return rate * (1 - rate) / arm.trials


def _z(level: float) -> float:
    return _NORMAL.inv_cdf(0.5 + level / 2)
