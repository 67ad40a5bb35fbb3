"""The preference centre: what is ticked is what holds."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.unit.web.conftest import Town
from vinculo import consent, contacts
from vinculo.contacts import erase
from vinculo.db import tables
from vinculo.testing.store import suppress
from vinculo.web.contact.preferences import masked


def url(town: Town) -> str:
    return f"/preferences/{town.token('preferences', town.ana)}"


def chosen(town: Town) -> dict[str, str]:
    with town.rt.read() as db:
        return consent.preferences(db, town.ana)


def test_every_topic_is_shown_with_its_description_and_what_holds_is_ticked(town: Town) -> None:
    page = town.client.get(url(town)).text
    assert "Uma por semana." in page
    assert 'name="email/news" value="yes" checked' in page
    assert 'name="sms/offers" value="yes" checked' in page
    # Nobody said no to receipts.
    assert 'name="email/service" value="yes" checked' in page


def test_a_forwarded_link_does_not_tell_the_address(town: Town) -> None:
    page = town.client.get(url(town)).text
    assert "ana@gmail.example" not in page
    assert "a…@gmail.example" in page
    assert masked("+5511999990001") == "…01"


def test_a_box_unticked_is_a_no_and_a_box_ticked_is_a_yes_with_its_proof(town: Town) -> None:
    before = town.rows(tables.consent)
    answer = town.client.post(
        url(town),
        data={
            "email/news": "yes",
            "sms/news": "yes",
            "sms/offers": "yes",
            "email/service": "yes",
            "sms/service": "yes",
        },
    )
    assert answer.status_code == 303
    assert town.live() == {
        ("email", "news"): True,
        ("email", "offers"): False,
        ("sms", "news"): True,
        ("sms", "offers"): True,
    }
    assert town.rows(tables.consent) == before + 1
    town.clock[0] += timedelta(minutes=1)
    town.client.post(url(town), data={"email/offers": "yes"})
    with town.rt.read() as db:
        row = db.execute(sa.select(tables.consent).where(tables.consent.c.granted).order_by(sa.desc("id"))).first()
    assert row is not None
    assert (row.topic, row.source, row.legal_basis, len(row.text_hash)) == ("offers", "preferences", "consent", 64)


def test_saving_twice_changes_nothing_more(town: Town) -> None:
    form = {"email/news": "yes", "frequency": "weekly"}
    town.client.post(url(town), data=form)
    before = town.rows(tables.consent), town.rows(tables.interaction)
    town.client.post(url(town), data=form)
    assert (town.rows(tables.consent), town.rows(tables.interaction)) == before


def test_frequency_channel_language_and_pause_are_kept(town: Town) -> None:
    town.client.post(url(town), data={"frequency": "monthly", "channel": "sms", "language": "es", "pause": "30"})
    until = (town.clock[0] + timedelta(days=30)).isoformat(timespec="seconds")
    assert chosen(town) == {"frequency": "monthly", "channel": "sms", "language": "es", "pause_until": until}
    assert "Sus preferencias" in town.client.get(url(town)).text
    assert "En pausa hasta el 31 de diciembre de 2026" in town.client.get(url(town)).text


def test_what_the_contact_chose_beats_the_language_we_were_told(town: Town) -> None:
    town.client.post(url(town), data={"language": "en"})
    with town.rt.read() as db:
        assert contacts.load(db, [town.ana])[town.ana].language == "en"


def test_a_pause_stays_when_something_else_is_saved_and_ends_when_the_contact_says_so(town: Town) -> None:
    town.client.post(url(town), data={"pause": "90"})
    before = chosen(town)["pause_until"]
    town.client.post(url(town), data={"pause": "keep"})
    assert chosen(town)["pause_until"] == before
    town.client.post(url(town), data={"pause": ""})
    assert "pause_until" not in chosen(town)


@pytest.mark.parametrize("form", [{"frequency": "hourly"}, {"channel": "telex"}, {"language": "<script>"}])
def test_what_was_not_offered_is_not_kept(town: Town, form: dict[str, str]) -> None:
    assert town.client.post(url(town), data=form).status_code == 303
    assert not chosen(town)


def test_a_wish_of_another_form_can_be_kept(town: Town) -> None:
    with town.rt.begin() as db:
        consent.set_preference(db, town.ana, "frequency", "3 per 10 days", town.rt.now())
    assert "No máximo 3 em 10 dia(s)" in town.client.get(url(town)).text
    town.client.post(url(town), data={"frequency": "3 per 10 days"})
    assert chosen(town)["frequency"] == "3 per 10 days"


def test_leave_everything_leaves_receipts_too_and_one_can_come_back(town: Town) -> None:
    town.client.post(url(town), data={"everything": "no"})
    assert not any(town.live().values())
    assert "checked" not in town.client.get(url(town)).text
    town.clock[0] += timedelta(minutes=1)
    town.client.post(url(town), data={"email/news": "yes", "email/service": "yes"})
    assert {pair for pair, yes in town.live().items() if yes} == {("email", "news"), ("email", "service")}


def test_a_suppressed_address_can_be_neither_ticked_nor_unticked(town: Town) -> None:
    with town.rt.begin() as db:
        suppress(db, "sms", "+5511999990001", signer=town.rt.signer)
    assert "Não escrevemos para este endereço." in town.client.get(url(town)).text
    town.client.post(url(town), data={"email/news": "yes"})
    assert town.live()["sms", "news"] is True


def test_an_erased_contact_has_no_page(town: Town) -> None:
    with town.rt.begin() as db:
        erase(db, town.ana, town.rt.now())
    assert town.client.get(url(town)).status_code == 404
    assert town.client.post(url(town), data={"email/news": "yes"}).status_code == 404
    assert town.client.get(f"/unsubscribe/{town.token('unsubscribe')}").status_code == 404
