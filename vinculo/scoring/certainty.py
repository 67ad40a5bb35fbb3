"""How sure fitted parameters are, and what that means for what is worked out from them.

Near its top the log-likelihood falls like a parabola; how steeply says how far off the parameters may be (the inverse
of the observed information). What is worked out from them is off in proportion (the delta method). No chance is in it:
the same data give the same interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

from vinculo.stats import Interval

Matrix = list[list[float]]
#: Of the logarithm of a parameter: small beside its error, large beside what the likelihood is exact to.
_STEP = 1e-3


def covariance(log_likelihood: Callable[[Sequence[float]], float], top: Sequence[float]) -> Matrix | None:
    """Return the covariance of the parameters at *top*, where *log_likelihood* is highest; None when it has no top."""
    size = len(top)
    information: Matrix = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            information[i][j] = information[j][i] = -_curvature(log_likelihood, top, i, j)
    found = inverse(information)
    return found if found and all(found[i][i] > 0 for i in range(size)) else None


def _curvature(function: Callable[[Sequence[float]], float], point: Sequence[float], i: int, j: int) -> float:
    def at(one: float, other: float) -> float:
        moved = list(point)
        moved[i] += one * _STEP
        moved[j] += other * _STEP
        return function(moved)

    return (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * _STEP * _STEP)


def inverse(matrix: Matrix) -> Matrix | None:
    """Return the inverse of a square matrix (Gauss and Jordan); None when there is none."""
    size = len(matrix)
    rows = [[*row, *(float(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda k: abs(rows[k][i]))
        if not math.isfinite(rows[pivot][i]) or abs(rows[pivot][i]) < 1e-12:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for k in range(size):
            if k != i:
                factor = rows[k][i]
                rows[k] = [value - factor * other for value, other in zip(rows[k], rows[i], strict=True)]
    return [row[size:] for row in rows]


def variance(slope: Sequence[float], spread: Matrix) -> float:
    """Return the variance of what has *slope* in each parameter, whose covariance is *spread*."""
    found = sum(one * spread[i][j] * other for i, one in enumerate(slope) for j, other in enumerate(slope))
    return max(0.0, found)


def positive(estimate: float, variance_of_log: float, level: float = 0.95) -> Interval:
    """Return the interval of what cannot fall below nothing, from the variance of its logarithm."""
    factor = math.exp(min(700.0, _z(level) * math.sqrt(variance_of_log)))
    return Interval(estimate, estimate / factor, estimate * factor, level)


def share(estimate: float, variance_of_logit: float, level: float = 0.95) -> Interval:
    """Return the interval of a share of 1, from the variance of its logit."""
    if not 0 < estimate < 1:
        return Interval(estimate, estimate, estimate, level)
    centre, half = math.log(estimate / (1 - estimate)), _z(level) * math.sqrt(variance_of_logit)
    low, high = (1 / (1 + math.exp(min(700.0, -edge))) for edge in (centre - half, centre + half))
    return Interval(estimate, low, high, level)


def _z(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2)
