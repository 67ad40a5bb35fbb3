"""Fifths: equal values are equal, each fifth holds what it should, and sums are those of plain Python."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from datetime import timedelta

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo import scoring
from vinculo.contacts import erase
from vinculo.db.tables import interaction
from vinculo.scoring import Rules
from vinculo.scoring.rfm import fifths

RULES = Rules("BRL")


def plainly(values: list[int], value: int) -> int:
    """The definition: the fifth in which the middle one of the equals lies."""
    less, equals = sum(one < value for one in values), values.count(value)
    return 1 + 5 * (2 * less + equals) // (2 * len(values))


@given(st.lists(st.integers(-3, 12) | st.integers(-(10**9), 10**9), min_size=1, max_size=60))
@settings(deadline=None, max_examples=300)
def test_the_cuts_say_what_the_definition_says(values: list[int]) -> None:
    cut = fifths(Counter(values))
    assert [1 + bisect_right(cut, value) for value in values] == [plainly(values, value) for value in values]


def test_of_nobody_there_are_no_fifths() -> None:
    assert fifths({}) == []


def test_a_hundred_different_values_are_five_fifths_of_twenty() -> None:
    cut = fifths(Counter(range(100)))
    assert cut == [20, 40, 60, 80]


def test_who_bought_on_the_same_day_is_as_recent(engine, now, people, does, scores) -> None:
    with engine.begin() as db:
        ids = people(db, 10)
        for place, owner in enumerate(ids):
            does(db, owner, now - timedelta(hours=2 * place), 100)
        scoring.run(db, now, RULES)
        assert {scores(db)[owner].r for owner in ids} == {3}


def test_a_gift_is_a_purchase_and_a_refund_alone_is_none(engine, now, people, does, scores) -> None:
    with engine.begin() as db:
        gifted, refunded = people(db, 2)
        does(db, gifted, now, 0)
        does(db, refunded, now, -500)
        fitted = scoring.run(db, now, RULES)
        found = scores(db)
    assert (found[gifted].frequency, found[gifted].value, found[gifted].r) == (1, 0, 3)
    assert (found[refunded].frequency, found[refunded].value, found[refunded].r) == (0, -500, None)
    assert fitted.stages == {"conversion": 1, "awareness": 1}


def test_whose_purchases_are_gone_has_none(engine, now, people, does, scores) -> None:
    """After a merge the purchases are another's."""
    with engine.begin() as db:
        one, two = people(db, 2)
        does(db, one, now - timedelta(days=1), 100)
        scoring.run(db, now - timedelta(hours=1), RULES)
        db.execute(sa.update(interaction).values(contact_id=two))
        scoring.run(db, now, RULES)
        found = scores(db)
    assert (found[one].frequency, found[one].value, found[one].recency, found[one].r) == (0, 0, None, None)
    assert (found[two].frequency, found[two].value) == (1, 100)


def test_the_erased_get_no_row_though_what_they_bought_still_counts(engine, now, people, does, scores) -> None:
    with engine.begin() as db:
        one, two = people(db, 2)
        does(db, one, now, 100)
        does(db, two, now, 100)
        erase(db, one, now)
        assert scoring.run(db, now, RULES).contacts == 1
        assert set(scores(db)) == {two}
