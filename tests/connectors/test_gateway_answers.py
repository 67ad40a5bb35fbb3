"""What the gateway's connector makes of answers and webhooks beyond the contract."""

from __future__ import annotations

import json
import socket
import time

import pytest

from connectors.gateway import KINDS, Gateway
from vinculo.connector import BadSignature, InDoubt, Temporary, Unavailable
from vinculo.errors import UsageError
from vinculo.model import EventKind, Message
from vinculo.signing import sign_webhook
from vinculo.testing.gateway import Answer, GatewayFake

NUMBER = "+5511987654321"
MESSAGE = Message(key="weekly/2026-12-01T09:00[America/Sao_Paulo]/7", channel="sms", to=NUMBER, text="Olá")
SECRET = "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQ="


def test_a_wait_that_the_gateway_asks_for_is_handed_on() -> None:
    with GatewayFake() as fake, Gateway(fake.url, fake.token) as gateway:
        fake.fail(Answer(429, {"error": "slow_down"}, (("Retry-After", "7"),)))
        with pytest.raises(Temporary, match="429 slow_down") as raised:
            gateway.send(MESSAGE)
    assert raised.value.after == 7


@pytest.mark.parametrize("content", ["not json", "[]", '{"id": null}', ""])
def test_a_2xx_counts_whatever_its_body(content: str) -> None:
    with GatewayFake() as fake, Gateway(fake.url, fake.token) as gateway:
        fake.fail(Answer(200, content, taken=True))  # type: ignore[arg-type]
        assert gateway.send(MESSAGE).response == "200"


def test_a_gateway_that_is_not_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with Gateway(f"http://127.0.0.1:{port}/", "t") as gateway, pytest.raises(Unavailable):
        gateway.send(MESSAGE)


def test_a_gateway_that_does_not_answer_in_time_leaves_it_in_doubt() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with Gateway(url, "t", timeout=0.1) as gateway, pytest.raises(InDoubt):
            gateway.send(MESSAGE)


def test_a_url_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="no web address"):
        Gateway("gateway.example", "t")


@pytest.mark.parametrize(("word", "kind"), KINDS.items())
def test_each_word_of_the_gateway_has_its_kind(word: str, kind: EventKind) -> None:
    with GatewayFake() as fake:
        (event,) = Gateway(fake.url, fake.token, fake.webhook_secret).parse_webhook(*fake.webhook(word, "k", NUMBER))
    assert event.kind is kind


def test_a_bounce_is_hard_only_for_a_number_that_nobody_has() -> None:
    with GatewayFake() as fake:
        gateway = Gateway(fake.url, fake.token, fake.webhook_secret)
        codes = [
            gateway.parse_webhook(*fake.webhook("message.undeliverable", "k", NUMBER, code=code))[0].hard
            for code in ("unknown_number", "handset_off", "")
        ]
    assert codes == [True, False, False]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"events": 5}', b'{"events": [null]}', b'{"other": 1}', b"\xff"])
def test_a_signed_webhook_that_cannot_be_read_is_kept_as_unknown(body: bytes) -> None:
    stamp = int(time.time())
    headers = {
        "webhook-id": "m1",
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign_webhook(SECRET, "m1", stamp, body),
    }
    gateway = Gateway("http://gateway.example", "t", SECRET)
    (event,) = gateway.parse_webhook(headers, body)
    assert (event.kind, event.raw) == (EventKind.UNKNOWN, body)
    assert gateway.parse_webhook(headers, body)[0].id == event.id


def test_without_a_secret_every_webhook_is_refused() -> None:
    with GatewayFake() as fake, pytest.raises(BadSignature):
        Gateway(fake.url, fake.token).parse_webhook(*fake.webhook("message.sent"))


def test_while_a_secret_is_changed_both_are_taken() -> None:
    with GatewayFake() as fake:
        gateway = Gateway(fake.url, fake.token, f"{SECRET} {fake.webhook_secret}")
        assert gateway.parse_webhook(*fake.webhook("message.sent"))


def test_the_sender_is_told_when_it_is_set(tmp_path) -> None:
    with GatewayFake(folder=tmp_path) as fake, Gateway(fake.url, fake.token, sender="LOJA") as gateway:
        gateway.send(MESSAGE)
        (kept,) = tmp_path.iterdir()
        assert json.loads(kept.read_text("utf-8"))["from"] == "LOJA"
