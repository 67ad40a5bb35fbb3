"""What a provider module must do: one method to write, the rest has defaults.

SendError
├── Temporary      again later, with back-off, until the delivery expires
├── Rejected       never this message
│   └── BadAddress     never this address: it is suppressed
├── Unavailable    the provider does not work for anybody: the circuit opens, no contact fails
└── InDoubt        handed over or not? never resent by itself

A `SendError` is named after what the engine decides. Anything else that a connector raises is a bug in it: that
message is in doubt, the run goes on with the rest and says so.
"""

from __future__ import annotations

import abc
import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, ClassVar, Self

from vinculo.errors import UsageError, VinculoError, did_you_mean
from vinculo.model import Event, EventKind, Message


class SendError(Exception):
    """Why a message was not accepted. *status* is the enhanced status code (RFC 3463) where there is one."""

    def __init__(self, reason: str, *, status: str = "") -> None:
        self.reason, self.status = _text(reason), _text(status)
        super().__init__(self.reason)


class Temporary(SendError):
    """Not accepted now: 4xx, 429, greylisting, refused before the last byte. *after*: seconds to wait at least."""

    def __init__(self, reason: str, *, after: float | None = None, status: str = "") -> None:
        super().__init__(reason, status=status)
        self.after = _seconds(after)


class Rejected(SendError):
    """Refused for good: content, policy, a bad parameter."""


class BadAddress(Rejected):
    """Refused for good because of the address: no such mailbox (5.1.x), unknown number."""


class Unavailable(SendError):
    """The provider works for nobody now: credentials, quota, 421, connection refused. *after*: seconds to wait."""

    def __init__(self, reason: str, *, after: float | None = None, status: str = "") -> None:
        super().__init__(reason, status=status)
        self.after = _seconds(after)


class InDoubt(SendError):
    """The last byte left and no valid answer came."""


class MissingSetting(UsageError):
    """A connector's setting without a default is not given here; secrets often are only where it runs."""


class BadSignature(VinculoError):
    """A webhook is not signed by its provider: nothing in it is believed."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider took the message. Not a proof that it arrived."""

    provider_id: str = ""
    response: str = ""

    def __post_init__(self) -> None:
        for name, said in (("provider_id", self.provider_id), ("response", self.response)):
            if (text := _text(said)) is not said:
                object.__setattr__(self, name, text)


def _text(said: object) -> str:
    """What a provider said, as every database takes it: one that says NUL must not stop the answers of others."""
    text = said if isinstance(said, str) else "" if said is None else str(said)
    if text.isprintable():
        return text
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _seconds(told: float | None) -> float | None:
    """How long to wait; None for what is no length of time: less than nothing, or not a number."""
    return told if told is not None and told >= 0 else None


Outcome = Receipt | SendError


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a connector can carry, as data: `vinculo check` refuses a template that does not fit."""

    html: bool = False
    subject: bool = False
    #: Longest text in characters; None: no limit.
    max_text: int | None = None
    #: The provider dedupes on `Message.key`: what is in doubt may be sent again.
    idempotent: bool = False
    #: How many messages are in flight at once. After a crash at most so many are in doubt.
    bulk: int = 1
    #: The kinds of event that the provider reports back.
    reports: frozenset[EventKind] = frozenset()


class Connector(abc.ABC):
    """Hands messages to one provider. Write `send`; the rest has defaults.

    An instance is used by one thread at a time, between `open` and `close`.
    """

    #: The channels it can serve; vinculo.toml says which it does.
    channels: ClassVar[frozenset[str]]
    #: As a rule of the class; an instance may set its own, where that follows from its settings.
    can: Capabilities = Capabilities()

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Make one from its section of vinculo.toml: the keys are the arguments of `__init__`.

        Raises `UsageError` for a key that is unknown or missing.
        """
        known = {name: p for name, p in inspect.signature(cls).parameters.items() if p.kind is not p.VAR_KEYWORD}
        for key in settings:
            if key not in known:
                raise UsageError(f"{cls.__name__} has no setting `{key}`", did_you_mean(key, known))
        for name, parameter in known.items():
            if parameter.default is parameter.empty and name not in settings:
                raise MissingSetting(
                    f"{cls.__name__} needs the setting `{name}`", "Write it in its section of vinculo.toml."
                )
        return cls(**settings)

    def open(self) -> None:  # noqa: B027 - a default, not forgotten
        """Get ready to send. Raises `Unavailable` when the provider cannot be used at all."""

    def close(self) -> None:  # noqa: B027
        """Let go of connections. May be called twice; `open` may follow."""

    @abc.abstractmethod
    def send(self, message: Message) -> Receipt:
        """Hand over *message* and return its receipt, or raise a `SendError`."""

    def send_many(self, messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
        """Hand over *messages* and answer for each by its key, in any order.

        *messages* is lazy: a message is rendered, and marked as possibly sent, when it is pulled. Pull one only when
        it is about to leave, and never hold more than `can.bulk` unanswered. Override for bulk or concurrent sending.
        Where they have a `prepare()`, call it while there is nothing to do but wait: it does a little of the next
        pull's work, and returns False when there is none.
        """
        for message in messages:
            try:
                yield message.key, self.send(message)
            except SendError as error:
                yield message.key, error

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> list[Event]:  # noqa: ARG002 - a default
        """Read a webhook of the provider; *headers* have lower-case names. Raises `BadSignature`.

        Check the signature over the body as it came, before anything in it is read; then read it by `read_webhook`.
        """
        raise BadSignature(f"{type(self).__name__} takes no webhooks")

    def read_webhook(self, headers: Mapping[str, str], body: bytes, at: datetime) -> list[Event]:  # noqa: ARG002
        """Read a webhook that came at *at* and is known to be genuine: `vinculo events replay` reads it again.

        A kind of event it does not know is returned as `unknown`, never dropped. Signatures are not in *headers*.
        """
        raise UsageError(
            f"{type(self).__name__} cannot read a webhook again", "Move all but the signature to `read_webhook`."
        )

    def poll(self, cursor: str) -> tuple[list[Event], str]:
        """Fetch the events after *cursor* ("" at first); return them and the new cursor. Called without `open`."""
        return [], cursor

    def check(self) -> list[str]:
        """Say what stands in the way of sending, one line each; nothing is sent. Empty: ready."""
        try:
            self.open()
        except SendError as error:
            return [error.reason]
        self.close()
        return []

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
