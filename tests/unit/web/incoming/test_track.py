"""Opens and clicks: recorded once durable; never a way to another's site; no answer tells a good token from a bad."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import sqlalchemy as sa

from tests.unit.web.conftest import PHONE, Town
from vinculo.db.tables import delivery, inbound, link
from vinculo.web.incoming.track import PIXEL

SHOP = "https://casaaurora.example/"
PAYLOADS = Path(__file__).resolve().parents[5] / "shared/corpora/hostile/open-redirect/Open-Redirect-payloads.txt"


def shop(town: Town) -> int:
    with town.rt.read() as db:
        return int(db.scalar(sa.select(link.c.id).where(link.c.url == SHOP)) or 0)


def times(town: Town) -> list[int]:
    with town.rt.read() as db:
        return list(db.scalars(sa.select(inbound.c.times).where(inbound.c.source == "web").order_by(inbound.c.id)))


def own(town: Town, url: str) -> str:
    token = town.token("click")
    packed = base64.urlsafe_b64encode(url.encode()).rstrip(b"=").decode()
    return f"/c/{token}/u/{town.rt.signer.mac('url', f'{token} {url}')}/{packed}"


@pytest.fixture
def town(town: Town) -> Town:
    """The town an hour after the newsletter left: nobody opens a message in the moment it is sent."""
    town.clock[0] += timedelta(hours=1)
    return town


def test_an_opening_is_in_the_history_when_the_image_arrives(town: Town) -> None:
    answer = town.client.get(f"/o/{town.token('open')}.gif", headers={"User-Agent": PHONE})
    assert (answer.status_code, answer.content, answer.headers["cache-control"]) == (200, PIXEL, "no-store, max-age=0")
    (row,) = town.history("opened")
    assert (row.contact_id, row.delivery_id, row.data["class"]) == (town.ana, town.sent, "human")


def test_a_scanners_head_is_a_machines(town: Town) -> None:
    answer = town.client.head(f"/o/{town.token('open')}.gif", headers={"User-Agent": PHONE})
    assert (answer.status_code, answer.content) == (200, b"")
    assert [row.data["class"] for row in town.history("opened")] == ["machine"]


def test_the_image_is_the_same_for_a_token_that_is_none(town: Town) -> None:
    good, bad = (town.client.get(f"/o/{token}.gif") for token in (town.token("open"), "nonsense"))
    assert (good.content, good.status_code, dict(good.headers)) == (bad.content, bad.status_code, dict(bad.headers))
    assert len(town.history("opened")) == 1


@pytest.mark.parametrize("policy", ["aggregate", "off"])
def test_a_campaign_that_does_not_ask_who_opened_is_not_told(town: Town, policy: str) -> None:
    from vinculo.db.tables import occurrence

    with town.rt.begin() as db:
        definition = dict(db.scalar(sa.select(occurrence.c.definition)) or {})
        db.execute(sa.update(occurrence).values(definition=definition | {"open_tracking": policy}))
    assert town.client.get(f"/o/{town.token('open')}.gif").content == PIXEL
    assert town.history("opened") == []


def test_a_click_leads_to_the_address_in_our_table(town: Town) -> None:
    answer = town.client.get(f"/c/{town.token('click')}/{shop(town)}", headers={"User-Agent": PHONE})
    assert (answer.status_code, answer.headers["location"]) == (302, SHOP)
    (row,) = town.history("clicked")
    assert (row.data["url"], row.data["class"], row.delivery_id) == (SHOP, "human", town.sent)


def test_a_click_on_an_address_of_its_own_leads_where_we_signed(town: Town) -> None:
    url = "https://casaaurora.example/voucher?code=a%20b&x=1#top"
    answer = town.client.get(own(town, url))
    assert (answer.status_code, answer.headers["location"]) == (302, url)


def test_without_our_signature_no_click_leads_anywhere(town: Town) -> None:
    good = own(town, SHOP)
    head, _, packed = good.rpartition("/")
    evil = base64.urlsafe_b64encode(b"https://evil.example/").decode().rstrip("=")
    other = own(town, SHOP).replace(town.token("click"), town.token("click", town.sent + 1))
    for path in (
        f"{head}/{evil}",
        other,
        f"{head[:-1]}x/{packed}",
        f"{head}/%FF",
        f"/c/{town.token('open')}/{shop(town)}",
    ):
        answer = town.client.get(path)
        assert answer.status_code == 404
        assert "location" not in answer.headers
    assert town.history("clicked") == []


def test_every_bit_of_a_token_counts(town: Town) -> None:
    token = town.token("click")
    for place in range(len(token)):
        flipped = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert town.client.get(f"/c/{flipped}/{shop(town)}").status_code == 404


def test_a_link_is_looked_up_for_none_but_our_tokens(town: Town) -> None:
    links = town.client.app.state.place.links  # type: ignore[attr-defined]
    for token in ("nonsense", town.token("open")):
        assert town.client.get(f"/c/{token}/{shop(town)}").status_code == 404
    assert links == {}
    assert town.client.get(f"/c/{town.token('click')}/{shop(town)}").status_code == 302
    assert links == {shop(town): SHOP}


def test_who_asks_a_hundred_times_on_a_day_has_clicked_once(town: Town) -> None:
    for _ in range(100):
        town.client.get(f"/c/{town.token('click')}/{shop(town)}")
    assert len(town.history("clicked")) == 1
    assert times(town) == [100]
    town.clock[0] += timedelta(days=1)
    town.client.get(f"/c/{town.token('click')}/{shop(town)}")
    assert times(town) == [100, 1]
    town.client.get(f"/c/{town.token('click')}/{shop(town)}", headers={"User-Agent": PHONE})
    assert times(town) == [100, 1, 1]


@pytest.mark.skipif(not PAYLOADS.exists(), reason="../shared/corpora is not here")
def test_no_known_payload_makes_us_lead_to_another_site(town: Town) -> None:
    token, number = town.token("click"), shop(town)
    for payload in PAYLOADS.read_text(encoding="utf-8", errors="replace").split("\n"):
        raw = quote(payload.strip(), safe="/:?&=%@\\;#[]")
        for path in (f"/c/{token}/{number}?url={raw}", f"/c/{token}/u/{raw}", f"/login?next={raw}"):
            answer = town.client.get(f"http://127.0.0.1:8500{path}")
            where = urlsplit(answer.headers.get("location", ""))
            assert where.hostname in (None, "127.0.0.1", "casaaurora.example"), payload
            assert where.scheme in ("", "http", "https"), payload


def test_a_delivery_that_is_gone_still_leads_where_the_link_leads(town: Town) -> None:
    assert town.rows(delivery) > 0
    answer = town.client.get(f"/c/{town.token('click', 10**6)}/{shop(town)}")
    assert answer.headers["location"] == SHOP
    assert town.history("clicked") == []
