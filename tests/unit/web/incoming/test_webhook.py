"""Webhooks: signed, or refused; answered once the event is kept; the same one counts once."""

from __future__ import annotations

import json

from tests.unit.web.conftest import SECRET, Town
from vinculo.connector import Connector
from vinculo.db.tables import inbound
from vinculo.signing import sign_webhook
from vinculo.testing.gateway import GatewayFake


def signed(kind: str = "message.delivered", key: str = "", **more: str) -> tuple[dict[str, str], bytes]:
    return GatewayFake(webhook_secret=SECRET).webhook(kind, key, **more)


def test_an_event_is_kept_when_the_answer_comes_and_counts_once(town: Town) -> None:
    headers, body = signed(key="weekly/2026-12-01T12:00[UTC]/1", id="e1")
    first = town.client.post("/webhooks/sms", content=body, headers=headers)
    second = town.client.post("/webhooks/sms", content=body, headers=headers)
    assert (first.status_code, first.json()) == (200, {"outcomes": ["handled"]})
    assert second.json() == {"outcomes": ["duplicate"]}
    assert len(town.history("delivered")) == 1


def test_every_byte_of_the_body_is_signed(town: Town) -> None:
    headers, body = signed()
    for place in range(0, len(body), 7):
        altered = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        assert town.client.post("/webhooks/sms", content=altered, headers=headers).status_code == 401
    assert town.rows(inbound) == 0


def test_what_is_unsigned_unknown_or_too_large_is_refused(town: Town) -> None:
    headers, body = signed()
    assert town.client.post("/webhooks/sms", content=body).status_code == 401
    assert town.client.post("/webhooks/pigeon", content=body, headers=headers).status_code == 404
    assert town.client.post("/webhooks/sms", content=b"x" * 1_000_001).status_code == 413
    assert town.client.get("/webhooks/sms").status_code == 405
    assert town.rows(inbound) == 0


def test_a_channel_whose_connector_takes_no_webhooks_has_none(town: Town) -> None:
    assert "parse_webhook" in vars(Connector)
    headers, body = signed()
    assert town.client.post("/webhooks/email", content=body, headers=headers).status_code in (401, 404)
    assert town.rows(inbound) == 0


def test_a_form_may_not_be_as_large_as_a_webhook(town: Town) -> None:
    body = json.dumps({"events": []}).encode().ljust(200_000)
    stamp, name = int(signed()[0]["webhook-timestamp"]), "msg_1"
    headers = {
        "webhook-id": name,
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign_webhook(SECRET, name, stamp, body),
    }
    assert town.client.post("/webhooks/sms", content=body, headers=headers).status_code == 200
    url = f"/survey/{town.token('survey')}/9"
    answer = town.client.post(url, data={"score": "9", "words": "x" * 70_000})
    assert answer.status_code == 413
    assert town.history("surveyed") == []
