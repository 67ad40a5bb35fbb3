"""E-mail through a mail server, one message at a time, each failure judged by how far the transaction came.

[channels]
email = "connectors.smtp:Smtp"

[smtp]
url = "smtp://user:password@host:587"     # STARTTLS when offered; smtp+starttls:// requires it; smtps:// is TLS
                                          # from the start; ?timeout=30 &helo=name &ca=certificates.pem
"""

from __future__ import annotations

from vinculo.connector import Capabilities, Connector, Receipt, Rejected
from vinculo.mail import HeaderError, compose
from vinculo.mail.smtp import Client
from vinculo.model import Message


class Smtp(Connector):
    """Sends e-mail by SMTP (RFC 5321). What comes back comes as mail: bounces and replies are read by the inbox."""

    channels = frozenset({"email"})
    can = Capabilities(html=True, subject=True, bulk=1)

    def __init__(self, url: str) -> None:
        self._client = Client(url)

    def open(self) -> None:
        self._client.open()

    def close(self) -> None:
        self._client.close()

    def send(self, message: Message) -> Receipt:
        return self._client.send(message.return_path or message.sender.address, message.to, _content(message))


def _content(message: Message) -> bytes:
    try:
        return message.mime or compose(message)
    except HeaderError as error:
        raise Rejected(str(error), status="5.6.0") from None
