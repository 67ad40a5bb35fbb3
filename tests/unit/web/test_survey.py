"""Surveys and the message in the browser."""

from __future__ import annotations

import pytest

from tests.unit.web.conftest import Town


def test_the_link_shows_the_score_and_only_the_form_sends_it(town: Town) -> None:
    url = f"/survey/{town.token('survey')}/9"
    assert 'value="9" required checked' in town.client.get(url).text
    assert town.history("surveyed") == []
    answer = town.client.post(url, data={"score": "8", "words": "  Ótimo café <3  "})
    assert answer.status_code == 200
    (row,) = town.history("surveyed")
    assert (row.contact_id, row.delivery_id, row.data["score"], row.summary) == (
        town.ana,
        town.sent,
        8,
        "Ótimo café <3",
    )
    assert "Ótimo café &lt;3" in answer.text


def test_an_answer_can_be_changed(town: Town) -> None:
    url = f"/survey/{town.token('survey')}/9"
    for score in ("9", "2", "9"):
        town.client.post(url, data={"score": score})
    assert [row.data["score"] for row in town.history("surveyed")] == [9, 2, 9]


@pytest.mark.parametrize("score", ["11", "-1", "", "nine", "٣"])
def test_a_score_that_is_none_is_not_kept(town: Town, score: str) -> None:
    assert town.client.post(f"/survey/{town.token('survey')}/9", data={"score": score}).status_code == 404
    assert town.history("surveyed") == []


def test_a_link_with_a_score_that_is_none_shows_nothing(town: Town) -> None:
    assert town.client.get(f"/survey/{town.token('survey')}/11").status_code == 404


def test_a_message_in_the_browser_is_the_one_that_was_sent_and_can_run_nothing(town: Town) -> None:
    answer = town.client.get(f"/view/{town.token('view')}")
    assert "Olá!" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert "allow-scripts" not in policy


def test_a_message_that_was_never_sent_has_no_page(town: Town) -> None:
    assert town.client.get(f"/view/{town.token('view', 10**6)}").status_code == 404
