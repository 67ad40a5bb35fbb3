"""The connectors of a shift: made and opened when their channel first has something, and kept open between rounds."""

from __future__ import annotations

from vinculo.connector import Connector
from vinculo.run.needs import Needs


class Connectors:
    """One connector per channel: opening one takes several round trips, and a round may be over before that."""

    def __init__(self, rt: Needs) -> None:
        self._rt = rt
        self._made: dict[str, Connector] = {}
        self._open: set[str] = set()

    def get(self, channel: str) -> Connector:
        """The connector that vinculo.toml names for *channel*. Raises `UsageError` when it names none that works."""
        if channel not in self._made:
            self._made[channel] = self._rt.connector(channel)
        return self._made[channel]

    def open(self, channel: str) -> None:
        """Open it unless it is. Raises `Unavailable`."""
        if channel not in self._open:
            self._made[channel].open()
            self._open.add(channel)

    def close(self, channel: str = "") -> None:
        """Let go of that channel's connections, or of all."""
        for name in [channel] if channel else list(self._open):
            if name in self._open:
                self._open.discard(name)
                self._made[name].close()
