"""The messages as a connector sees them, and the book of what it has pulled and not answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from vinculo.connector import Outcome
from vinculo.deliver.circuit import Circuit
from vinculo.model import Message


class Feed:
    """An iterator for one connector at a time; `open` holds the keys pulled and not answered, oldest first."""

    def __init__(
        self, messages: Iterator[Message], circuit: Circuit, now: Callable[[], datetime], bulk: int,
        prepare: Callable[[], bool] = bool,
    ) -> None:  # fmt: skip
        self._messages, self._circuit, self._now, self._bulk = messages, circuit, now, max(1, bulk)
        self._prepare = prepare
        self.open: dict[str, None] = {}
        #: Nothing more will be pulled.
        self.ended = False
        #: How often the connector asked for a message.
        self.asked = 0
        #: What *messages* raised: not the connector's fault, and not to be seen by it.
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[Message]:
        return self

    def __next__(self) -> Message:
        self.asked += 1
        if self.ended or len(self.open) >= self._bulk or not self._may_pull():
            raise StopIteration  # at its limit a connector answers what it holds, and a new round begins
        try:
            message = next(self._messages)
            if message.key in self.open:
                raise ValueError(f"the key {message.key} was given twice")
        except StopIteration:
            self._end()
            raise
        except Exception as error:  # noqa: BLE001 - raised again by `deliver`, when the connector has answered
            self._end()
            self.failure = error
            raise StopIteration from None
        self.open[message.key] = None
        return message

    def prepare(self) -> bool:
        """Do a piece of the next pull's work; False: there is nothing to do. For a connector that waits."""
        if self.ended or self._circuit.until is not None:
            return False
        try:
            return self._prepare()
        except Exception as error:  # noqa: BLE001 - as if it had been pulled
            self.ended, self.failure = True, error
            return False

    def answer(self, key: str, outcome: Outcome) -> tuple[str, Outcome]:
        """Close *key*; the circuit learns."""
        del self.open[key]
        if not self._circuit.thrives(outcome):
            self._circuit.record(outcome, self._now())
        return key, outcome

    def learn(self, outcome: Outcome) -> None:
        """Tell the circuit of a failure that belongs to no message."""
        self._circuit.learn(outcome, self._now())

    def abandon(self) -> None:
        """Take leave of what will never be answered: the caller went away."""
        for _ in self.open:
            self._circuit.leave()

    def _may_pull(self) -> bool:
        if self._circuit.passes() or self._circuit.enter(self._now()):
            return True
        self.ended = not self.open  # else a probe of our own is out: its answer may let the rest go
        return False

    def _end(self) -> None:
        self._circuit.leave()
        self.ended = True
