"""A mail through a door ends in the contact's history, consent and suppression."""

import sqlalchemy as sa

from tests.unit.feedback.conftest import Shop
from tests.unit.inbox.letters import complaint, dsn, letter
from vinculo import consent, history
from vinculo.db.tables import inbound
from vinculo.feedback import receive_mail


def _mail(shop: Shop, raw: bytes) -> list[str]:
    return receive_mail(shop.desk, raw, source="lmtp")


def test_a_bounce_a_complaint_a_reply_and_an_unsubscription(shop: Shop) -> None:
    token = {name: shop.signer.mail_token(name, shop.ana_delivery) for name in ("bounce", "message", "reply")}
    reply_to = f"replies+{token['reply']}@shop.example"
    assert _mail(shop, letter("Adorei!", to=reply_to)) == ["handled"]
    assert _mail(shop, letter("", to=reply_to, subject="unsubscribe")) == ["handled"]
    assert _mail(shop, dsn(f"bounces+{token['bounce']}@shop.example")) == ["handled"]
    returned = f"To: redacted\r\nMessage-ID: <{token['message']}@shop.example>\r\n"
    assert _mail(shop, complaint(returned=returned)) == ["handled"]
    with shop.engine.begin() as db:
        lines = {line.kind: line for line in history.timeline(db, shop.ana)}
        assert consent.live(db, shop.ana, shop.now) == {("email", "news"): False, ("email", "offers"): False}
        assert consent.suppressed(db, "email", {shop.hash("ana@example.com")})
        assert history.timeline(db, shop.bruno) == []
    assert set(lines) == {"replied", "unsubscribed", "bounced", "complained"}
    assert lines["replied"].summary == "Adorei!"
    assert {line.campaign for line in lines.values()} == {"weekly"}


def test_the_same_mail_twice_is_handled_once(shop: Shop) -> None:
    assert _mail(shop, letter(headers="")) == ["handled"]
    assert _mail(shop, b"Received: again\r\n" + letter(headers="")) == ["duplicate"]


def test_what_cannot_be_read_is_kept(shop: Shop) -> None:
    raw = b"X: a\n" * 5000
    assert _mail(shop, raw) == ["ignored"]
    with shop.engine.begin() as db:
        assert db.scalar(sa.select(inbound.c.raw)) == raw
