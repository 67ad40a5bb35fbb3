"""Openings and clicks judged again: by what came before and after each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from tests.unit.feedback.conftest import Shop
from vinculo.db.tables import delivery, interaction
from vinculo.feedback import judge_again, receive
from vinculo.feedback.agent import RULE
from vinculo.model import Event, EventKind

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"


def hit(shop: Shop, after: float, kind: EventKind = EventKind.CLICKED, url: str = "", agent: str = PHONE) -> None:
    """An opening or a click, *after* so many seconds."""
    data: dict[str, Any] = {"user_agent": agent, "method": "GET"}
    with shop.engine.begin() as db:
        db.execute(sa.update(delivery).values(submitted_at=shop.now - timedelta(hours=1)))
        at = shop.now - timedelta(hours=1) + timedelta(seconds=after)
        event = Event(kind, "web", f"{after}", at, delivery=shop.ana_delivery, url=url, data=data)
        assert receive(db, event, signer=shop.signer, now=shop.now) == "handled"


def classes(shop: Shop) -> list[str]:
    with shop.engine.connect() as db:
        return [data["class"] for data in db.scalars(sa.select(interaction.c.data).order_by(interaction.c.at))]


def again(shop: Shop, **given: Any) -> dict[str, int]:
    with shop.engine.begin() as db:
        return dict(judge_again(db, **given))


def test_who_follows_every_link_at_once_is_a_machine(shop: Shop) -> None:
    for number in range(4):
        hit(shop, 600 + number / 2, url=f"https://casaaurora.example/{number}")
    hit(shop, 900, url="https://casaaurora.example/1")
    assert classes(shop) == ["human"] * 5
    assert again(shop) == {"human→machine": 4}
    assert classes(shop) == ["machine"] * 4 + ["human"]


def test_who_follows_one_link_again_and_again_is_a_person_in_a_hurry(shop: Shop) -> None:
    for number in range(4):
        hit(shop, 600 + number / 2, url="https://casaaurora.example/1")
    assert again(shop) == {}
    assert classes(shop) == ["human"] * 4


def test_who_is_there_before_a_person_could_have_read_is_a_machine(shop: Shop) -> None:
    hit(shop, 0.4, EventKind.OPENED)
    hit(shop, 2.5, EventKind.OPENED)
    hit(shop, 0.6, EventKind.OPENED, agent="GoogleImageProxy")
    assert again(shop) == {"human→machine": 1}
    assert classes(shop) == ["machine", "proxy", "human"]


def test_judged_twice_the_past_is_the_same_and_features_stay(shop: Shop) -> None:
    hit(shop, 0.4, EventKind.OPENED)
    again(shop)
    assert again(shop) == {}
    with shop.engine.connect() as db:
        data = db.scalar(sa.select(interaction.c.data))
    assert data == {"user_agent": PHONE, "method": "GET", "class": "machine", "rule": RULE}


def test_what_an_older_rule_said_is_replaced(shop: Shop) -> None:
    hit(shop, 600, EventKind.OPENED, agent="curl/8")
    with shop.engine.begin() as db:
        db.execute(sa.update(interaction).values(data={"user_agent": "curl/8", "class": "human", "rule": 1}))
    assert again(shop, since=shop.now) == {}
    assert again(shop) == {"human→machine": 1}


def test_nothing_to_judge_is_no_error(shop: Shop) -> None:
    assert again(shop) == {}
