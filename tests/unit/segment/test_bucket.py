"""Samples: fair, stable, independent of one another, the same wherever they are computed."""

from __future__ import annotations

import sqlalchemy as sa

from vinculo.segment import bucket, bucket_of

IDS = range(1, 20_001)


def test_the_databases_and_python_agree_to_the_last_bit(engine: sa.Engine) -> None:
    ids = sa.column("id", sa.BigInteger)
    with engine.connect() as db:
        for number in (1, 2, 17, 2**31 - 1, 2**31, 2**40 + 5):
            row = sa.select(sa.literal(number, sa.BigInteger).label("id")).subquery()
            assert db.execute(sa.select(bucket(row.c[ids.name], "é"))).scalar_one() == bucket_of(number, "é")


def test_ten_percent_are_ten_percent() -> None:
    for salt in ("", "spring", "a", "b"):
        share = sum(bucket_of(number, salt) < 0.1 for number in IDS) / len(IDS)
        assert abs(share - 0.1) < 0.01


def test_ten_buckets_are_filled_evenly() -> None:
    counts = [0] * 10
    for number in IDS:
        counts[int(bucket_of(number, "x") * 10)] += 1
    assert sum((count - 2000) ** 2 / 2000 for count in counts) < 33  # chi-squared, 9 degrees: p > 0.0001


def test_another_salt_chooses_independently() -> None:
    both = sum(bucket_of(number, "a") < 0.5 and bucket_of(number, "b") < 0.5 for number in IDS)
    assert abs(both / len(IDS) - 0.25) < 0.015


def test_neighbours_fall_independently() -> None:
    pairs = sum(bucket_of(n, "a") < 0.5 and bucket_of(n + 1, "a") < 0.5 for n in IDS)
    assert abs(pairs / len(IDS) - 0.25) < 0.015
