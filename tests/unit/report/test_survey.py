"""A survey's report counts each person's last answer to an occurrence, and says how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.unit.report.test_report import CAMPAIGN, Company
from vinculo.db.tables import interaction, occurrence
from vinculo.project.schema import Objective
from vinculo.report import campaign_report, objectives, render
from vinculo.report.survey import Surveyed
from vinculo.stats import net_share

CHOICES = [{"name": "yes", "title": {"pt": "S"}}, {"name": "no", "title": {"pt": "N"}}]
POLL = {"kind": "poll", "question": {"pt": "?"}, "choices": CHOICES}


@pytest.fixture
def company(engine: sa.Engine, now: datetime) -> Any:
    with engine.begin() as db:
        yield Company(db, now, kind="survey")


def ask(
    company: Company, scores: Mapping[int, int], survey: Mapping[str, Any] | None = None, silent: int = 0
) -> Surveyed:
    """Let so many give each score, and *silent* none; return what is reported."""
    company.db.execute(sa.update(occurrence).values(definition={"kind": "survey", "survey": survey}))
    for score, number in scores.items():
        company.did(company.send(number), "surveyed", score=score, kind=(survey or {}).get("kind", "nps"))
    if silent:
        company.send(silent)
    found = campaign_report(company.db, "sale").survey
    assert found is not None
    return found


def test_a_net_promoter_score_and_its_range(company: Company) -> None:
    found = ask(company, {10: 20, 9: 10, 8: 10, 3: 15, 6: 5}, silent=60)
    assert found.score == net_share(30, 20, 60)
    assert (found.asked, found.answered, found.rate.estimate, found.few) == (120, 60, 0.5, False)
    assert found.answers["10"] == 20


def test_the_share_of_the_satisfied(company: Company) -> None:
    found = ask(company, {5: 6, 4: 3, 1: 1}, {"kind": "csat"})
    assert found.score is not None
    assert (found.score.estimate, found.few, list(found.answers)) == (0.9, True, ["1", "2", "3", "4", "5"])


def test_a_poll_counts_its_choices_and_has_no_score(company: Company) -> None:
    found = ask(company, {1: 4, 2: 1}, POLL)
    assert (found.answers, found.score) == ({"yes": 4, "no": 1}, None)


def test_only_the_last_answer_counts_in_the_report_and_for_the_objective(company: Company, now: datetime) -> None:
    them = company.send(10)
    company.did(them, "surveyed", score=2, kind="nps")
    company.did(them, "surveyed", score=10, kind="nps")
    found = campaign_report(company.db, "sale").survey
    assert found is not None
    assert (found.answered, found.answers["2"], found.answers["10"]) == (10, 0, 10)
    assert _nps(company, now) == 100.0


def test_other_scales_are_no_part_of_the_objective(company: Company, now: datetime) -> None:
    ask(company, {5: 6, 4: 3}, {"kind": "csat"})
    assert _nps(company, now) is None
    company.did(company.send(2), "surveyed", score=9)  # from another system, which names no scale
    assert _nps(company, now) == 100.0


@pytest.mark.parametrize("score", ["great", 9.5, 10**12, [9], {"a": 9}, -1, 11])
def test_what_is_no_answer_of_a_scale_counts_for_nothing(company: Company, now: datetime, score: Any) -> None:
    ask(company, {9: 3})
    company.did(company.send(1), "surveyed", score=score)  # as another system may tell us
    found = campaign_report(company.db, "sale").survey
    assert found is not None
    assert (found.answered, _nps(company, now)) == (3, 100.0)


def test_what_was_answered_later_does_not_count_yet(company: Company, now: datetime) -> None:
    them = company.send(4)
    company.did(them, "surveyed", score=2)
    company.did(them, "surveyed", score=10)
    late = sa.func.max(interaction.c.id) - 3
    later = now + timedelta(days=9)
    company.db.execute(
        sa.update(interaction).where(interaction.c.id >= sa.select(late).scalar_subquery()).values(at=later)
    )
    assert _nps(company, now) == -100.0


def _nps(company: Company, now: datetime) -> float | None:
    goal = {"description": "", "metric": "nps", "baseline": 0, "target": 50, "deadline": now.date()}
    wanted = {"liked": Objective.model_validate(goal)}
    (found,) = objectives(company.db, wanted, {"sale": CAMPAIGN}, now + timedelta(days=1))
    return found.now


@pytest.mark.parametrize("language", ["pt", "en", "es"])
def test_the_page_shows_it(company: Company, now: datetime, language: str) -> None:
    ask(company, {10: 3, 0: 1})
    page = render(campaign_report(company.db, "sale"), language=language, now=now)
    assert "+50 (" in page


def test_what_is_no_survey_has_none(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        company = Company(db, now)
        company.send(1)
        assert company.report().survey is None
