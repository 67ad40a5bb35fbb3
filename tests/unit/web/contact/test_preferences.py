"""The preference centre: what is ticked is what holds."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
import sqlalchemy as sa

from tests.unit.web.conftest import Town
from vinculo import consent, contacts
from vinculo.contacts import erase
from vinculo.db import tables
from vinculo.feedback import receive
from vinculo.testing.store import suppress
from vinculo.web.contact import preferences
from vinculo.web.contact.preferences import masked


def url(town: Town) -> str:
    return f"/preferences/{town.token('preferences', town.ana)}"


def chosen(town: Town) -> dict[str, str]:
    with town.rt.read() as db:
        return consent.preferences(db, town.ana)


def as_shown(town: Town) -> dict[str, str]:
    """The form as a browser sends it when nothing is changed."""
    page = town.client.get(url(town)).text
    form = dict.fromkeys(re.findall(r'name="([^"]+/[^"]+)" value="yes" checked>', page), "yes")
    form["shown"] = unescape(re.findall(r'name="shown" value="([^"]+)"', page)[0])
    for name, options in re.findall(r'<select id="[a-z]+" name="([a-z]+)">(.*?)</select>', page, re.DOTALL):
        form[name] = re.findall(r'value="([^"]*)" selected', options)[0]
    return form


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
    before, form = town.rows(tables.consent), as_shown(town)
    del form["email/offers"]
    answer = town.client.post(url(town), data=form | {"sms/offers": "yes"})
    assert answer.status_code == 303
    assert town.live() == {
        ("email", "news"): True,
        ("email", "offers"): False,
        ("sms", "news"): True,
        ("sms", "offers"): True,
    }
    assert town.rows(tables.consent) == before + 1
    town.clock[0] += timedelta(minutes=1)
    town.client.post(url(town), data=as_shown(town) | {"email/offers": "yes"})
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


def test_a_page_that_was_open_when_the_contact_left_says_yes_to_nothing_again(town: Town) -> None:
    """Two tabs, or the browser's way back: only what is changed on the page counts."""
    stale = as_shown(town)
    town.client.post(url(town), data={"everything": "no"})
    town.clock[0] += timedelta(minutes=1)
    assert town.client.post(url(town), data=stale | {"frequency": "weekly"}).status_code == 303
    assert not any(town.live().values())
    assert chosen(town) == {"frequency": "weekly"}
    del stale["email/offers"]  # what is taken back on it is said, and what is ticked
    town.client.post(url(town), data=stale | {"email/news": "yes", "sms/service": "yes"})
    assert not any(town.live().values())


def test_what_another_page_changed_meanwhile_stays(town: Town) -> None:
    stale = as_shown(town)
    town.client.post(url(town), data=as_shown(town) | {"frequency": "monthly", "pause": "30", "channel": "sms"})
    kept = chosen(town)
    del stale["email/news"]
    town.client.post(url(town), data=stale)
    assert town.live()["email", "news"] is False
    assert chosen(town) == kept


def test_a_language_that_the_page_does_not_offer_stays_until_another_is_chosen(town: Town) -> None:
    with town.rt.begin() as db:
        db.execute(sa.update(tables.contact).where(tables.contact.c.id == town.ana).values(language="es-419"))
    town.client.post(url(town), data=as_shown(town) | {"frequency": "weekly"})
    assert chosen(town) == {"frequency": "weekly"}
    town.client.post(url(town), data=as_shown(town) | {"language": "en"})
    assert chosen(town)["language"] == "en"


def test_the_button_clicked_twice_is_one_choice(town: Town) -> None:
    """The second click leaves before the first has its answer: both find the contact as it was."""
    form = as_shown(town)
    del form["email/news"]
    before = town.rows(tables.consent), town.rows(tables.interaction)
    here = town.client.app.state.place  # type: ignore[attr-defined]
    found = preferences._choices(here, town.token("preferences", town.ana))
    assert found is not None
    for _ in range(2):
        with town.rt.begin() as db:
            for event in preferences._changes(here, found, preferences._said(form), "pt"):
                receive(db, event, signer=town.rt.signer, now=town.rt.now())
    assert (town.rows(tables.consent), town.rows(tables.interaction)) == (before[0] + 1, before[1] + 1)
    assert town.live()["email", "news"] is False


def test_a_no_on_a_page_that_said_it_before_is_heard_again_after_a_yes(town: Town) -> None:
    form = as_shown(town)
    del form["email/news"]
    town.client.post(url(town), data=form)
    town.clock[0] += timedelta(minutes=1)
    town.client.post(url(town), data=as_shown(town) | {"email/news": "yes"})
    assert town.live()["email", "news"] is True
    town.clock[0] += timedelta(minutes=1)
    town.client.post(url(town), data=form)  # the first page, by the browser's way back
    assert town.live()["email", "news"] is False


def test_the_language_chosen_on_the_page_goes_on_with_each_step(town: Town) -> None:
    there = url(town) + "?lang=es"
    for data in (as_shown(town), {"everything": "no"}):
        answer = town.client.post(there, data=data).headers["location"]
        assert "Sus elecciones quedaron guardadas." in town.client.get(answer).text
    answer = town.client.post(there, data=as_shown(town) | {"language": "en"}).headers["location"]
    assert "Your choices are saved." in town.client.get(answer).text
    leave = town.client.get(f"/unsubscribe/{town.token('unsubscribe')}?lang=es").text
    assert f'href="{url(town)}?lang=es"' in leave


def test_leave_everything_leaves_receipts_too_and_one_can_come_back(town: Town) -> None:
    town.client.post(url(town), data={"everything": "no"})
    assert not any(town.live().values())
    assert "checked" not in town.client.get(url(town)).text
    town.clock[0] += timedelta(minutes=1)
    town.client.post(url(town), data={"email/news": "yes", "email/service": "yes", "shown": ""})
    assert {pair for pair, yes in town.live().items() if yes} == {("email", "news"), ("email", "service")}


def test_a_form_that_does_not_say_how_it_was_shown_can_take_back_and_says_yes_to_nothing(town: Town) -> None:
    """It may have been shown before the contact left: an old page, or a hand-made form."""
    town.client.post(url(town), data={"everything": "no"})
    town.clock[0] += timedelta(minutes=1)
    town.client.post(url(town), data={"email/news": "yes", "email/service": "yes"})
    assert not any(town.live().values())
    town.client.post(url(town), data={"email/news": "yes", "email/service": "yes", "shown": ""})
    town.clock[0] += timedelta(minutes=1)
    town.client.post(url(town), data={"email/news": "yes"})
    assert {pair for pair, yes in town.live().items() if yes} == {("email", "news")}


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
