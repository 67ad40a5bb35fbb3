"""E-mail through a mail server, over many connections at once, each failure judged by how far the message had come.

[channels]
email = "connectors.smtp:Smtp"

[smtp]
url = "smtp://user:password@host:587"     # STARTTLS when offered; smtp+starttls:// requires it; smtps:// is TLS
                                          # from the start. Settings: ?connections=8 &messages=100 (a connection)
                                          # &pipeline=full &timeout=300 &helo=name &ca=certificates.pem
# token: signs in by XOAUTH2 instead of a password; VINCULO__SMTP__TOKEN, or a file in VINCULO__SMTP__TOKEN_FILE
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from vinculo.connector import Capabilities, Connector, Outcome, Receipt
from vinculo.mail.endpoint import Endpoint
from vinculo.mail.smtp import Client
from vinculo.model import Message


class Smtp(Connector):
    """Sends e-mail by SMTP (RFC 5321). What comes back comes as mail: bounces and replies are read by the inbox."""

    channels = frozenset({"email"})
    can = Capabilities(html=True, subject=True, bulk=16)

    def __init__(self, url: str, token: str = "") -> None:
        self._client = Client(Endpoint.from_url(url, token=token))
        self.can = replace(self.can, bulk=self._client.bulk)

    def open(self) -> None:
        self._client.open()

    def close(self) -> None:
        self._client.close()

    def send(self, message: Message) -> Receipt:
        return self._client.send(message)

    def send_many(self, messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
        return self._client.send_many(messages)
