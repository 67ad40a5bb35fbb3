"""Engagement: people's openings, clicks, visits and answers, halved every thirty days; machines count nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vinculo import scoring
from vinculo.scoring import Rules

RULES, NOW = Rules("BRL"), datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("done", "engagement"),
    [
        ([], 0),
        ([("opened", 0)], 9.0),  # 1 / 11
        ([("clicked", 0)] * 4, 54.5),  # 12 / 22, as docs/scores.md says
        ([("replied", 0)], 33.3),
        ([("replied", 30)], 20.0),
        ([("replied", 179)], 1.5),  # 5 / 32 of a point
        ([("replied", 180)], 0),
        ([("visited", 29), ("surveyed", 59)], 28.5),
        ([("purchased", 0), ("sent", 0), ("auto_replied", 0)], 0),
        ([("opened", -1)], 0),  # not yet
    ],
)
def test_the_documented_formula(engine, people, does, scores, done, engagement) -> None:
    with engine.begin() as db:
        one, other = people(db, 2)
        for kind, days in done:
            does(db, one, NOW - timedelta(days=days), kind=kind)
        scoring.run(db, NOW, RULES)
        assert (scores(db)[one].engagement, scores(db)[other].engagement) == (engagement, 0)


def test_machines_and_proxies_are_not_engaged(engine, now, people, does, scores) -> None:
    with engine.begin() as db:
        one, person = people(db, 2)
        does(db, one, now, kind="opened", **{"class": "proxy"})
        does(db, one, now, kind="clicked", **{"class": "machine"})
        does(db, person, now, kind="clicked", **{"class": "human"})
        scoring.run(db, now, RULES)
        assert (scores(db)[one].engagement, scores(db)[person].engagement) == (0, 23.0)


def test_it_fades_while_nothing_happens(engine, now, people, does, scores) -> None:
    with engine.begin() as db:
        (one,) = people(db, 1)
        does(db, one, now, kind="clicked")
        told = []
        for days in range(0, 210, 30):
            scoring.run(db, now + timedelta(days=days), RULES)
            told.append(scores(db)[one].engagement)
    assert told == sorted(told, reverse=True)
    assert (told[0], told[-1]) == (23.0, 0)
