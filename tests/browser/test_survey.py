"""A survey's page on a telephone: a poll in the contact's language, answered and changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.browser.conftest import House
from vinculo.db.tables import conversation, interaction, occurrence

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
POLL = {
    "kind": "poll",
    "question": {"pt": "Como você prepara o café?", "en": "How do you brew?"},
    "choices": [
        {"name": "filter", "title": {"pt": "Coado, de manhã, para a casa toda", "en": "Filter"}},
        {"name": "none", "title": {"pt": "Não bebo mais", "en": "No more coffee"}, "negative": True},
    ],
}


def test_a_poll_is_answered_and_changed(page: Page, house: House) -> None:
    with house.rt.begin() as db:
        definition = dict(db.scalar(sa.select(occurrence.c.definition)) or {}, survey=POLL)
        db.execute(sa.update(occurrence).values(definition=definition))
    page.goto(f"{house.url}/survey/{house.token('survey', house.sent)}/2")
    assert page.get_by_role("radio", name="Não bebo mais").is_checked()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Quer nos contar por quê?").fill("O médico pediu")
    page.get_by_role("button", name="Enviar minha opinião").click()
    page.get_by_text("Sua resposta: Não bebo mais.").wait_for()
    page.get_by_text("Mudar minha resposta").click()
    page.get_by_role("radio", name="Coado").check()
    page.get_by_role("button", name="Enviar minha opinião").click()
    page.get_by_text("Sua resposta: Coado").wait_for()
    with house.rt.read() as db:
        given = [row["choice"] for row in db.scalars(_answers(house))]
        assert db.scalar(sa.select(sa.func.count()).select_from(conversation)) == 1
    assert given == ["none", "filter"]


def _answers(house: House) -> sa.Select[tuple[dict[str, str]]]:
    i = interaction.c
    return sa.select(i.data).where(i.kind == "surveyed", i.contact_id == house.contact, i.delivery_id == house.sent)
