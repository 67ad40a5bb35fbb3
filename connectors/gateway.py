"""SMS and WhatsApp through an HTTP gateway: one POST a message, signed webhooks back (standardwebhooks.com).

    [channels]
    sms = "connectors.gateway:Gateway"

    [gateway]
    url = "https://gateway.example/messages"
    token = "…"                               # or VINCULO__GATEWAY__TOKEN_FILE
    webhook_secret = "whsec_…"                # several, separated by spaces, while a secret is changed

The gateway dedupes on the Idempotency-Key, and takes nothing when it answers 503.
`python -m vinculo.testing.gateway` is one to try out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx2

from vinculo.connector import Capabilities, Connector, Receipt
from vinculo.errors import UsageError
from vinculo.http import broken, json_object, refused
from vinculo.model import Event, EventKind, Message
from vinculo.signing import verify_webhook

KINDS = {
    "message.queued": EventKind.QUEUED,
    "message.sent": EventKind.SENT,
    "message.delivered": EventKind.DELIVERED,
    "message.undeliverable": EventKind.BOUNCED,
    "message.failed": EventKind.FAILED,
    "message.read": EventKind.OPENED,
    "message.received": EventKind.INBOUND,
    "contact.opted_out": EventKind.UNSUBSCRIBED,
}
#: The gateway's codes for a number that nobody has.
BAD_NUMBER = frozenset({"invalid_number", "unknown_number"})


class Gateway(Connector):
    """Sends text by HTTP. *timeout* in seconds."""

    channels = frozenset({"sms", "whatsapp"})
    can = Capabilities(max_text=1600, idempotent=True, reports=frozenset(KINDS.values()))

    def __init__(self, url: str, token: str, webhook_secret: str = "", sender: str = "", timeout: float = 15) -> None:
        if not url.startswith(("https://", "http://")):
            raise UsageError("The gateway's `url` is no web address", "Write e.g. `https://gateway.example/messages`.")
        self._url, self._sender, self._webhook_secrets = url, sender, webhook_secret.split()
        self._options: dict[str, Any] = {"headers": {"Authorization": f"Bearer {token}"}, "timeout": timeout}
        self._client: httpx2.Client | None = None

    def open(self) -> None:
        self._client = self._client or httpx2.Client(**self._options)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None

    def send(self, message: Message) -> Receipt:
        body = {"key": message.key, "channel": message.channel, "to": message.to, "text": message.text}
        answer = self._post(body | ({"from": self._sender} if self._sender else {}), message.key)
        said = json_object(answer.content)
        if not answer.is_success:
            code = str(said.get("error", ""))
            raise refused(answer, datetime.now(UTC), code=code, bad_address=BAD_NUMBER, not_queued={503})
        return Receipt(provider_id=str(said.get("id", "")), response=str(answer.status_code))

    def _post(self, body: Mapping[str, str], key: str) -> httpx2.Response:
        if self._client is None:
            raise RuntimeError("the gateway is used before `open`")
        try:
            return self._client.post(self._url, json=body, headers={"Idempotency-Key": quote(key, safe="/:[]@+._~")})
        except httpx2.TransportError as error:
            raise broken(error) from error

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> list[Event]:
        now = datetime.now(UTC)
        verify_webhook(self._webhook_secrets, headers, body, now=now)
        return self.read_webhook(headers, body, now)

    def read_webhook(self, headers: Mapping[str, str], body: bytes, at: datetime) -> list[Event]:  # noqa: ARG002
        events = json_object(body).get("events", [None])
        return [_event(each, body, at) for each in (events if isinstance(events, list) else [events])]


def _event(given: Any, body: bytes, now: datetime) -> Event:
    """Read one event. One without an id gets the hash of what came, so that a replay has the same id."""
    said = {key: str(value) for key, value in given.items()} if isinstance(given, dict) else {}
    kind = KINDS.get(said.get("type", ""), EventKind.UNKNOWN)
    return Event(
        kind=kind,
        source="gateway",
        id=said.get("id") or hashlib.sha256(body + json.dumps(given).encode()).hexdigest(),
        at=_instant(said.get("at", ""), now),
        channel=said.get("channel", ""),
        key=said.get("key", ""),
        address=said.get("address", ""),
        hard=said.get("code") in BAD_NUMBER if kind is EventKind.BOUNCED else None,
        reason=said.get("reason", ""),
        text=said.get("text", ""),
        raw=body,
    )


def _instant(text: str, now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return now
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
