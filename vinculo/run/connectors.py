"""The connectors of a shift: made and opened when their channel first has something, and kept open between rounds."""

from __future__ import annotations

import logging
import traceback

from vinculo.connector import Connector, Unavailable
from vinculo.errors import UsageError, VinculoError
from vinculo.run.needs import Needs

log = logging.getLogger(__name__)


class Connectors:
    """One connector per channel: opening one takes several round trips, and a round may be over before that."""

    def __init__(self, rt: Needs) -> None:
        self._rt = rt
        self._made: dict[str, Connector] = {}
        self._open: set[str] = set()

    def get(self, channel: str) -> Connector:
        """The connector that vinculo.toml names for *channel*. Raises `UsageError` when it names none that works."""
        if channel not in self._made:
            try:
                self._made[channel] = self._rt.connector(channel)
            except VinculoError:
                raise
            except Exception as error:
                _tell(channel, error)
                raise UsageError(f"The connector of {channel} cannot be made: {error!r}", "Mend it.") from error
        return self._made[channel]

    def open(self, channel: str) -> None:
        """Open it unless it is. Raises `Unavailable`, also for a bug in it: the other channels have theirs."""
        if channel in self._open:
            return
        try:
            self._made[channel].open()
        except Unavailable:
            raise
        except Exception as error:
            _tell(channel, error)
            raise Unavailable(f"bug in connector: {type(error).__name__}: {error}") from error
        self._open.add(channel)

    def close(self, channel: str = "") -> None:
        """Let go of that channel's connections, or of all."""
        for name in [channel] if channel else list(self._open):
            if name in self._open:
                self._open.discard(name)
                try:
                    self._made[name].close()
                except Exception as error:  # noqa: BLE001 - all it was given has its answer
                    _tell(name, error)


def _tell(channel: str, error: Exception) -> None:
    """Log where it was raised, without its words, which may quote a contact: logs go to Prefect."""
    place = "".join(traceback.format_tb(error.__traceback__))
    log.error("Exception in connector code: %s: %s\n%s", channel, type(error).__name__, place)
