"""A token bucket in one number: when the next token is there (the generic cell rate algorithm of ITU-T I.371).

No clock and no database inside. Taking a token moves `next_at` on by one interval; what is not taken piles up for
`BURST` at most. So the rate holds over any stretch of time, however many workers take turns, and however often the
rate itself changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

#: Tokens that nobody took are kept for so long, or for one interval if that is longer. Longer than a worker sleeps.
BURST = timedelta(seconds=2)
#: What is urgent may take tokens so long before they are there, or one interval if that is longer; the others wait.
CREDIT = timedelta(seconds=1)


@dataclass(slots=True)
class Bucket:
    """What may leave on a channel, or for a mail domain.

    *rate*: tokens a second; None: as many as the cap leaves. *left*: of the day's cap; None: there is none.
    *until*: nothing before.
    """

    name: str
    next_at: datetime
    rate: float | None = None
    left: int | None = None
    until: datetime | None = None
    taken: int = 0

    @property
    def interval(self) -> timedelta:
        """The time between two tokens."""
        return timedelta(seconds=1 / self.rate) if self.rate else timedelta(0)

    def catch_up(self, now: datetime) -> None:
        """Let go of what nobody took in time, and of a wait that no rate explains: the clock or the rate changed."""
        interval = self.interval
        if self.next_at > now + max(CREDIT, interval) + interval:
            self.next_at = now
        self.next_at = max(self.next_at, now - max(BURST, interval))

    def has(self, now: datetime, *, urgent: bool = False) -> bool:
        """Whether a token is there; for what is *urgent* also one that is not quite there yet."""
        if self.until is not None and now < self.until:
            return False
        if self.left is not None and self.taken >= self.left:
            return False
        credit = max(CREDIT, self.interval) if urgent else timedelta(0)
        return self.rate is None or self.next_at <= now + credit

    def take(self) -> None:
        """Take one token."""
        self.taken += 1
        self.next_at += self.interval

    @property
    def spent_up(self) -> bool:
        """Whether the day's cap is reached."""
        return self.left is not None and self.taken >= self.left
