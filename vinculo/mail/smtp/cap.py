"""How many connections at once: as many as the settings say, fewer when the server wants fewer."""

from __future__ import annotations

#: How long fewer connections stay fewer; then twice as many may try again.
_COOL_SECONDS = 30.0


class Cap:
    """The number of connections, now. No clock inside: *now* is seconds of any clock that does not go back."""

    def __init__(self, most: int) -> None:
        self.most = self.allowed = most
        self._until = 0.0

    def halve(self, alive: int, now: float) -> None:
        """421: the server closes a connection out of *alive*."""
        self._lower(min(self.allowed, alive) // 2, now)

    def settle_for(self, alive: int, now: float) -> None:
        """One more than *alive* connections could not be opened."""
        self._lower(alive, now)

    def room(self, alive: int, now: float) -> int:
        """Return how many may be opened beside *alive*."""
        if self.allowed < self.most and now >= self._until:
            self.allowed = min(self.most, 2 * self.allowed)
            self._until = now + _COOL_SECONDS
        return self.allowed - alive

    def _lower(self, number: int, now: float) -> None:
        self.allowed = max(1, min(self.allowed, number))
        self._until = now + _COOL_SECONDS
