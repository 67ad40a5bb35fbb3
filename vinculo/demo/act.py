"""What people do with a message, as plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vinculo.model import Event, EventKind, Money


class Caught(Protocol):
    """A message that reached a mailbox: envelope and content. `vinculo.testing.provider.Received` is one."""

    @property
    def to(self) -> str:
        """The recipient of the envelope."""

    @property
    def sender(self) -> str:
        """The sender of the envelope: where bounces go."""

    @property
    def raw(self) -> bytes:
        """The message as it came."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Somebody, or something, asks for a URL. *body* is a form, as it goes on the wire."""

    who: str
    url: str
    user_agent: str
    method: str = "GET"
    body: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """Somebody, or something, writes back. An empty *sender* is the null reverse-path of bounces (RFC 5321 §4.5.5)."""

    who: str
    sender: str
    to: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Purchase:
    """Somebody buys in the shop after a click; *amount* in cents of BRL. `event` tells feedback."""

    who: str
    id: str
    at: datetime
    product: str
    amount: int

    @property
    def event(self) -> Event:
        """The purchase as the shop's till would report it."""
        return Event(
            EventKind.PURCHASED,
            "shop",
            self.id,
            self.at,
            channel="email",
            address=self.who,
            amount=Money(self.amount, "BRL"),
            text=self.product,
            data={"product": self.product},
        )


Act = Fetch | Mail | Purchase
Progress = Callable[[int], None]
