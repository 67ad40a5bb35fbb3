"""The inbox in a browser: a mail comes, somebody answers, hands over, closes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.browser.conftest import NOW, House
from vinculo import contacts, feedback
from vinculo.db import tables

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def letter(house: House, text: str, subject: str, number: int = 1) -> None:
    """A mail of the contact comes in."""
    with house.rt.read() as db:
        person = contacts.load(db, [house.contact])[house.contact]
    sender = next(each.value for each in person.addresses if each.channel == "email")
    raw = (
        f"From: {sender}\r\nTo: replies@casaaurora.example\r\nSubject: {subject}\r\nMessage-ID: <{number}@x.example>\r\n"
        f"Date: {NOW:%a, %d %b %Y %H:%M:%S +0000}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    )
    assert feedback.receive_mail(house.rt, raw.encode(), source="smtp") == ["handled"]


def test_a_question_is_answered_handed_over_and_closed(page: Page, house: House) -> None:
    letter(house, "Bom dia! Meu pedido chegou quebrado. <b>Podem trocar?</b>", "Pedido 1001")
    letter(house, "Quanto custa o moedor?", "Moedor", 2)
    page.goto(f"{house.url}/inbox?lang=pt")
    assert page.get_by_role("heading", level=1).inner_text() == "Conversas"
    assert page.locator("[data-conversation]").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="Pedido 1001").click()
    assert "<b>Podem trocar?</b>" in page.locator('[data-turn="received"]').inner_text()
    assert page.get_by_text("insatisfeito").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Sua resposta a").fill("Claro!\n\nEnviamos outro hoje.")
    page.locator("form.answer").get_by_label("Seu nome").fill("Lia")
    page.locator("form.answer").get_by_role("button", name="Enviar resposta").dblclick()
    page.locator('[data-turn="answered"]').first.wait_for()
    with house.rt.read() as db:
        d = tables.delivery.c
        assert db.scalar(sa.select(sa.func.count()).where(d.campaign == "answer")) == 1
    assert page.locator('[data-turn="answered"]').count() == 1
    page.get_by_text("Passar a outra pessoa").first.click()
    page.get_by_label("Para quem").fill("Beto")
    page.get_by_role("button", name="Passar a outra pessoa").click()
    page.get_by_text("Lia passou a Beto").wait_for()
    page.locator("summary", has_text="Encerrar").click()
    page.get_by_role("button", name="Encerrar").click()
    page.get_by_text("Lia encerrou").wait_for()
    page.goto(f"{house.url}/inbox")
    assert page.locator("[data-conversation]").count() == 1
    page.get_by_role("link", name="Tempos de resposta").click()
    assert page.get_by_role("cell", name="Beto").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_nothing_to_say_is_said_on_the_page_and_the_text_stays(page: Page, house: House, complaints: list[str]) -> None:
    letter(house, "Quanto custa o moedor?", "Moedor")
    page.goto(f"{house.url}/inbox/1?lang=es")
    page.get_by_label("Su respuesta a").fill("   ")
    page.locator("form.answer").get_by_label("Su nombre").fill("Lia")
    page.get_by_role("button", name="Enviar respuesta").click()
    page.get_by_role("alert").wait_for()
    assert "no se envió nada" in page.get_by_role("alert").inner_text()
    complaints.clear()  # the browser notes the 422
