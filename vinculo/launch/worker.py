"""`python -m vinculo.launch.worker`: a Prefect worker that, asked to stop, lets its runs stop first.

Prefect's own kills its runs as it ends: what they were handing over would be in doubt, and Prefect would believe them
running. A run that gets SIGTERM waits for the answers to the messages in flight and gives back the rest.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from vinculo.launch.process import bound_to_parent

#: Seconds that runs have to stop, and then the worker. Docker gives a container ten before it kills.
_RUNS, _WORKER = 8.0, 1.5


class _Asked(BaseException):
    """A signal came."""


def main(argv: Sequence[str]) -> int:
    """Start `prefect worker start` with *argv* and stay with it; return its exit code."""
    return stay_with([sys.executable, "-m", "prefect", "worker", "start", *argv])


def stay_with(command: Sequence[str]) -> int:
    """Start *command*; at SIGTERM, SIGINT or SIGHUP stop first what it has started, then it."""
    # A session of its own: a signal to our group must reach the runs through us, not the worker before them.
    worker = subprocess.Popen(command, start_new_session=True, preexec_fn=bound_to_parent)  # noqa: PLW1509 - no lock
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _hear)
        return worker.wait()
    except _Asked:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        return _stop(worker, halted=_stop_runs(worker))


def _hear(_: int, __: object) -> None:
    raise _Asked


def _stop_runs(worker: subprocess.Popen[bytes]) -> bool:
    """Ask the runs to stop, and wait for them; False when there were none."""
    runs = _children(worker.pid)
    if not runs:
        return False
    # It must start nothing meanwhile: Prefect offers it the very run that is being stopped.
    worker.send_signal(signal.SIGSTOP)
    until = monotonic() + _RUNS
    for run in runs | _children(worker.pid):
        with suppress(ProcessLookupError):
            os.kill(run, signal.SIGTERM)
    while _children(worker.pid) and monotonic() < until:
        sleep(0.05)
    return True


def _stop(worker: subprocess.Popen[bytes], *, halted: bool) -> int:
    """End the worker. One that was halted would, awake again, report the end of runs that others have begun anew."""
    if halted:
        for run in _children(worker.pid):
            with suppress(ProcessLookupError):
                os.kill(run, signal.SIGKILL)
        worker.kill()
        worker.wait()
        return 0
    worker.terminate()
    try:
        return worker.wait(_WORKER)
    except subprocess.TimeoutExpired:
        worker.kill()
        return worker.wait()


def _children(parent: int) -> set[int]:
    """The processes that *parent* has started; none where there is no /proc."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name may hold blanks and brackets; behind its last bracket come the state and the parent.
            state, ppid = stat.read_text().rpartition(")")[2].split()[:2]
            if int(ppid) == parent and state != "Z":
                found.add(int(stat.parent.name))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
