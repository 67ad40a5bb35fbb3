"""What the contract suite asks of a fake provider."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from vinculo.connector import SendError


@dataclass(frozen=True, slots=True)
class Received:
    """A message as the provider took it, decoded as a contact would read it. Header names are in lower case."""

    to: str
    text: str
    key: str = ""
    subject: str = ""
    sender: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    raw: bytes = field(default=b"", repr=False)


class Provider(Protocol):
    """The far end of a connector, under the test's command."""

    @property
    def received(self) -> list[Received]:
        """What was taken, in order. A message taken twice is there twice."""

    @property
    def fails_with(self) -> frozenset[type[SendError]]:
        """The decisions that `fail_next` can provoke."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must show in no log, error or `repr`."""

    def fail_next(self, decision: type[SendError]) -> None:
        """Treat the next message as one for which the connector must raise *decision*."""

    def webhook(self, kind: str, key: str = "", address: str = "") -> tuple[dict[str, str], bytes]:
        """Return a signed webhook, headers and body, with one event of the provider's word *kind*."""
