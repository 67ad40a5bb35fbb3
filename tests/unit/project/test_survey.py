"""What a survey's file may say."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from vinculo.project.schema import Campaign
from vinculo.project.survey import Survey

CAMPAIGN = {"segment": "all", "topic": "surveys", "channels": ["email"], "template": "t"}
A, B = ({"name": name, "title": {"pt": name.upper()}} for name in "ab")


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ({"kind": "poll", "question": {"pt": "?"}}, "a poll has 2 to 10 choices"),
        ({"kind": "poll", "choices": [A, B]}, "a poll says what it asks"),
        ({"kind": "poll", "question": {"pt": "?"}, "choices": [A, B, A]}, "two choices are called `a`"),
        ({"kind": "csat", "choices": [A]}, "`choices` belong to `kind: poll`"),
        ({"kind": "ces"}, "'nps', 'csat' or 'poll'"),
    ],
)
def test_a_survey_that_cannot_be_asked_says_what_to_write(said: dict[str, object], remedy: str) -> None:
    with pytest.raises(ValidationError, match=remedy):
        Survey.model_validate(said)


def test_only_a_survey_asks() -> None:
    with pytest.raises(ValidationError, match="`survey` belongs to `kind: survey`"):
        Campaign.model_validate({**CAMPAIGN, "kind": "newsletter", "survey": {"kind": "csat"}})
    assert Campaign.model_validate({**CAMPAIGN, "kind": "survey", "survey": {"kind": "csat"}}).survey


def test_each_scale_knows_its_answers() -> None:
    assert [len(Survey(kind=kind).answers) for kind in ("nps", "csat")] == [11, 5]
