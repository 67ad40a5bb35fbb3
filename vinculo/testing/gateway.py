"""An HTTP message gateway on this machine, as strict as a provider: `python -m vinculo.testing.gateway --port 8600`.

It takes `POST /messages` as `connectors/gateway.py` sends it, refuses what a provider refuses (no key, a used key with
another body, a wrong token, a number that is none), keeps what it takes, and sends signed webhooks.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import re
import secrets
import signal
import socket
import sys
import threading
import urllib.request
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vinculo.connector import BadAddress, InDoubt, Rejected, SendError, Temporary, Unavailable
from vinculo.errors import NotReady
from vinculo.signing import sign_webhook
from vinculo.testing.provider import Received


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway says: a status, a JSON body, headers. *lost*: nothing, it hangs up; *taken*: the message is."""

    status: int
    body: Mapping[str, Any]
    headers: tuple[tuple[str, str], ...] = ()
    lost: bool = False
    taken: bool = False


_FAILURES: dict[type[SendError], Answer] = {
    Temporary: Answer(429, {"error": "slow_down"}, (("Retry-After", "7"),)),
    Rejected: Answer(400, {"error": "content_refused"}),
    BadAddress: Answer(422, {"error": "unknown_number"}),
    Unavailable: Answer(401, {"error": "bad_token"}),
    InDoubt: Answer(200, {}, lost=True, taken=True),
}
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_FIELDS = {"key", "channel", "to", "text"}
_LARGEST = 65_536
_LONGEST_TEXT = 1600


class GatewayFake:
    """Listens on 127.0.0.1 from `start` to `stop`, on a free port unless *port* is given.

    *folder*: each message is kept there as JSON too. *webhook_url*: told `message.delivered` for each message taken.
    """

    fails_with = frozenset(_FAILURES)

    def __init__(
        self,
        port: int = 0,
        *,
        token: str = "",
        webhook_secret: str = "",
        folder: Path | None = None,
        webhook_url: str = "",
    ) -> None:
        self.port, self.webhook_url, self._folder = port, webhook_url, folder
        self.token = token or secrets.token_urlsafe(24)
        self.webhook_secret = webhook_secret or "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        self._lock = threading.Lock()
        self._received: list[Received] = []
        self._answered: dict[str, tuple[str, Answer]] = {}
        self._scripted: deque[Answer] = deque()
        self._server: ThreadingHTTPServer | None = None

    # ── what a test asks and tells ───────────────────────────────────────────────────────────────────────────────
    @property
    def url(self) -> str:
        """Where messages are posted to."""
        return f"http://127.0.0.1:{self.port}/messages"

    @property
    def received(self) -> list[Received]:
        """What was taken, in order."""
        with self._lock:
            return list(self._received)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must show nowhere."""
        return (self.token, self.webhook_secret)

    def fail(self, answer: Answer) -> None:
        """Give *answer* to the next message that is in order."""
        with self._lock:
            self._scripted.append(answer)

    def fail_next(self, decision: type[SendError]) -> None:
        """Treat the next message as one for which a connector must decide *decision*."""
        self.fail(_FAILURES[decision])

    def webhook(self, kind: str, key: str = "", address: str = "", **more: str) -> tuple[dict[str, str], bytes]:
        """Return a signed webhook with one event of our word *kind*; the same arguments give the same event id."""
        said = {"type": kind, "key": key, "address": address, **more}
        said["id"] = more.get("id") or hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:24]
        now = datetime.now(UTC)
        body = json.dumps({"events": [{"at": now.isoformat(), **said}]}, ensure_ascii=False).encode()
        stamp, name = int(now.timestamp()), f"msg_{secrets.token_hex(8)}"
        signature = sign_webhook(self.webhook_secret, name, stamp, body)
        headers = {"webhook-id": name, "webhook-timestamp": str(stamp), "webhook-signature": signature}
        return {"content-type": "application/json", **headers}, body

    def post_webhook(self, url: str, kind: str, key: str = "", address: str = "", **more: str) -> int:
        """Send one event to *url*; return the HTTP status. Raises `OSError` when nobody takes it."""
        headers, body = self.webhook(kind, key, address, **more)
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)

    # ── its life ─────────────────────────────────────────────────────────────────────────────────────────────────
    def start(self) -> Self:
        """Listen. Raises `NotReady` when the port is taken."""
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", self.port), partial(_Handler, self))
        except OSError as error:
            raise NotReady(f"Cannot listen on port {self.port}: {error.strerror}", "Give another port.") from error
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="gateway-fake", daemon=True).start()
        return self

    def stop(self) -> None:
        """Let the port go."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    # ── what it decides ──────────────────────────────────────────────────────────────────────────────────────────
    def answer(self, authorization: str, keys: list[str], content: bytes) -> Answer:
        """Judge one request as a provider would; take the message if nothing is wrong with it."""
        if authorization != f"Bearer {self.token}":
            return Answer(401, {"error": "bad_token"})
        if len(keys) != 1 or not 1 <= len(keys[0]) <= 255:
            return Answer(400, {"error": "idempotency_key_missing_or_twice"})
        error, message = _read(content)
        if error:
            return Answer(422, {"error": error})
        with self._lock:
            return self._once(keys[0], message)

    def _once(self, key: str, message: dict[str, str]) -> Answer:
        """Give the first answer again to the same request; refuse another message under the same key."""
        print_ = json.dumps(message, sort_keys=True)
        if key in self._answered:
            before, answer = self._answered[key]
            return answer if before == print_ else Answer(422, {"error": "idempotency_key_reused"})
        scripted = self._scripted.popleft() if self._scripted else None
        if scripted is not None and not scripted.taken:
            return scripted
        answer = Answer(202, {"id": f"gw_{len(self._received) + 1}"}, taken=True)
        self._answered[key] = (print_, answer)
        self._keep(key, message)
        return scripted or answer

    def _keep(self, key: str, message: dict[str, str]) -> None:
        self._received.append(
            Received(to=message["to"], text=message["text"], key=message["key"], headers=(("idempotency-key", key),))
        )
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{len(self._received):06}.json"
            path.write_text(json.dumps(message, ensure_ascii=False, indent=2), encoding="utf-8")

    def report(self, content: bytes) -> None:
        """Tell the webhook's address that a message was delivered."""
        _, message = _read(content)
        try:
            self.post_webhook(self.webhook_url, "message.delivered", message["key"], message["to"])
        except OSError as error:
            print(f"{self.webhook_url} takes no webhook: {error}", flush=True)  # noqa: T201 - for who runs it by hand


