"""`deliver`: messages are pulled into a connector, one answer for each comes out.

What the caller does:
1. Gives *messages* as a generator. A pull marks the row `submitting`, durably, and renders; only then may it leave.
2. Settles each (key, outcome) as it comes. A connector holds at most `can.bulk` pulled and unanswered.
3. When `deliver` ends, releases what was claimed and not pulled: the circuit opened, or the connector failed three
   times in a row, which opens it too. `circuit.reason` tells why; of what was pulled nothing is left unanswered.
4. May do a piece of the next pull's work in *prepare*, which a connector that has nothing else to do calls; it tells
   whether there was something to do.
5. May close the generator early: what was pulled and not answered then is in doubt, its rows being `submitting`.

An exception of *messages* itself (the database is gone) comes out of `deliver`, after the answers to what was pulled.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from vinculo.connector import Connector, InDoubt, Outcome, Receipt, SendError, Unavailable
from vinculo.deliver.circuit import Circuit
from vinculo.deliver.feed import Feed
from vinculo.model import Message

log = logging.getLogger(__name__)
#: After so many bugs in a row the connector is given nothing more.
_STRIKES = 3
_OUTCOMES = (Receipt, SendError)

Answer = tuple[str, Outcome]


def deliver(
    connector: Connector, messages: Iterable[Message], *, circuit: Circuit, now: Callable[[], datetime],
    prepare: Callable[[], bool] = bool,
) -> Iterator[Answer]:  # fmt: skip
    """Pull *messages* into *connector*, which is open, and yield exactly one outcome for each that was pulled.

    A bug of the connector costs the messages it held (`InDoubt`), never the run: it is logged with its traceback, and
    a new round takes the rest. Stops pulling when the circuit opens, and after three bugs in a row.
    """
    drive = _Drive(connector, Feed(iter(messages), circuit, now, connector.can.bulk, prepare))
    try:
        while not drive.feed.ended:
            yield from drive.round()
        if drive.feed.failure is not None:
            raise drive.feed.failure
    finally:
        drive.feed.abandon()


class _Drive:
    """One connector, called again and again until nothing is left."""

    def __init__(self, connector: Connector, feed: Feed) -> None:
        self.feed = feed
        self._connector = connector
        self._name = type(connector).__name__
        self._strikes = 0

    def round(self) -> Iterator[Answer]:
        """Let the connector send until it ends, by itself or by an exception."""
        asked = self.feed.asked
        answers: Iterator[Any] = iter(())
        try:
            answers = iter(self._connector.send_many(self.feed))
            for given in answers:
                answer = self._taken(given)
                if answer is not None:
                    yield answer
        except SendError as error:
            yield from self._raised(error)
        except Exception as error:  # noqa: BLE001 - whatever a connector does, the others get their message
            # Where it was raised, without its words, which may quote the contact: logs go to Prefect.
            place = "".join(traceback.format_tb(error.__traceback__))
            log.error("Exception in connector code: %s: %s\n%s", self._name, type(error).__name__, place)  # noqa: TRY400
            yield from self._bug(f"bug in connector: {type(error).__name__}: {error}")
        else:
            if self.feed.open or self.feed.asked == asked:
                yield from self._bug("the connector ended without an answer")
        finally:
            if close := getattr(answers, "close", None):  # a generator has one
                close()

    def _taken(self, given: Any) -> Answer | None:
        """Accept one answer of the connector; None if it is none."""
        key, outcome = given if isinstance(given, tuple) and len(given) == 2 else ("", None)
        if not isinstance(key, str) or key not in self.feed.open:
            log.error("%s answered for a message it was not given, or twice: %.200r", self._name, key)
            return None
        if isinstance(outcome, _OUTCOMES):
            self._strikes = 0
        else:
            log.error("%s answered with no outcome for %s: %s", self._name, key, type(outcome).__name__)
            outcome = InDoubt(f"bug in connector: answered with {type(outcome).__name__}")
        return self.feed.answer(key, outcome)

    def _raised(self, error: SendError) -> Iterator[Answer]:
        """A `SendError` should be answered, not raised. With one message out there is no doubt whose it is."""
        if len(self.feed.open) == 1:
            yield self.feed.answer(next(iter(self.feed.open)), error)
            return
        self.feed.learn(error)
        yield from self._bug(f"the connector raised for several messages at once: {error}")

    def _bug(self, reason: str) -> Iterator[Answer]:
        """Answer for all that the connector held; three in a row open the circuit."""
        log.error("%s failed; in doubt: %s", self._name, ", ".join(self.feed.open) or "nothing")
        self._strikes += 1
        for key in list(self.feed.open):
            yield self.feed.answer(key, InDoubt(reason))
        if self._strikes >= _STRIKES:
            self.feed.ended = True
            self.feed.learn(Unavailable(f"{self._name} failed {_STRIKES} times in a row, the last: {reason}"))
