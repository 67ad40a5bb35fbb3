"""What a purchase of a contact is worth: the gamma-gamma model (Fader and Hardie 2013, "The Gamma-Gamma Model of
Monetary Value").

A contact's purchases spread around a mean of its own (shape p); the means are spread over contacts (shape q, scale v).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import lgamma, log

from vinculo.scoring.certainty import Matrix, covariance
from vinculo.scoring.simplex import minimise

FEWEST_RETURNED = 20
_EXTREME = 20.0


@dataclass(frozen=True, slots=True)
class Spent:
    """A contact's *x* purchases and their *mean* amount, above 0."""

    x: int
    mean: float


@dataclass(frozen=True, slots=True)
class Spending:
    """The fitted parameters."""

    p: float
    q: float
    v: float

    def expected(self, spent: Spent) -> float:
        """Return the mean amount of the contact's purchases to come; of x = 0 it is the mean of all contacts.

        With q <= 1 the mean of all contacts is infinite, and only the contact's own purchases count.
        """
        px = self.p * spent.x
        if self.q <= 1:
            return spent.mean
        return (self.v * self.p + px * spent.mean) / (px + self.q - 1)

    def logs(self) -> list[float]:
        """The logarithms of the three parameters: they have no bounds."""
        return [log(value) for value in (self.p, self.q, self.v)]


def log_likelihood(model: Spending, spent: Iterable[Spent]) -> float:
    """Return the log-likelihood of *spent* (contacts with x > 0 and a mean above 0)."""
    p, q, v = model.p, model.q, model.v
    total, start = 0.0, q * log(v) - lgamma(q)
    for each in spent:
        px = p * each.x
        total += start + lgamma(px + q) - lgamma(px) + (px - 1) * log(each.mean) + px * log(each.x)
        total -= (px + q) * log(v + each.x * each.mean)
    return total


def fit(spent: Sequence[Spent]) -> Spending | None:
    """Fit the model by maximum likelihood; None when there is too little to learn from."""
    used = [each for each in spent if each.x > 0 and each.mean > 0]
    if len(used) < FEWEST_RETURNED or len({each.mean for each in used}) == 1:
        return None
    scale = sum(each.mean for each in used) / len(used)
    relative = [Spent(each.x, each.mean / scale) for each in used]

    def cost(point: Sequence[float]) -> float:
        if any(abs(value) > _EXTREME for value in point):
            return math.inf
        return -log_likelihood(_model(point), relative) / len(relative)

    best = minimise(cost, minimise(cost, [1.0, 1.0, 0.0]), step=0.1, close=1e-11)
    found = _model(best)
    return Spending(found.p, found.q, found.v * scale)


def uncertainty(model: Spending, spent: Sequence[Spent]) -> Matrix | None:
    """Return the covariance of the logarithms of *model*'s parameters, fitted on *spent*; None when they have none."""
    used = [each for each in spent if each.x > 0 and each.mean > 0]
    return covariance(lambda point: log_likelihood(_model(point), used), model.logs())


def _model(point: Sequence[float]) -> Spending:
    p, q, v = map(math.exp, point)
    return Spending(p, q, v)
