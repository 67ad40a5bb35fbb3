"""Surveys and the message in the browser."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.unit.web.conftest import Town
from vinculo.db.tables import conversation, occurrence, turn


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


def test_an_answer_can_be_changed_and_the_same_one_again_is_no_other(town: Town) -> None:
    url = f"/survey/{town.token('survey')}/9"
    for score in ("9", "9", "2", "2", "9"):
        town.client.post(url, data={"score": score})
    assert [row.data["score"] for row in town.history("surveyed")] == [9, 2, 9]


def test_whoever_follows_the_links_answers_nothing(town: Town) -> None:
    for score in range(11):
        town.client.get(f"/survey/{town.token('survey')}/{score}")
        town.client.head(f"/survey/{town.token('survey')}/{score}")
    assert town.history("surveyed") == []


def test_a_link_without_an_answer_asks_and_remembers_the_last(town: Town) -> None:
    url = f"/survey/{town.token('survey')}"
    assert "checked" not in town.client.get(url).text
    town.client.post(url, data={"score": "7", "words": "Bom"})
    page = town.client.get(url).text
    assert ('value="7" required checked' in page, ">Bom</textarea>" in page) == (True, True)


# ── scales ───────────────────────────────────────────────────────────────────────────────────────────────────────
POLL = {
    "kind": "poll",
    "question": {"pt": "Como prepara?", "en": "How do you brew?", "es": "¿Cómo lo prepara?"},
    "choices": [
        {"name": "filter", "title": {"pt": "Coado", "en": "Filter", "es": "Filtro"}},
        {"name": "none", "title": {"pt": "Não bebo mais"}, "negative": True},
    ],
}


def ask(town: Town, survey: dict[str, object]) -> str:
    """Let Ana's message have been a survey; return where it is answered."""
    with town.rt.begin() as db:
        definition = dict(db.scalar(sa.select(occurrence.c.definition)) or {}, survey=survey)
        db.execute(sa.update(occurrence).values(definition=definition))
    return f"/survey/{town.token('survey')}"


def test_a_poll_shows_its_choices_in_the_contacts_language(town: Town) -> None:
    url = ask(town, POLL)
    page = town.client.get(url).text
    assert all(words in page for words in ("Como prepara?", "Coado", "Não bebo mais"))
    english = town.client.get(f"{url}?lang=en").text
    assert all(words in english for words in ("How do you brew?", "Filter", "Não bebo mais"))
    town.client.post(url, data={"score": "1"})
    (row,) = town.history("surveyed")
    assert row.data == {"survey": "weekly", "kind": "poll", "score": 1, "choice": "filter"}
    assert town.client.post(url, data={"score": "3"}).status_code == 404


def test_satisfaction_has_five_steps(town: Town) -> None:
    url = ask(town, {"kind": "csat"})
    page = town.client.get(f"{url}/4").text
    assert ('value="4" required checked' in page, 'value="5"' in page) == (True, True)
    assert 'value="6"' not in page
    assert [town.client.get(f"{url}/{score}").status_code for score in (0, 6)] == [404, 404]


# ── who is unhappy hears from us ─────────────────────────────────────────────────────────────────────────────────
def test_who_would_not_recommend_us_has_a_conversation_and_a_better_answer_is_told_in_it(town: Town) -> None:
    url = f"/survey/{town.token('survey')}"
    town.client.post(url, data={"score": "3", "words": "Chegou frio"})
    town.client.post(url, data={"score": "9"})
    with town.rt.read() as db:
        (one,) = db.execute(sa.select(conversation)).all()
        said = list(db.scalars(sa.select(turn.c.text).order_by(turn.c.id)))
    assert (one.contact_id, one.state, one.negative) == (town.ana, "open", True)
    assert said == ["weekly nps: 3\n\nChegou frio", "weekly nps: 9"]


@pytest.mark.parametrize(
    ("survey", "answer", "opened"),
    [
        ({}, 6, 1), ({}, 7, 0), ({"kind": "csat"}, 2, 1), ({"kind": "csat"}, 3, 0), (POLL, 1, 0), (POLL, 2, 1),
    ],
)  # fmt: skip
def test_who_is_unhappy_depends_on_the_scale(town: Town, survey: dict[str, object], answer: int, opened: int) -> None:
    town.client.post(ask(town, survey), data={"score": str(answer)})
    assert town.rows(conversation) == opened


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


def test_words_in_an_alphabet_that_no_database_keeps_are_kept_without(town: Town) -> None:
    fields = "".join(
        f"--b\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n"
        for name, value in {"score": "9", "words": "+2AA- bom"}.items()
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b; charset=utf-7"}
    url = f"/survey/{town.token('survey')}"
    assert town.client.post(url, content=f"{fields}--b--\r\n", headers=headers).status_code == 200
    assert [row.data["words"] for row in town.history("surveyed")] == ["? bom"]
