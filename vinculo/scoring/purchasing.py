"""How often a contact will buy again: the BG/NBD model (Fader, Hardie and Lee 2005, Marketing Science 24:275).

While "alive" a contact buys at a rate of its own, and after each purchase leaves with a chance of its own; the rates
are spread over contacts as a gamma (r, alpha), the chances as a beta (a, b). Time is in weeks.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import lgamma, log

from vinculo.scoring.certainty import Matrix, covariance
from vinculo.scoring.simplex import minimise

#: Fewer contacts than this, or fewer that came back, say nothing about the rest.
FEWEST_CONTACTS = 100
FEWEST_RETURNED = 20
_EXTREME = 15.0
#: Logarithm of a parameter beyond which the likelihood is flat: the data do not tell when, or whether, contacts stop.
_UNTOLD = 8.0
_MOST_TERMS = 10_000


@dataclass(frozen=True, slots=True)
class Past:
    """A contact's past: *x* days with a purchase after the first day, *tx* weeks between them, *T* weeks until now."""

    x: int
    tx: float
    T: float


@dataclass(frozen=True, slots=True)
class Purchasing:
    """The fitted parameters, with the log-likelihood they reach and how many contacts they come from."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float = math.nan
    contacts: int = 0

    def alive(self, past: Past) -> float:
        """Return the probability that the contact will buy again. Of one purchase the model knows no end: 1."""
        return 1.0 / (1.0 + self._gone(past))

    def expected(self, past: Past, weeks: float) -> float:
        """Return the purchases expected in the next *weeks* (the paper's equation 10)."""
        r, alpha, b, x = self.r, self.alpha, self.b, past.x
        a = self.a if abs(self.a - 1) > 1e-6 else 1 + 1e-6  # the formula divides by a - 1; its limit is smooth
        z = weeks / (alpha + past.T + weeks)
        # Euler's transformation of the paper's 2F1(r+x, b+x; a+b+x-1; z): the same value, in few terms for any x.
        rest = math.pow(1 - z, a - 1) * hypergeometric(a + b - 1 - r, a - 1, a + b + x - 1, z)
        return (a + b + x - 1) / (a - 1) * (1 - rest) * self.alive(past)

    def wait(self, past: Past, chance: float = 0.5) -> float | None:
        """Return after how many weeks the contact will have bought again with *chance*; None if never so likely."""
        left = 1 - chance / self.alive(past)
        if left <= 0:
            return None
        return (self.alpha + past.T) * (math.pow(left, -1 / (self.r + past.x)) - 1)

    def logs(self) -> list[float]:
        """The logarithms of the four parameters: they have no bounds."""
        return [log(value) for value in (self.r, self.alpha, self.a, self.b)]

    def _gone(self, past: Past) -> float:
        if past.x == 0:
            return 0.0
        decay = (self.r + past.x) * log((self.alpha + past.T) / (self.alpha + past.tx))
        return self.a / (self.b + past.x - 1) * math.exp(min(decay, 700.0))


def hypergeometric(a: float, b: float, c: float, z: float) -> float:
    """Return Gauss's 2F1(a, b; c; z) for 0 <= z < 1 by its series."""
    term = total = 1.0
    for n in range(_MOST_TERMS):
        term *= (a + n) * (b + n) / ((c + n) * (n + 1)) * z
        total += term
        if abs(term) < 1e-15 * abs(total):
            break
    return total


def log_likelihood(model: Purchasing, pasts: Mapping[Past, int]) -> float:
    """Return the log-likelihood of *pasts* (each with how many contacts have it)."""
    return _likelihood(model, _grouped(pasts))


def fit(pasts: Iterable[Past]) -> Purchasing | None:
    """Fit the model by maximum likelihood; None when there is too little to learn from, or no answer in it."""
    counted = Counter(pasts)
    contacts = sum(counted.values())
    returned = sum(count for past, count in counted.items() if past.x)
    if contacts < FEWEST_CONTACTS or returned < FEWEST_RETURNED:
        return None
    groups = _grouped(counted)
    scale = sum(past.T * count for past, count in counted.items()) / contacts

    def cost(point: Sequence[float]) -> float:
        if any(abs(value) > _EXTREME for value in point):
            return math.inf
        return -_likelihood(_model(point, scale), groups) / contacts

    best = minimise(cost, [0.0, 0.0, 0.0, 0.0])
    best = minimise(cost, best, step=0.1, close=1e-11)  # afresh: the simplex may have gone flat on the way
    if any(abs(value) > _UNTOLD for value in best):
        return None
    model = _model(best, scale)
    return Purchasing(model.r, model.alpha, model.a, model.b, -cost(best) * contacts, contacts)


def uncertainty(model: Purchasing, pasts: Iterable[Past]) -> Matrix | None:
    """Return the covariance of the logarithms of *model*'s parameters, fitted on *pasts*; None when they have none."""
    groups = _grouped(Counter(pasts))
    return covariance(lambda point: _likelihood(_model(point, 4.0), groups), model.logs())


def _model(point: Sequence[float], scale: float) -> Purchasing:
    r, alpha, a, b = map(math.exp, point)
    return Purchasing(r, alpha * scale / 4, a, b)


_Groups = Mapping[int, Sequence[tuple[float, float, int]]]


def _grouped(pasts: Mapping[Past, int]) -> _Groups:
    groups: dict[int, list[tuple[float, float, int]]] = defaultdict(list)
    for past, count in pasts.items():
        groups[past.x].append((past.tx, past.T, count))
    return groups


def _likelihood(model: Purchasing, groups: _Groups) -> float:
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    total, start = 0.0, r * log(alpha) - lgamma(r) + lgamma(a + b) - lgamma(b)
    for x, cells in groups.items():
        common = start + lgamma(r + x) + lgamma(b + x) - lgamma(a + b + x)
        gone, power = (a / (b + x - 1), r + x) if x else (0.0, r)
        for tx, age, count in cells:
            stayed = -power * log(alpha + age)
            left = gone * math.exp(min(700.0, power * log((alpha + age) / (alpha + tx)))) if x else 0.0
            total += count * (common + stayed + log(1.0 + left))
    return total
