"""A circuit breaker: stops sending through a provider that does not work, and finds out when it does again.

closed ──Unavailable, too many failures──▶ open ──time over──▶ half-open: one message is let through
  ▲                                         ▲                     │
  └──────────── the provider answers ───────┼─────────────────────┤
                                            └── it fails again: twice the wait

Too many: several in a row, or half of the last answers. A provider that works for every other message only is worn out,
not well; and what it does not answer is in doubt. Where our sender is refused fewer are enough: a small audience would
be put off one by one else, again and again, and nobody would be told.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeGuard

from vinculo.connector import InDoubt, Outcome, Receipt, SendError, Temporary, Unavailable

#: RFC 3463 §3.4 and §3.5: the mail system, the network. Other 4xx (greylisting, a full mailbox) are about one message.
_SYSTEM = ("4.3.", "4.4.")
#: RFC 3463 §3.4, not configured for us: the refusal of a sender (`mail.verdict`). So many in a row are the provider's.
_SENDER, _REFUSALS = "4.3.5", 3

#: A provider may ask us to wait, in seconds, but not for ever.
_LONGEST_ORDER = 86_400.0


class State(StrEnum):
    """Where a circuit stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Circuit:
    """One per connector and process; threads may share it. No clock inside: `now` is always given.

    *failures*: how many in a row open it. *ratio*: which share of the last *window* answers opens it, once there are
    as many. *wait*: for how long at first; it doubles up to *longest*.
    """

    def __init__(
        self, *, failures: int = 10, ratio: float = 0.5, window: int = 50,
        wait: timedelta = timedelta(seconds=30), longest: timedelta = timedelta(minutes=15),
    ) -> None:  # fmt: skip
        self._limit, self._wait, self._longest = failures, wait, longest
        self._most, self._window = ratio * window, window
        #: The last answers, a bit each (1: a failure) behind a leading 1, so that a success costs one shift.
        self._answers, self._full = 1, 1 << window
        self._lock = threading.Lock()
        self._failures = self._refusals = self._openings = self._in_flight = 0
        self._until: datetime | None = None
        #: Why it opened last, for the operator.
        self.reason = ""

    def state(self, now: datetime) -> State:
        """Return where it stands at *now*."""
        if self._until is None:
            return State.CLOSED
        return State.OPEN if now < self._until else State.HALF_OPEN

    @property
    def until(self) -> datetime | None:
        """When a message may be tried again; None: now."""
        return self._until

    def passes(self) -> bool:
        """`enter` where no clock is needed to tell that a message may go. False: ask `enter`."""
        with self._lock:
            if self._until is None:
                self._in_flight += 1
                return True
            return False

    def enter(self, now: datetime) -> bool:
        """Ask to send one message: True if it may go. Then `record` must follow, or `leave` if it does not go."""
        with self._lock:
            state = self.state(now)
            if state is State.OPEN or (state is State.HALF_OPEN and self._in_flight):
                return False
            self._in_flight += 1
            return True

    def leave(self) -> None:
        """Take back an `enter`: there was no message to send."""
        with self._lock:
            self._in_flight -= 1

    def record(self, outcome: Outcome, now: datetime) -> None:
        """Learn from the *outcome* of a message that entered."""
        with self._lock:
            self._in_flight -= 1
            self._learn(outcome, now)

    def thrives(self, outcome: Outcome) -> bool:
        """`record` where no clock is needed to learn: it is closed, and the message was taken. False: ask `record`."""
        with self._lock:
            if self._until is not None or not isinstance(outcome, Receipt):
                return False
            self._in_flight -= 1
            self._failures = self._refusals = 0
            if self._answers != self._full:  # the last ones were not all as good
                self._note(0)
            return True

    def learn(self, outcome: Outcome, now: datetime) -> None:
        """Learn from an *outcome* of no message, e.g. `Unavailable` raised by `open`."""
        with self._lock:
            self._learn(outcome, now)

    def _learn(self, outcome: Outcome, now: datetime) -> None:
        if isinstance(outcome, Unavailable):
            self._open(outcome.reason, now, outcome.after)
        elif _is_failure(outcome):
            self._failures += 1
            self._note(1)
            self._refusals = self._refusals + 1 if outcome.status == _SENDER else 0
            too_many = self._failures >= self._limit or self._refusals >= _REFUSALS
            if too_many or self.state(now) is State.HALF_OPEN:
                self._open(f"{self._failures} failures in a row, the last: {outcome}", now, None)
            elif self._worn_out:
                self._open(f"half of the last {self._window} answers are failures, the last: {outcome}", now, None)
        elif self._until is None or now >= self._until:  # an answer from before it opened proves nothing
            self._failures = self._refusals = self._openings = 0
            self._until = None
            self._note(0)

    def _note(self, failed: int) -> None:
        answers = self._answers << 1 | failed
        self._answers = answers if answers < 2 * self._full else answers & (self._full - 1) | self._full

    @property
    def _worn_out(self) -> bool:
        return self._answers >= self._full and self._answers.bit_count() - 1 >= self._most

    def _open(self, reason: str, now: datetime, after: float | None) -> None:
        """Open; messages that were in flight when it opened fail together and count as one opening."""
        if self.state(now) is not State.OPEN:
            self._openings += 1
        doubled = min(self._wait * 2 ** min(self._openings - 1, 20), self._longest)
        wait = max(doubled, timedelta(seconds=min(after or 0.0, _LONGEST_ORDER)))
        self._until = max(self._until or now, now + wait)
        self._failures = self._refusals = 0
        self._answers, self.reason = 1, reason


def _is_failure(outcome: Outcome) -> TypeGuard[SendError]:
    return isinstance(outcome, InDoubt) or (isinstance(outcome, Temporary) and outcome.status.startswith(_SYSTEM))
