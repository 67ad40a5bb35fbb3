"""The inbox in the console: what a page shows, what a form does, and who may not."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from tests.unit.web.conftest import NOW, OURS, Build, Town
from vinculo import conversation, feedback
from vinculo.conversation import Said
from vinculo.db import instance
from vinculo.db.tables import contact, turn


def ask(town: Town, text: str = "Quanto custa <b>o moedor</b>?") -> int:
    """Ana asks something by e-mail."""
    raw = (
        "From: ana@gmail.example\r\nTo: replies@casaaurora.example\r\nSubject: Moedor <i>\r\nMessage-ID: <1@x.example>\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    )
    assert feedback.receive_mail(town.rt, raw.encode(), source="smtp") == ["handled"]
    with town.rt.read() as db:
        return conversation.inbox(db, town.rt.project, town.rt.now())[0].id


def form(town: Town, number: int) -> str:
    found = re.search(r'name="form" value="([0-9a-f]{32})"', town.client.get(f"/inbox/{number}").text)
    assert found
    return found[1]


def test_the_pages_show_what_was_said_and_run_none_of_it(town: Town) -> None:
    number = ask(town)
    for path in ("/inbox?lang=en", f"/inbox/{number}", "/inbox/times"):
        page = town.client.get(path)
        assert page.status_code == 200
        assert "<b>o moedor" not in page.text
        assert "Moedor <i>" not in page.text
    assert "&lt;b&gt;o moedor&lt;/b&gt;" in town.client.get(f"/inbox/{number}").text
    assert town.client.get("/inbox/99").status_code == 404
    assert town.client.get("/inbox?state=nonsense&owner=%00x&from=-1").status_code == 200


def test_an_answer_goes_out_once_however_often_the_form_comes(town: Town) -> None:
    number = ask(town)
    with town.rt.begin() as db:  # each test's town is a copy, and a copy sends nothing
        instance.remember(instance.noted_in(town.rt.project.root), instance.adopt(db))
    posted = {"form": form(town, number), "text": "R$ 400", "who": "Lia"}
    for _ in range(3):
        assert town.client.post(f"/inbox/{number}/answer", data=posted, headers=OURS).status_code == 303
    with town.rt.read() as db:
        line, turns = conversation.thread(db, town.rt.project, number, town.rt.now())
    assert (line.state, [(one.kind, one.author) for one in turns]) == (
        "waiting",
        [("received", ""), ("answered", "Lia")],
    )
    assert turns[1].delivery_state == "accepted"
    assert "vinculo_name=Lia" in town.client.post(
        f"/inbox/{number}/take", data={"who": "Lia"}, headers=OURS
    ).headers["set-cookie"]  # fmt: skip


@pytest.mark.parametrize("what", ["answer", "take", "hand-over", "close", "reopen"])
def test_nothing_is_done_for_a_page_of_elsewhere_nor_by_looking(town: Town, what: str) -> None:
    number = ask(town)
    before = town.rows(turn)
    posted = {"form": form(town, number), "text": "x", "who": "Eve", "to": "Eve"}
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert town.client.post(f"/inbox/{number}/{what}", data=posted, headers=headers).status_code == 403
    assert town.client.get(f"/inbox/{number}/{what}").status_code == 405
    assert town.rows(turn) == before


def test_what_is_wrong_is_said_on_the_page_with_the_text_still_there(town: Town) -> None:
    number = ask(town)
    answer = town.client.post(
        f"/inbox/{number}/answer", data={"form": form(town, number), "text": "bom dia", "who": " "}, headers=OURS
    )
    assert (answer.status_code, "bom dia</textarea>" in answer.text) == (422, True)
    assert town.client.post(f"/inbox/{number}/answer", data={"text": "x", "who": "L"}, headers=OURS).status_code == 400
    assert town.client.post("/inbox/99/close", data={"who": "L"}, headers=OURS).status_code == 404


def test_with_a_password_nobody_reads_what_contacts_wrote(build: Build) -> None:
    town = build(setup='password = "open sesame"')
    ask(town)
    assert town.client.get("/inbox/1").status_code == 303
    assert town.client.post("/inbox/1/close", data={"who": "E"}, headers=OURS).status_code == 403


def test_all_is_done_by_forms(town: Town) -> None:
    number = ask(town)
    for what, posted in (
        ("take", {"who": "Lia"}),
        ("hand-over", {"who": "Lia", "to": "Beto", "note": "antiga"}),
        ("close", {"who": "Beto"}),
        ("reopen", {"who": "Beto"}),
    ):
        assert town.client.post(f"/inbox/{number}/{what}", data=posted, headers=OURS).status_code == 303
    page = town.client.get(f"/inbox/{number}?lang=pt").text
    for words in ("Lia assumiu", "Lia passou a Beto: antiga", "Beto encerrou", "Beto reabriu"):
        assert words in page


def test_a_long_list_goes_on_and_an_event_without_words_is_shown(town: Town) -> None:
    with town.rt.begin() as db:
        for number in range(52):
            conversation.hear(
                db, Said(town.ana, NOW, f"k{number}", "", channel="email", subject=f"s{number}", negative=True)
            )
    page = town.client.get("/inbox?lang=pt").text
    assert page.count("data-conversation=") == 50
    assert "from=50" in page
    assert "(sem texto)" in page
    assert town.client.get("/inbox?from=50").text.count("data-conversation=") == 2


def test_an_answer_is_as_long_as_is_said_in_every_script_and_what_is_longer_is_refused_in_the_readers_language(
    town: Town,
) -> None:
    number = ask(town)
    assert f'maxlength="{conversation.LONGEST}"' in town.client.get(f"/inbox/{number}").text
    for sign in "aã😀":  # of one, two and four bytes, thrice as many in a form
        posted = {"form": form(town, number), "text": sign * (conversation.LONGEST + 1), "who": "Lia"}
        answer = town.client.post(f"/inbox/{number}/answer?lang=pt", data=posted, headers=OURS)
        assert answer.status_code == 422
        assert f"A resposta tem {conversation.LONGEST + 1} caracteres" in answer.text
    posted["text"] = "😀" * conversation.LONGEST
    assert town.client.post(f"/inbox/{number}/answer", data=posted, headers=OURS).status_code == 303


def test_the_address_of_somebody_else_who_answers_is_shown(town: Town) -> None:
    with town.rt.begin() as db:
        told = {"channel": "email", "subject": "Re: Carta", "intents": ("question",)}
        conversation.hear(db, Said(town.ana, NOW, "k1", "sou eu", address="Ana@gmail.example", **told))
        conversation.hear(db, Said(town.ana, NOW, "k2", "sou o marido", address="beto@mail.example", **told))
    page = town.client.get("/inbox/1?lang=pt").text
    assert page.count("de um endereço que não é do contato") == 1
    assert "não é do contato: beto@mail.example" in page


def test_an_owner_who_is_a_contact_is_called_by_name(town: Town) -> None:
    with town.rt.begin() as db:
        db.execute(sa.update(contact).where(contact.c.id == town.ana).values(owner="rui"))
    ask(town)
    for path in ("/inbox?lang=en", "/inbox/times", "/inbox?owner=Rui"):
        assert "Rui" in town.client.get(path).text
    assert "data-conversation=" in town.client.get("/inbox?owner=Rui").text


def test_answers_are_no_campaigns(town: Town) -> None:
    number = ask(town)
    posted = {"form": form(town, number), "text": "R$ 400", "who": "Lia"}
    town.client.post(f"/inbox/{number}/answer", data=posted, headers=OURS)
    page = town.client.get("/campaigns").text
    assert "/campaigns/weekly" in page
    assert "/campaigns/answer" not in page
    assert "answer" not in town.client.get("/calendar?month=2026-12").text
