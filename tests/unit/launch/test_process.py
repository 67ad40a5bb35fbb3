"""Child processes come up, come back, and leave nothing behind."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vinculo.errors import NotReady
from vinculo.launch import Service, Supervisor, free_port, port_is_free

SLEEP = "import time; time.sleep(60)"


def _until(question: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            return False
        os.sched_yield()
    return True


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def _service(tmp_path: Path, code: str, **options: object) -> Service:
    return Service("thing", [sys.executable, "-c", code], {}, tmp_path, tmp_path / "log" / "thing.log", **options)


def test_what_a_process_started_ends_with_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        f"import subprocess, sys, pathlib; child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid)); child.wait()"
    )
    with Supervisor(print) as supervisor:
        supervisor.start(_service(tmp_path, code, ready=lambda: note.exists() and bool(note.read_text())))
        child = int(note.read_text())
        assert _alive(child)
    assert _until(lambda: not _alive(child))


def test_a_process_that_dies_while_starting_says_why(tmp_path: Path) -> None:
    service = _service(tmp_path, "raise SystemExit('no database there')", ready=lambda: False)
    with Supervisor(print) as supervisor, pytest.raises(NotReady, match="no database there"):
        supervisor.start(service)


def test_a_process_that_dies_later_is_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    service = _service(tmp_path, SLEEP)
    with Supervisor(said.append) as supervisor:
        supervisor.start(service)
        assert service.process is not None
        first = service.process.pid
        service.process.kill()
        service.process.wait()
        supervisor.watch(4)
        assert service.process.pid != first
        assert service.process.poll() is None
    assert "was started again" in said[0]


def test_a_port_in_use_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not port_is_free(port)
        assert free_port(port) > port
        assert free_port(port, {port + 1}) > port + 1
