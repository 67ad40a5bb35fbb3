"""Our intervals are the published ones, and looking every day does not make a difference appear."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.stats import Arm, Sample, difference, mean_difference, net_share, sample_size, sequential, wilson


def test_wilsons_interval_is_the_one_newcombe_printed() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I: 81 of 263, and 0 of 20.
    assert (wilson(Arm(81, 263)).low, wilson(Arm(81, 263)).high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert (wilson(Arm(0, 20)).low, wilson(Arm(0, 20)).high) == pytest.approx((0.0, 0.1611), abs=5e-5)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [  # Newcombe 1998, Statistics in Medicine 17:873, table II, method 10
        (Arm(56, 70), Arm(48, 80), 0.0524, 0.3339),
        (Arm(9, 10), Arm(3, 10), 0.1705, 0.8090),
        (Arm(5, 56), Arm(0, 29), -0.0381, 0.1926),
        (Arm(10, 10), Arm(0, 10), 0.6075, 1.0),
    ],
)
def test_the_difference_of_two_rates_is_the_one_newcombe_printed(one: Arm, other: Arm, low: float, high: float) -> None:
    found = difference(one, other)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_the_size_of_a_test_is_evan_millers() -> None:
    assert sample_size(0.20, 0.25) == 1030


def test_a_test_without_a_difference_to_find_is_refused() -> None:
    with pytest.raises(ValueError, match="two different rates"):
        sample_size(0.2, 0.2)
    with pytest.raises(ValueError, match="5 of 4"):
        Arm(5, 4)


def test_looking_every_day_finds_nothing_where_there_is_nothing() -> None:
    chance = random.Random(7)
    alarms = sum(_ever_decided(chance, 0.10, 0.10) for _ in range(400))
    assert alarms <= 20  # 5 % of 400


def test_looking_every_day_finds_a_difference_that_is_there() -> None:
    chance = random.Random(8)
    assert sum(_ever_decided(chance, 0.10, 0.16) for _ in range(40)) >= 36


def _ever_decided(chance: random.Random, one: float, other: float) -> bool:
    a = b = 0
    for day in range(1, 31):
        a += chance.binomialvariate(100, one) if hasattr(chance, "binomialvariate") else _draw(chance, one)
        b += chance.binomialvariate(100, other) if hasattr(chance, "binomialvariate") else _draw(chance, other)
        if sequential(Arm(a, day * 100), Arm(b, day * 100)).decided:
            return True
    return False


def _draw(chance: random.Random, rate: float) -> int:
    return sum(chance.random() < rate for _ in range(100))


def test_the_sequential_p_and_its_interval_say_the_same() -> None:
    for successes in range(100, 200, 5):
        found = sequential(Arm(successes, 1000), Arm(100, 1000))
        assert found.decided == (found.p < 0.05)


def test_without_trials_nothing_is_decided() -> None:
    assert not sequential(Arm(0, 0), Arm(5, 10)).decided
    assert not difference(Arm(0, 0), Arm(5, 10)).decided


def test_a_difference_of_means_needs_two_of_each() -> None:
    one, other = Sample(4, 40, 402), Sample(4, 20, 102)
    found = mean_difference(one, other)
    assert found
    assert found.estimate == 5
    assert found.decided
    assert mean_difference(Sample(1, 3, 9), other) is None


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 2000), st.data())
def test_every_interval_holds_its_estimate(trials: int, data: st.DataObject) -> None:
    arm = Arm(data.draw(st.integers(0, trials)), trials)
    for found in (wilson(arm), difference(arm, Arm(1, 3)), sequential(arm, Arm(1, 3)).interval):
        assert found.low - 1e-9 <= found.estimate <= found.high + 1e-9


# ── the net promoter score ───────────────────────────────────────────────────────────────────────────────────────
def test_a_net_share_has_the_variance_of_two_shares_of_one_sample() -> None:
    found = net_share(50, 20, 100)
    half = 1.959964 * ((0.5 + 0.2 - 0.09) / 100) ** 0.5
    assert (found.estimate, found.low, found.high) == pytest.approx((0.3, 0.3 - half, 0.3 + half))


def test_a_net_share_equals_the_mean_of_what_each_counts_for() -> None:
    values = [1] * 31 + [0] * 40 + [-1] * 29
    spread = sum((one - 0.02) ** 2 for one in values) / 100
    found = net_share(31, 29, 100)
    assert (found.high - found.estimate) == pytest.approx(1.959964 * (spread / 100) ** 0.5)


def test_a_net_share_stays_within_all_and_none() -> None:
    assert (net_share(9, 0, 10).high, net_share(0, 0, 0).low, net_share(10, 0, 10).low) == (1.0, -1.0, 1.0)
    with pytest.raises(ValueError, match="no shares"):
        net_share(8, 3, 10)
