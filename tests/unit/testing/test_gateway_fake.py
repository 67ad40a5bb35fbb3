"""The fake refuses what a provider refuses."""

from __future__ import annotations

import http.client
import json
import os
import queue
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from vinculo.errors import NotReady
from vinculo.signing import verify_webhook
from vinculo.testing.gateway import GatewayFake

GOOD = {"key": "k1", "channel": "sms", "to": "+5511987654321", "text": "Olá"}


def post(fake: GatewayFake, body: object, *, path: str = "/messages", **headers: str | None) -> tuple[int, dict]:
    usual = {"authorization": f"Bearer {fake.token}", "idempotency_key": "k1", "content_type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", fake.port, timeout=5)
    wanted = {name.replace("_", "-"): value for name, value in {**usual, **headers}.items() if value is not None}
    connection.request("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), wanted)
    answer = connection.getresponse()
    said = answer.status, json.loads(answer.read())
    connection.close()
    return said


@pytest.mark.parametrize(
    ("status", "change", "headers"),
    [
        (401, {}, {"authorization": "Bearer wrong"}),
        (401, {}, {"authorization": None}),
        (400, {}, {"idempotency_key": None}),
        (400, {}, {"idempotency_key": "x" * 256}),
        (415, {}, {"content_type": "text/plain"}),
        (404, {}, {"path": "/elsewhere"}),
        (422, {"to": "11987654321"}, {}),
        (422, {"to": "+0"}, {}),
        (422, {"text": ""}, {}),
        (422, {"text": "x" * 1601}, {}),
        (422, {"channel": "email"}, {}),
        (422, {"extra": "1"}, {}),
        (422, {"text": 5}, {}),
    ],
)
def test_what_a_provider_refuses_is_refused(status: int, change: dict, headers: dict) -> None:
    with GatewayFake() as fake:
        assert post(fake, {**GOOD, **change}, **headers)[0] == status
        assert fake.received == []


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"{}"])
def test_a_body_that_is_none_is_refused(body: bytes) -> None:
    with GatewayFake() as fake:
        assert post(fake, body)[0] == 422


def test_the_same_request_gets_the_same_answer_and_another_under_its_key_is_refused() -> None:
    with GatewayFake() as fake:
        first = post(fake, GOOD)
        assert post(fake, GOOD) == first == (202, {"id": "gw_1"})
        assert post(fake, {**GOOD, "text": "other"})[0] == 422
        assert len(fake.received) == 1


def test_a_port_that_is_taken_is_named() -> None:
    with GatewayFake() as fake, pytest.raises(NotReady, match=str(fake.port)):
        GatewayFake(fake.port).start()


def test_it_posts_signed_webhooks_back() -> None:
    came: queue.Queue[tuple[dict, bytes]] = queue.Queue()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.put((dict(self.headers), self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Door) as door:
        Thread(target=door.handle_request, daemon=True).start()
        with GatewayFake(webhook_url=f"http://127.0.0.1:{door.server_port}/webhooks/sms") as fake:
            post(fake, GOOD)
            headers, body = came.get(timeout=5)
    from datetime import UTC, datetime

    assert verify_webhook(fake.webhook_secret, headers, body, now=datetime.now(UTC))
    (event,) = json.loads(body)["events"]
    assert (event["type"], event["key"], event["address"]) == ("message.delivered", "k1", "+5511987654321")


def test_it_runs_by_hand_and_prints_its_settings() -> None:
    command = [sys.executable, "-m", "vinculo.testing.gateway", "--port", "0", "--token", "t0ken"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": "."}) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert lines[0] == "[gateway]"
    assert lines[1].startswith('url = "http://127.0.0.1:')
    assert lines[2] == 'token = "t0ken"'
