"""Double opt-in in the browser: GET shows, POST confirms, and only the token of that message does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.unit.web.conftest import Town
from vinculo import consent
from vinculo.db import tables
from vinculo.project.asking import Confirm

FORM = {"email/news": "yes", "email/offers": "yes", "email/service": "yes", "sms/news": "yes", "sms/offers": "yes", "sms/service": "yes", "shown": ""}  # fmt: skip


@pytest.fixture
def asking(build: Callable[..., Town], monkeypatch: pytest.MonkeyPatch) -> Town:
    """A company that has the news confirmed; Ana has left it."""
    town = build(setup='events_token = "a token of twenty letters"\n')
    confirm = Confirm(topics=["news"], template="hello")
    policy = town.rt.project.policy.model_copy(update={"confirm": confirm})
    object.__setattr__(town.rt.project, "policy", policy)
    with town.rt.begin() as db:
        consent.withdraw(db, town.ana, "email", "news", town.clock[0], source="web")
    town.clock[0] += timedelta(minutes=1)
    return town


def token(town: Town) -> str:
    d = tables.delivery.c
    with town.rt.read() as db:
        return town.token("confirm", db.scalar(sa.select(d.id).where(d.basis == "request")))


def test_a_tick_becomes_a_message_and_only_its_link_a_consent(asking: Town) -> None:
    page = f"/preferences/{asking.token('preferences', asking.ana)}"
    answer = asking.client.post(page, data=FORM)
    assert answer.headers["location"].endswith("?saved=1&asked=news")
    assert (
        "Enviamos uma mensagem para você confirmar: Carta da casa."
        in asking.client.get(answer.headers["location"]).text
    )
    assert asking.live()["email", "news"] is False
    before = asking.rows(tables.consent)
    link = f"/confirm/{token(asking)}"
    for _ in range(3):  # scanners follow links
        assert "Quer receber “Carta da casa”?" in asking.client.get(link).text
    assert asking.rows(tables.consent) == before
    for _ in range(2):
        assert "Confirmado, obrigado" in asking.client.post(link).text
    assert asking.live()["email", "news"] is True
    assert asking.rows(tables.consent) == before + 1
    with asking.rt.read() as db:
        row = db.execute(sa.select(tables.consent).order_by(sa.desc("id"))).first()
    assert (row.source, row.legal_basis, len(row.text_hash)) == ("confirmation", "consent", 64)
    assert "Confirmado, obrigado" in asking.client.get(link).text


def test_a_yes_that_could_not_be_stored_is_not_taken_for_confirmed(asking: Town) -> None:
    asking.client.post(f"/preferences/{asking.token('preferences', asking.ana)}", data=FORM)
    link = f"/confirm/{token(asking)}"
    with asking.rt.begin() as db:
        db.execute(sa.text("ALTER TABLE consent RENAME TO away"))
    assert asking.client.post(link).status_code == 503
    with asking.rt.begin() as db:
        db.execute(sa.text("ALTER TABLE away RENAME TO consent"))
    assert "Quer receber" in asking.client.get(link).text
    assert "Confirmado, obrigado" in asking.client.post(link).text
    assert asking.live()["email", "news"] is True


def test_a_request_that_is_over_confirms_nothing(asking: Town) -> None:
    asking.client.post(f"/preferences/{asking.token('preferences', asking.ana)}", data=FORM)
    link = f"/confirm/{token(asking)}"
    asking.clock[0] += timedelta(days=7)
    for answer in (asking.client.get(link), asking.client.post(link)):
        assert "Este pedido já não vale" in answer.text
    assert asking.live()["email", "news"] is False


def test_who_has_left_since_is_not_told_that_the_old_yes_holds(asking: Town) -> None:
    asking.client.post(f"/preferences/{asking.token('preferences', asking.ana)}", data=FORM)
    link = f"/confirm/{token(asking)}"
    assert "Confirmado, obrigado" in asking.client.post(link).text
    asking.clock[0] += timedelta(minutes=1)
    asking.client.post(f"/preferences/{asking.token('preferences', asking.ana)}", data={"everything": "no"})
    for answer in (asking.client.get(link), asking.client.post(link)):
        assert "Você já confirmou uma vez, e isso não vale mais" in answer.text
        assert "Confirmado" not in answer.text
    assert asking.live()["email", "news"] is False


@pytest.mark.parametrize("purpose", ["unsubscribe", "preferences", "view", "open", "survey"])
def test_a_token_for_another_purpose_confirms_nothing(asking: Town, purpose: str) -> None:
    asking.client.post(f"/preferences/{asking.token('preferences', asking.ana)}", data=FORM)
    number = asking.rt.signer.read("confirm", token(asking))[0]
    for wrong in (
        asking.token(purpose, number),
        asking.token("confirm", number + 99),
        asking.token("confirm", asking.sent),
    ):
        assert asking.client.post(f"/confirm/{wrong}").status_code == 404
    assert asking.live()["email", "news"] is False


def test_a_yes_from_our_own_website_is_asked_to_be_confirmed_too(asking: Town) -> None:
    sent = {"kind": "subscribed", "contact": "ana", "channel": "email", "topic": "news", "data": {"unconfirmed": False}}
    headers = {"Authorization": "Bearer a token of twenty letters"}
    for number in ("1", "1", "2"):
        answer = asking.client.post("/events", json={"id": number, **sent}, headers=headers)
        assert answer.status_code == 200
    assert asking.live()["email", "news"] is False
    assert asking.rows(tables.confirmation) == 1
    asking.client.post(f"/confirm/{token(asking)}")
    assert asking.live()["email", "news"] is True


def test_who_asks_again_the_same_day_is_told_the_truth(asking: Town) -> None:
    page = f"/preferences/{asking.token('preferences', asking.ana)}"
    asking.client.post(page, data=FORM)
    sent = asking.rows(tables.delivery)
    again = asking.client.post(page, data=FORM).headers["location"]
    assert again.endswith("?saved=1&waiting=news")
    shown = asking.client.get(again).text
    assert "Já pedimos há pouco que você confirme: Carta da casa." in shown
    assert "Enviamos uma mensagem" not in shown
    assert asking.rows(tables.delivery) == sent


def test_a_channel_where_nobody_can_be_asked_is_not_offered_and_a_yes_there_can_be_taken_back(asking: Town) -> None:
    """Ana says yes to news by SMS since before it had to be confirmed."""
    parts = asking.rt.project.templates["hello"].parts
    for part in [part for part in parts if part[0] == "sms"]:
        del parts[part]  # type: ignore[attr-defined]
    page, before = f"/preferences/{asking.token('preferences', asking.ana)}", asking.rows(tables.consent)
    told = "Ainda não há como confirmar um sim a este assunto por: SMS."
    shown = asking.client.get(page).text
    assert 'name="sms/news" value="yes" checked>' in shown
    assert told not in shown
    asking.client.post(page, data={name: "yes" for name in FORM if name not in {"sms/news", "shown"}})
    assert (asking.live()["sms", "news"], asking.rows(tables.consent)) == (False, before + 1)
    shown = asking.client.get(page).text
    assert 'name="sms/news" value="yes" disabled>' in shown
    assert shown.count(told) == 1
    answer = asking.client.post(page, data=FORM).headers["location"]  # a page that was open, or no page at all
    assert "unable=news" in answer
    assert "não vale como sim: Carta da casa" in asking.client.get(answer).text
    assert asking.live()["sms", "news"] is False
    assert asking.rows(tables.consent) == before + 1
    with asking.rt.read() as db:
        channels = db.scalars(sa.select(tables.delivery.c.channel).where(tables.delivery.c.basis == "request")).all()
    assert channels == ["email"]
