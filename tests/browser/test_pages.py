"""What a person does with a browser, and what is in the database afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.browser.conftest import House
from vinculo import consent, run
from vinculo.db import tables
from vinculo.model import Occurrence

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_looking_changes_nothing_and_the_button_unsubscribes(page: Page, house: House) -> None:
    before = house.count(tables.consent)
    page.goto(f"{house.url}/unsubscribe/{house.token('unsubscribe', house.sent)}")
    assert page.get_by_role("heading", level=1).inner_text() == "Deixar de receber “Carta da casa”?"
    assert house.count(tables.consent) == before
    page.get_by_role("button", name="Sim, quero sair").click()
    page.get_by_role("heading", name="Pronto, você saiu").wait_for()
    assert house.count(tables.consent) == before + 1
    assert house.live()["email", "news"] is False
    page.get_by_role("button", name="Sair de tudo").click()
    page.get_by_text("sobre nenhum assunto").wait_for()
    assert not any(house.live().values())


def test_the_preference_centre_keeps_what_is_ticked(page: Page, house: House) -> None:
    assert house.live()["email", "news"] is True
    page.goto(f"{house.url}/preferences/{house.token('preferences', house.contact)}")
    topic = page.get_by_role("group", name="Carta da casa")
    topic.get_by_role("checkbox", name="e-mail").uncheck()
    page.get_by_role("group", name="Encontros na loja").get_by_role("checkbox", name="SMS").check()
    page.get_by_label("Com que frequência").select_option("weekly")
    page.get_by_label("Uma pausa").select_option("30")
    page.get_by_role("combobox", name="Idioma").select_option("en")
    page.get_by_role("button", name="Guardar minhas escolhas").click()
    page.get_by_text("Your choices are saved.").wait_for()
    assert house.live()["email", "news"] is False
    assert house.live()["sms", "events"] is True
    with house.rt.read() as db:
        kept = consent.preferences(db, house.contact)
    assert (kept["frequency"], kept["language"], kept["pause_until"][:10]) == ("weekly", "en", "2026-12-31")
    assert not page.get_by_role("group", name="The house letter").get_by_role("checkbox", name="e-mail").is_checked()


def test_a_held_occurrence_is_approved_on_the_plan(page: Page, house: House) -> None:
    from datetime import datetime

    campaign = house.rt.project.campaigns["black-friday"].model_copy(update={"approval": "required"})
    one = Occurrence("black-friday", datetime(2026, 12, 2, 9), "America/Sao_Paulo")
    run.begin(house.rt, campaign, one, due_now=True)
    page.goto(f"{house.url}/plan?days=7&lang=pt")
    row = page.locator(f'[data-occurrence="{one.key}"]')
    assert "espera aprovação" in row.inner_text()
    assert page.locator('[data-campaign="weekly-news"]').count() >= 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    row.get_by_role("button", name="Aprovar").click()
    page.wait_for_url("**/campaigns/black-friday")
    with house.rt.read() as db:
        o = tables.occurrence.c
        state = db.execute(sa.select(o.state, o.approved_by).where(o.occurrence == one.key)).one()
    assert tuple(state) == ("open", "console")


def test_a_message_shown_in_the_console_can_run_nothing(page: Page, house: House, complaints: list[str]) -> None:
    folder = house.rt.project.root / "outbox"
    folder.mkdir()
    (folder / "evil.eml").write_bytes(
        b"From: a@x.example\r\nTo: b@x.example\r\nSubject: Hi\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: text/html; charset=utf-8\r\n\r\n"
        b'<p id="text">Hello</p><img src="data:," onerror="top.document.title=1"><form action="/logout"><button>x</button></form>'
    )
    object.__setattr__(house.rt.project.settings.web, "outbox", str(folder))
    page.goto(f"{house.url}/outbox/evil.eml")
    frame = page.frame_locator("iframe").first
    assert frame.locator("#text").inner_text() == "Hello"
    assert page.title() == "Hi · Vinculo"
    assert any("Blocked script execution" in said for said in complaints)
    complaints.clear()


def test_no_name_widens_a_page_or_turns_round_what_stands_beside_it(page: Page, house: House) -> None:
    """A phone's screen; a name of 300 letters without a space, and one that writes from right to left."""
    c = tables.contact.c
    with house.rt.begin() as db:
        named = {"given_name": "W" * 300, "city": "C" * 200}
        db.execute(sa.update(tables.contact).where(c.id == house.contact).values(**named))
        db.execute(sa.update(tables.contact).where(c.id == house.contact + 1).values(given_name="\u202efdp.exe"))
        key = db.scalar(sa.select(c.key).where(c.id == house.contact))
    assert key is not None
    token = house.token("preferences", house.contact)
    for path in (f"preferences/{token}", f"contacts?q={key[:-1]}", f"contacts/{house.contact}", "contacts?q=fdp"):
        page.goto(f"{house.url}/{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    name, kind = page.locator(".item b").bounding_box(), page.locator(".item .tag").first.bounding_box()
    assert name is not None
    assert kind is not None
    assert kind["x"] > name["x"]