class _Handler(BaseHTTPRequestHandler):
    """HTTP around `GatewayFake.answer`."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    wbufsize = -1  # head and body in one write: two would wait for each other (Nagle)

    def __init__(self, fake: GatewayFake, *connection: Any) -> None:
        self._fake = fake
        super().__init__(*connection)

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _LARGEST:
            self.close_connection = True
            self._write(Answer(413 if length else 411, {"error": "length"}))
            return
        content = self.rfile.read(int(length))
        if self.path != "/messages" or self.headers.get_content_type() != "application/json":
            self._write(Answer(404 if self.path != "/messages" else 415, {"error": "not_here"}))
            return
        keys = self.headers.get_all("idempotency-key") or []
        answer = self._fake.answer(self.headers.get("authorization", ""), keys, content)
        if answer.lost:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._write(answer)
        if answer.taken and self._fake.webhook_url:
            self._fake.report(content)

    def _write(self, answer: Answer) -> None:
        body = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in (*answer.headers, ("Content-Type", "application/json"), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing: what was taken is in `received`."""


def _read(content: bytes) -> tuple[str, dict[str, str]]:
    """Read a request's body; return what is wrong with it, or the message."""
    try:
        said = json.loads(content)
    except ValueError:
        return "not_json", {}
    if not isinstance(said, dict) or not said.keys() >= _FIELDS or not said.keys() <= _FIELDS | {"from"}:
        return "wrong_fields", {}
    if not all(isinstance(value, str) for value in said.values()) or said["channel"] not in {"sms", "whatsapp"}:
        return "wrong_values", {}
    if not _NUMBER.fullmatch(said["to"]):
        return "invalid_number", {}
    if not 1 <= len(said["text"]) <= _LONGEST_TEXT:
        return "text_empty_or_too_long", {}
    return "", said


def main() -> None:
    """Run one until Ctrl-C, and say how to use it."""
    parser = argparse.ArgumentParser(prog="python -m vinculo.testing.gateway", description=__doc__)
    parser.add_argument("--port", type=int, default=8600)
    parser.add_argument("--token", default="", help="what connectors sign in with; made up when absent")
    parser.add_argument("--webhook-secret", default="", help="what webhooks are signed with; made up when absent")
    parser.add_argument("--webhook-url", default="", help="told of each message delivered, e.g. …/webhooks/sms")
    parser.add_argument("--folder", type=Path, help="keep each message there as JSON")
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with Ctrl-C ignored
    fake = GatewayFake(
        given.port,
        token=given.token,
        webhook_secret=given.webhook_secret,
        folder=given.folder,
        webhook_url=given.webhook_url,
    )
    try:
        fake.start()
    except NotReady as error:
        sys.exit(str(error))
    lines = ("[gateway]", f'url = "{fake.url}"', f'token = "{fake.token}"', f'webhook_secret = "{fake.webhook_secret}"')
    with contextlib.suppress(KeyboardInterrupt):
        print("\n".join(lines), flush=True)  # noqa: T201
        threading.Event().wait()
    fake.stop()


if __name__ == "__main__":
    main()
