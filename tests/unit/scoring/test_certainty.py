"""Intervals hold what they should: against a formula that is known, a simulated company, and the papers' errors."""

from __future__ import annotations

import math
import random

import pytest

from vinculo.scoring import outlook, purchasing
from vinculo.scoring.certainty import covariance, inverse, positive, share, variance
from vinculo.scoring.purchasing import Past, Purchasing
from vinculo.scoring.spending import Spent

CDNOW = Purchasing(0.243, 4.414, 0.793, 2.426)


def test_a_known_covariance_is_found_again() -> None:
    """Of a normal log-likelihood it is the matrix itself."""
    known = [[2.0, 0.6], [0.6, 0.5]]
    precision = inverse(known)
    assert precision

    def log_likelihood(point) -> float:
        return -variance(point, precision) / 2

    found = covariance(log_likelihood, [0.0, 0.0])
    assert found
    assert [value for row in found for value in row] == pytest.approx([2.0, 0.6, 0.6, 0.5], rel=1e-4)


def test_what_has_no_top_has_no_covariance() -> None:
    assert covariance(lambda point: point[0], [0.0]) is None
    assert covariance(lambda point: point[0] ** 2, [0.0]) is None
    assert inverse([[1.0, 1.0], [1.0, 1.0]]) is None


def test_an_interval_stays_within_what_can_be() -> None:
    assert positive(2.0, 100.0).low > 0
    assert 0 < share(0.999, 50.0).low < 0.999 < share(0.999, 50.0).high <= 1
    assert (share(1.0, 0.0).low, share(1.0, 0.0).high) == (1, 1)
    assert positive(2.0, 0.0).low == 2


def test_the_true_figure_lies_in_the_interval_as_often_as_it_says() -> None:
    """Sixteen companies drawn from one truth: of 95 in 100 the interval holds it; fewer than 12 of 16 would be odd."""
    chance = random.Random(11)
    truth, past, held = Purchasing(0.8, 6.0, 0.9, 2.5), Past(2, 20.0, 40.0), 0
    for _ in range(16):
        pasts = [_lived(chance, truth, 40.0) for _ in range(400)]
        models = outlook.models(pasts, [])
        assert models.purchasing_spread
        told = outlook.foresight(models, 52)(past, None)
        held += told.expected.low <= truth.expected(past, 52) <= told.expected.high
    assert held >= 12


def test_the_wait_is_when_half_of_those_alike_have_bought_again() -> None:
    chance, past, waits = random.Random(4), Past(3, 30.0, 32.0), []
    while len(waits) < 20_000:
        rate, leaves = chance.gammavariate(CDNOW.r + past.x, 1 / (CDNOW.alpha + past.T)), 1 - CDNOW.alive(past)
        waits.append(math.inf if chance.random() < leaves else chance.expovariate(rate))
    waits.sort()
    assert CDNOW.wait(past) == pytest.approx(waits[10_000], rel=0.05)
    assert CDNOW.wait(Past(5, 2.0, 38.0)) is None  # gone, as likely as not


def test_the_outlook_of_who_spent_something_unknown_has_no_value() -> None:
    pasts = [_lived(random.Random(seed), CDNOW, 38.0) for seed in range(800)]
    spent = [Spent(each.x, 10.0 + number % 7) for number, each in enumerate(pasts) if each.x]
    foresee = outlook.foresight(outlook.models(pasts, spent), 52)
    assert foresee(Past(2, 20, 38), None).value is None
    told = foresee(Past(2, 20, 38), Spent(2, 12.0))
    assert told.value
    assert told.value.low < told.value.estimate < told.value.high
    assert told == foresee(Past(2, 20, 38), Spent(2, 12.0))


def _lived(chance: random.Random, model: Purchasing, weeks: float) -> Past:
    rate, leaves = chance.gammavariate(model.r, 1 / model.alpha), chance.betavariate(model.a, model.b)
    at, x, last = 0.0, 0, 0.0
    while (at := at + chance.expovariate(rate)) < weeks:
        x, last = x + 1, at
        if chance.random() < leaves:
            break
    return Past(x, last, weeks)


def test_too_little_has_no_certainty_either() -> None:
    assert outlook.models([Past(0, 0.0, 10.0)] * 50, []) == outlook.Models()
    assert purchasing.fit([]) is None
