"""Postfix's own load tools: a receiver that nobody here wrote, and a sender to compare with.

`requirements/postfix.sh` unpacks them; an installed Postfix does as well.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

#: Where requirements/postfix.sh puts them, from the repository's root.
UNPACKED = Path(__file__).parents[2] / ".venv/postfix/usr"


def tool(name: str) -> Path | None:
    """Where `smtp-sink` or `smtp-source` is; None when this machine has none."""
    unpacked = UNPACKED / "sbin" / name
    found = str(unpacked) if unpacked.exists() else shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return Path(found) if found else None


def environment() -> dict[str, str]:
    """The environment in which the unpacked tools find their libraries."""
    return {**os.environ, "LD_LIBRARY_PATH": str(UNPACKED / "lib/postfix")}


class PostfixSink:
    """`smtp-sink` on a free port of this machine, with *options* of its manual page.

    Made in a `with`; it is ended when the block is. With *record*, every message it has read whole is a file there,
    written before it is answered.
    """

    def __init__(self, *options: str, record: Path | None = None, backlog: int = 200, host: str = "127.0.0.1") -> None:
        self.options, self.record, self.backlog, self.host = options, record, backlog, host
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens, as the connector wants it."""
        return f"smtp://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None, "the sink is not started"
        return self._process.pid

    def __enter__(self) -> Self:
        binary = tool("smtp-sink")
        assert binary is not None, "there is no smtp-sink here: bash requirements/postfix.sh"
        self.port = self.port or _free_port(self.host)
        self._process = subprocess.Popen(self._command(binary), env=environment(), stderr=subprocess.DEVNULL)
        try:
            self._wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def messages(self) -> list[bytes]:
        """What it has received, whole, in no order; each begins with smtp-sink's own X- lines.

        A file that it still writes to is a message whose end has not come: a sender was cut off, and it waits. One
        that it takes away is a message that it gave up.
        """
        assert self.record is not None, "this sink keeps no record"
        written = [file for file in self.record.iterdir() if file.is_file()]
        begun = self._open()
        whole: list[bytes] = []
        for file in written:
            with suppress(FileNotFoundError):
                whole += [] if file in begun else [file.read_bytes()]
        return whole

    def _open(self) -> set[Path]:
        """The files that it has open; none when it has ended."""
        found: set[Path] = set()
        with suppress(FileNotFoundError):  # it has ended
            for each in Path(f"/proc/{self.pid}/fd").iterdir():
                with suppress(FileNotFoundError):  # closed since
                    found.add(each.readlink())
        return found

    def _command(self, binary: Path) -> Sequence[str]:
        dump: list[str] = []
        if self.record is not None:
            self.record.mkdir(parents=True, exist_ok=True)
            dump = ["-d", f"{self.record}/%M."]
        user = ["-u", "root"] if os.geteuid() == 0 else []
        return [str(binary), *user, *dump, *self.options, f"{self.host}:{self.port}", str(self.backlog)]

    def _wait(self) -> None:
        """Return when it listens, which is told by the system and not by a message to it."""
        until = monotonic() + 10
        while monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex((self.host, self.port)) == 0:
                    return
        raise TimeoutError("smtp-sink does not start")


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
