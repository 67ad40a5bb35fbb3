"""The models give the papers' numbers, and find again the parameters of a simulated company."""

from __future__ import annotations

import math
import random
from collections import Counter
from itertools import pairwise

import pytest

from vinculo.scoring import purchasing, spending
from vinculo.scoring.purchasing import Past, Purchasing, hypergeometric
from vinculo.scoring.simplex import minimise
from vinculo.scoring.spending import Spending, Spent

#: CDNOW, as fitted in Fader, Hardie and Lee 2005.
CDNOW = Purchasing(0.243, 4.414, 0.793, 2.426)


def test_the_papers_contact_is_expected_to_buy_1_226_times() -> None:
    assert CDNOW.expected(Past(2, 30.43, 38.86), 39) == pytest.approx(1.226, abs=0.001)


def test_the_papers_contact_is_alive_with_0_73() -> None:
    # Fader, Hardie and Lee 2008, "Computing P(alive) using the BG/NBD model", for the same contact.
    assert CDNOW.alive(Past(2, 30.43, 38.86)) == pytest.approx(0.7266, abs=0.001)
    assert CDNOW.alive(Past(0, 0, 38.86)) == 1


def test_expectation_is_the_integral_of_the_buying_rate() -> None:
    """A simulated crowd with the contact's own past buys as often as the formula says."""
    chance = random.Random(3)
    past = Past(1, 5.0, 20.0)
    assert _simulated(chance, past, 30) == pytest.approx(CDNOW.expected(past, 30), rel=0.08)


def test_eulers_form_of_the_hypergeometric_function_is_the_same_number() -> None:
    assert hypergeometric(1, 1, 2, 0.5) == pytest.approx(2 * math.log(2))
    assert hypergeometric(0.5, 1, 1.5, 0.25) == pytest.approx(math.atanh(0.5) / 0.5)


def test_a_value_of_a_near_one_is_no_special_case() -> None:
    near = [Purchasing(0.3, 5, a, 2.5).expected(Past(3, 10, 20), 52) for a in (0.9999, 1.0, 1.0001)]
    assert near[0] == pytest.approx(near[1], rel=1e-3)
    assert near[1] == pytest.approx(near[2], rel=1e-3)


def test_the_parameters_of_a_simulated_company_are_found_again() -> None:
    chance = random.Random(1)
    truth = Purchasing(0.8, 6.0, 0.9, 2.5)
    pasts = [_lived(chance, truth, 20 + 32 * chance.random()) for _ in range(6000)]
    found = purchasing.fit(pasts)
    assert found
    assert (found.r, found.alpha) == pytest.approx((truth.r, truth.alpha), rel=0.1)
    assert found.a / (found.a + found.b) == pytest.approx(truth.a / (truth.a + truth.b), rel=0.15)
    assert found.log_likelihood >= purchasing.log_likelihood(truth, Counter(pasts))


def test_too_few_purchases_are_politely_refused() -> None:
    assert purchasing.fit([Past(1, 2, 3)] * 99) is None
    assert purchasing.fit([Past(0, 0, 3)] * 500) is None
    assert spending.fit([Spent(2, 10.0)] * 19) is None
    assert spending.fit([Spent(2, 10.0)] * 50) is None


def test_the_gamma_gamma_model_gives_the_papers_means() -> None:
    # Fader and Hardie 2013, CDNOW: p 6.25, q 3.74, gamma 15.44; the mean of all contacts is 35.2.
    model = Spending(6.25, 3.74, 15.44)
    assert model.expected(Spent(0, 0)) == pytest.approx(35.2, abs=0.1)
    # The more purchases, the nearer to the contact's own mean.
    assert [model.expected(Spent(x, 100.0)) for x in (0, 1, 5, 50)] == sorted(
        model.expected(Spent(x, 100.0)) for x in (0, 1, 5, 50)
    )
    assert model.expected(Spent(1000, 100.0)) == pytest.approx(100, rel=0.01)


def test_the_spending_of_a_simulated_company_is_found_again() -> None:
    chance = random.Random(2)
    truth = Spending(6.25, 3.74, 1544.0)
    spent = []
    for _ in range(4000):
        rate = chance.gammavariate(truth.q, 1 / truth.v)
        x = chance.randint(1, 8)
        spent.append(Spent(x, sum(chance.gammavariate(truth.p, 1 / rate) for _ in range(x)) / x))
    found = spending.fit(spent)
    assert found
    assert (found.p, found.q) == pytest.approx((truth.p, truth.q), rel=0.08)
    assert found.expected(Spent(0, 0)) == pytest.approx(truth.expected(Spent(0, 0)), rel=0.05)


def test_the_simplex_finds_rosenbrocks_valley() -> None:
    found = minimise(lambda p: (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2, [-1.2, 1.0], close=1e-14)
    assert found == pytest.approx([1, 1], abs=1e-4)


def _lived(chance: random.Random, model: Purchasing, weeks: float) -> Past:
    rate, leaves = chance.gammavariate(model.r, 1 / model.alpha), chance.betavariate(model.a, model.b)
    at, x, last = 0.0, 0, 0.0
    while (at := at + chance.expovariate(rate)) < weeks:
        x, last = x + 1, at
        if chance.random() < leaves:
            break
    return Past(x, last, weeks)


def _simulated(chance: random.Random, past: Past, weeks: float) -> float:
    """Importance sampling: contacts drawn from the model, weighted by how likely the past is for each."""
    bought = weight = 0.0
    for _ in range(60_000):
        rate, leaves = chance.gammavariate(CDNOW.r, 1 / CDNOW.alpha), chance.betavariate(CDNOW.a, CDNOW.b)
        stayed = (1 - leaves) ** past.x * rate**past.x * math.exp(-rate * past.T)
        left = leaves * (1 - leaves) ** (past.x - 1) * rate**past.x * math.exp(-rate * past.tx)
        weight += stayed + left
        bought += stayed * (1 - math.exp(-rate * leaves * weeks)) / leaves
    return bought / weight


def test_more_recent_is_more_alive() -> None:
    chances = [CDNOW.alive(Past(3, tx, 50)) for tx in (5, 20, 35, 50)]
    assert all(one < other for one, other in pairwise(chances))


def test_when_nobody_seems_to_stop_the_model_says_nothing_rather_than_nonsense() -> None:
    """Everybody buys every four weeks to this day: how and when contacts stop is not in the data."""
    assert purchasing.fit(Past(12, 48.0, 48.0 + week / 10) for week in range(60)) is None
