"""The preference centre and the page of a confirmation, on a phone and on a desk."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from vinculo import consent, optin
from vinculo.db.tables import delivery
from vinculo.project.asking import Confirm

from .conftest import NOW

pytestmark = pytest.mark.browser
WIDTHS = (375, 1280)


def _fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_yes_is_asked_to_be_confirmed_and_confirmed_by_one_button(house, page, tmp_path) -> None:
    policy = house.rt.project.policy.model_copy(update={"confirm": Confirm(topics=["news"])})
    object.__setattr__(house.rt.project, "policy", policy)
    with house.rt.begin() as db:
        consent.withdraw(db, house.contact, "email", "news", NOW, source="web")
        asked = optin.ask(db, house.rt.project, house.contact, "email", "news", NOW, source="test")
        assert asked == "asked"
        number = db.scalar(sa.select(delivery.c.id).where(delivery.c.basis == "request"))
    centre = f"{house.url}/preferences/{house.token('preferences', house.contact)}"
    for language in ("pt", "en", "es"):
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            for name, url in (
                ("preferences", centre),
                ("confirm", f"{house.url}/confirm/{house.token('confirm', number)}"),
            ):
                page.goto(f"{url}?lang={language}&asked=news")
                assert _fits(page), (name, language, width)
                page.screenshot(path=tmp_path / f"{name}-{language}-{width}.png", full_page=True)
    assert not house.live().get(("email", "news"))
    page.get_by_role("button").first.click()
    assert page.get_by_role("status").is_visible()
    assert house.live()["email", "news"]
