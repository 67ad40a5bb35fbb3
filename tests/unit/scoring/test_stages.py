"""Stages by the rules of a file; contacts move both ways, and each change is one line of history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from vinculo import history, scoring
from vinculo.db.tables import interaction
from vinculo.project import USUAL, Lifecycle
from vinculo.scoring import Rules
from vinculo.segment import Segment

RULES, NOW = Rules("BRL"), datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("done", "stage"),
    [
        ((), "awareness"),
        (("clicked", 1), "acquisition"),
        (("purchased", 10), "conversion"),
        (("purchased", 10, 100), "conversion"),
        (("purchased", 10, 100, 400), "loyalty"),
        (("purchased", 180), "conversion"),
        (("purchased", 181), "reactivation"),
        (("purchased", 181, 200, 300, 400), "reactivation"),
    ],
)
def test_each_usual_stage_is_reached(sqlite_engine, people, does, scores, done, stage) -> None:
    with sqlite_engine.begin() as db:
        (one,) = people(db, 1)
        for day in done[1:]:
            does(db, one, NOW - timedelta(days=day), 100 if done[0] == "purchased" else None, kind=done[0])
        scoring.run(db, NOW, RULES)
        assert scores(db)[one].stage == stage


def test_contacts_move_both_ways_and_every_move_is_a_line(engine, now, people, does) -> None:
    with engine.begin() as db:
        (one,) = people(db, 1)
        for days in range(0, 700, 10):
            at = now + timedelta(days=days)
            if days in {20, 40, 60, 400}:
                does(db, one, at, 100)
            scoring.run(db, at, RULES)
        lines = [line for line in reversed(history.timeline(db, one, 200)) if line.kind == "scored"]
    assert [(line.summary, (line.at - now).days) for line in lines] == [
        ("awareness → conversion", 20),
        ("conversion → loyalty", 60),
        ("loyalty → reactivation", 250),
        ("reactivation → loyalty", 400),
        ("loyalty → reactivation", 590),
    ]
    assert {line.source for line in lines} == {"score"}


def test_a_change_of_rfm_alone_is_a_line_too_and_the_first_scoring_none(engine, now, people, does) -> None:
    with engine.begin() as db:
        ids = people(db, 5)
        for place, owner in enumerate(ids):
            does(db, owner, now - timedelta(days=place), 100 * place)
        assert scoring.run(db, now, RULES).changed == 0
        does(db, ids[0], now, 10_000)
        fitted = scoring.run(db, now, RULES)
        lines = {
            owner: [line.summary for line in history.timeline(db, owner) if line.kind == "scored"] for owner in ids
        }
        again = scoring.run(db, now, RULES)
        total = db.scalar(sa.select(sa.func.count()).where(interaction.c.kind == "scored"))
    assert lines[ids[0]] == ["RFM 5-3-1 → 5-5-5"]
    assert (fitted.moved, fitted.changed) == (0, sum(map(len, lines.values())))
    assert (again.changed, total) == (0, fitted.changed)


def test_a_rule_may_ask_for_anything_a_segment_may(engine, now, people, does, scores) -> None:
    lifecycle = Lifecycle.model_validate(
        {
            "stages": [
                {"name": "friend", "who": {"all": [{"segment": "writers"}, {"not": {"recency": {"at_most": 30}}}]}},
                {"name": "big", "who": {"any": [{"value": {"at_least": 10}}, {"expected": {"is": "present"}}]}},
                {"name": "rest"},
            ]
        }
    )
    segments = {"writers": Segment(name="writers", who={"did": {"event": "replied"}})}
    with engine.begin() as db:
        writer, buyer, other = people(db, 3)
        does(db, writer, now - timedelta(days=1), kind="replied")  # and has no recency at all: it is not at most 30
        does(db, buyer, now, 1000)
        fitted = scoring.run(db, now, Rules("BRL", lifecycle=lifecycle, segments=segments))
        found = scores(db)
    assert [found[owner].stage for owner in (writer, buyer, other)] == ["friend", "big", "rest"]
    assert list(fitted.stages) == ["friend", "big", "rest"]


def test_a_stage_that_is_taken_out_of_the_file_is_left(engine, now, people, scores) -> None:
    with engine.begin() as db:
        (one,) = people(db, 1)
        scoring.run(db, now, RULES)
        other = Lifecycle.model_validate({"stages": [{"name": "everyone"}]})
        assert scoring.run(db, now, Rules("BRL", lifecycle=other)).moved == 1
        assert scores(db)[one].stage == "everyone"


def test_every_usual_stage_is_in_the_documentation(request: pytest.FixtureRequest) -> None:
    text = (request.config.rootpath / "docs" / "scores.md").read_text(encoding="utf-8")
    for stage in USUAL.stages:
        assert f"| `{stage.name}` | {stage.description} |" in text
