"""Child processes that end when we end, whatever becomes of us, and come back when they die."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from vinculo.errors import NotReady

#: prctl(2): the kernel sends this child a signal when its parent dies, also by kill -9.
_PR_SET_PDEATHSIG = 1
#: Longest pause before a process that keeps dying is started again, in seconds.
_LONGEST_PAUSE = 60.0


def bound_to_parent() -> None:
    """Let this process, just started, hear SIGINT, and get SIGTERM when what started it dies, also by kill -9."""
    # A shell starts background jobs with SIGINT ignored, and a Prefect worker forwards SIGINT to its runs: reset it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    except (OSError, AttributeError):
        return  # not Linux: an orderly end still stops it


@dataclass
class Service:
    """One process: how to start it, and how to tell that it works. `log` gets its output."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    ready: Callable[[], bool] = lambda: True
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    deaths: int = 0
    again_at: float = 0.0

    def start(self) -> None:
        """Start the process in a group of its own, so that nothing it starts outlives it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                env={**os.environ, **self.env},
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=bound_to_parent,  # noqa: PLW1509 - two calls that take no lock
            )

    def wait_ready(self, seconds: float) -> None:
        """Wait until it works. Raises `NotReady` with the end of its log when it dies or takes too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                raise NotReady(f"{self.name} ended while starting", f"Its log, {self.log}, ends with:\n{self.tail()}")
            if self.ready():
                return
            time.sleep(0.1)
        raise NotReady(
            f"{self.name} was not ready in {seconds:.0f} s", f"Its log, {self.log}, ends with:\n{self.tail()}"
        )

    def tail(self, lines: int = 12) -> str:
        """The last lines of the log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def revive(self, now: float) -> bool:
        """Start it again if it has died, after a pause that doubles; True when it was started."""
        if self.process is None or self.process.poll() is None:
            return False
        if not self.again_at:
            self.deaths += 1
            self.again_at = now + min(2.0 ** (self.deaths - 1), _LONGEST_PAUSE)
        if now < self.again_at:
            return False
        self.again_at = 0.0
        self.start()
        return True

    def stop(self, seconds: float = 10.0) -> None:
        """End the whole group: asked first, then forced."""
        if self.process is None:
            return
        for how, patience in ((signal.SIGINT, seconds), (signal.SIGTERM, seconds / 2), (signal.SIGKILL, 5.0)):
            if not self._signal(how):
                break
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        self._signal(signal.SIGKILL)  # whatever it left behind in its group
        self.process = None

    def _signal(self, how: signal.Signals) -> bool:
        try:
            os.killpg(self.process.pid if self.process else 0, how)
        except (ProcessLookupError, PermissionError):
            return False
        return True


class Supervisor:
    """Starts services in order, keeps them alive, and stops them in reverse."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.services: list[Service] = []
        self.say = say

    def start(self, service: Service, *, seconds: float = 120) -> None:
        """Start *service* and wait until it works."""
        self.services.append(service)
        service.start()
        service.wait_ready(seconds)

    def watch(self, seconds: float | None = None) -> None:
        """Keep everything alive for *seconds*, or until interrupted."""
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or time.monotonic() < end:
            for service in self.services:
                if service.revive(time.monotonic()):
                    self.say(f"{service.name} had ended and was started again; its log is {service.log}")
            time.sleep(0.5)

    def stop(self) -> None:
        """Stop everything, last started first."""
        while self.services:
            self.services.pop().stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
