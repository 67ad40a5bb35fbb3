"""Failed logins slow down who makes them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

#: So many failures are free; then each doubles the wait, up to the longest.
FREE, LONGEST = 5, timedelta(minutes=5)
#: Callers whose failures are remembered.
_REMEMBERED = 10_000


class Failures:
    """Failed logins by caller, until one succeeds."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[int, datetime]] = {}

    def wait(self, who: str, now: datetime) -> int:
        """How many seconds *who* must wait."""
        count, last = self._of.get(who, (0, now))
        pause = min(timedelta(seconds=2 ** min(count - FREE, 20)), LONGEST) if count >= FREE else timedelta()
        return max(0, math.ceil((last + pause - now).total_seconds()))

    def add(self, who: str, now: datetime) -> None:
        """Count a failure."""
        count, _ = self._of.pop(who, (0, now))
        if len(self._of) >= _REMEMBERED:
            self._of.pop(next(iter(self._of)))
        self._of[who] = (count + 1, now)

    def forget(self, who: str) -> None:
        """Forget *who*'s failures."""
        self._of.pop(who, None)
