"""Leaving: seen by GET, done by POST, once, by whatever mail program or person."""

from __future__ import annotations

import pytest

from tests.unit.web.conftest import Town
from vinculo.contacts import merge
from vinculo.db.tables import consent, inbound, interaction, permission, preference, suppression

SCANNERS = (
    "Mozilla/5.0",
    "curl/8",
    "BarracudaCentral",
    "Microsoft Office",
    "Googlebot/2.1 (+http://www.google.com/bot)",
)
ONE_CLICK = {
    "urlencoded": {"content": b"List-Unsubscribe=One-Click", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    "multipart": {
        "content": b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
        "headers": {"Content-Type": "multipart/form-data; boundary=b"},
    },
    "nothing": {},
    "of a strange type": {"content": b"List-Unsubscribe=One-Click", "headers": {"Content-Type": "text/plain"}},
    "of a broken form": {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
}  # fmt: skip


def test_get_shows_what_the_button_will_do_in_the_contacts_language(town: Town) -> None:
    answer = town.client.get(f"/unsubscribe/{town.token('unsubscribe')}", headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    assert "Deixar de receber “Carta da casa”?" in answer.text
    assert "Rua da Aurora, 100, São Paulo" in answer.text
    assert '<html lang="pt">' in answer.text


@pytest.mark.parametrize("language", ["pt", "en", "es"])
def test_the_reader_may_ask_for_another_language(town: Town, language: str) -> None:
    answer = town.client.get(f"/unsubscribe/{town.token('unsubscribe')}?lang={language}")
    titles = {"pt": "Deixar de receber", "en": "Stop receiving", "es": "¿Dejar de recibir"}
    assert titles[language] in answer.text


@pytest.mark.parametrize("form", ONE_CLICK)
def test_one_click_leaves_the_topic_without_cookie_login_or_redirect(town: Town, form: str) -> None:
    answer = town.client.post(f"/unsubscribe/{town.token('unsubscribe')}", **ONE_CLICK[form])  # type: ignore[arg-type]
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert town.live()["email", "news"] is False
    assert town.live()["email", "offers"] is True
    assert town.live()["sms", "news"] is True


def test_the_same_leave_twice_is_one(town: Town) -> None:
    url = f"/unsubscribe/{town.token('unsubscribe')}"
    before = town.rows(consent)
    assert [town.client.post(url).status_code for _ in range(3)] == [200] * 3
    assert town.rows(consent) == before + 1
    assert len(town.history("unsubscribed")) == 1


def test_who_came_back_can_leave_again_from_the_same_message(town: Town) -> None:
    url = f"/unsubscribe/{town.token('unsubscribe')}"
    town.client.post(url)
    town.clock[0] = town.clock[0].replace(hour=13)
    town.client.post(f"/preferences/{town.token('preferences', town.ana)}", data={"email/news": "yes", "shown": ""})
    assert town.live()["email", "news"] is True
    town.clock[0] = town.clock[0].replace(hour=14)
    town.client.post(url)
    assert town.live()["email", "news"] is False


def test_everything_leaves_every_topic_on_every_channel(town: Town) -> None:
    answer = town.client.post(f"/unsubscribe/{town.token('unsubscribe')}", data={"everything": "yes"})
    assert not any(town.live().values())
    assert {channel for channel, _ in town.live()} == {"email", "sms"}
    assert "sobre nenhum assunto" in answer.text
    assert town.live(town.rui)["email", "news"] is True


def test_who_has_left_is_told_so_and_offered_the_rest(town: Town) -> None:
    url = f"/unsubscribe/{town.token('unsubscribe')}"
    town.client.post(url)
    page = town.client.get(url).text
    assert "Pronto, você saiu" in page
    assert "Sair de tudo" in page


def test_a_crawler_that_follows_every_link_a_thousand_times_changes_nothing(town: Town) -> None:
    tables = (consent, permission, preference, suppression, interaction, inbound)
    before = [town.rows(table) for table in tables]
    paths = [
        f"/unsubscribe/{town.token('unsubscribe')}",
        f"/preferences/{town.token('preferences', town.ana)}",
        f"/survey/{town.token('survey')}/3",
        f"/view/{town.token('view')}",
    ]
    for number in range(1000):
        agent = {"User-Agent": SCANNERS[number % len(SCANNERS)]}
        method = ("GET", "HEAD")[number % 7 == 0]
        assert town.client.request(method, paths[number % 4], headers=agent).status_code == 200
    assert [town.rows(table) for table in tables] == before


@pytest.mark.parametrize("purpose", ["preferences", "open", "click", "view", "survey"])
def test_a_token_for_another_purpose_is_no_token(town: Town, purpose: str) -> None:
    assert town.client.post(f"/unsubscribe/{town.token(purpose)}").status_code == 404
    assert town.live()["email", "news"] is True


def test_wrong_tokens_all_get_the_same_answer(town: Town) -> None:
    good = town.token("unsubscribe")
    forged = [
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        "nonsense",
        good + "=",
        town.token("unsubscribe", 10**9),
        "a" * 500,
    ]
    answers = {town.client.get(f"/unsubscribe/{token}?lang=en").text for token in forged}
    assert len(answers) == 1


def test_who_became_part_of_another_contact_can_leave_by_the_links_of_old_messages(town: Town) -> None:
    with town.rt.begin() as db:
        merge(db, town.rui, town.ana, town.rt.now())
    assert town.client.post(f"/unsubscribe/{town.token('unsubscribe')}").status_code == 200
    assert town.live(town.rui)["email", "news"] is False
    centre = f"/preferences/{town.token('preferences', town.ana)}"
    assert "a…@gmail.example" in town.client.get(centre).text
    town.client.post(centre, data={"everything": "no"})
    assert not any(town.live(town.rui).values())
