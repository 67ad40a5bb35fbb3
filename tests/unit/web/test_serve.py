"""`python -m vinculo.web` as a process: it serves, opens the doors for mail, and says plainly why it cannot."""

from __future__ import annotations

import os
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "town")
    return tmp_path / "town"


def any_port() -> int:
    """One of the kernel's choice: of two tests at once that look for the first that is free, both find the same, and one
    would take the other's app for its own.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def environment(**settings: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **{f"VINCULO__{name}": value for name, value in settings.items()}}


@contextmanager
def serving(home: Path, port: int, **settings: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "vinculo.web"], cwd=home, env=environment(WEB__PORT=str(port), **settings),
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        for _ in range(600):
            with socket.socket() as probe:
                probe.settimeout(0.05)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None:
                pytest.fail(process.stderr.read() if process.stderr else "it ended")
            threading.Event().wait(0.05)
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_it_serves_and_opens_the_door_for_mail(home: Path) -> None:
    web, door = any_port(), any_port()
    with serving(home, web, LISTEN__SMTP=f"127.0.0.1:{door}"):
        with urllib.request.urlopen(f"http://127.0.0.1:{web}/healthz", timeout=20) as answer:
            assert (answer.read(), answer.headers["server"]) == (b"ok", None)
        with smtplib.SMTP("127.0.0.1", door, timeout=10) as client:
            assert client.noop()[0] == 250


def test_a_wrong_file_of_the_plan_keeps_nobody_from_leaving(home: Path) -> None:
    (home / "plan/calendar/slip.yaml").write_text("kind: [\n")
    port = any_port()
    with serving(home, port) as web:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/calendar", timeout=20) as answer:
            assert answer.status == 200
        web.terminate()
        _, said = web.communicate(timeout=20)
    assert "plan/calendar/slip.yaml:" in said


@pytest.mark.parametrize(("told", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_it_ends_in_good_order_when_told_to(home: Path, told: signal.Signals, code: int) -> None:
    with serving(home, any_port()) as web:
        web.send_signal(told)
        _, said = web.communicate(timeout=20)
    assert "Traceback" not in said
    assert web.returncode == code  # and not the signal's own way, in the middle of an answer


#: The web app, told to stop while its doors open, at a moment at which Python ignores an exception.
_AT_ONCE = """
import signal, sys
from contextlib import contextmanager
from vinculo.web import __main__ as web

class Freed:
    def __del__(self):
        signal.raise_signal(signal.{told})

@contextmanager
def doors(rt):
    Freed()
    yield

web.doors = doors
sys.exit(web.main())
"""


@pytest.mark.parametrize(("told", "code"), [("SIGINT", 130), ("SIGTERM", 0)])
def test_it_ends_also_when_told_to_before_it_serves(home: Path, told: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _AT_ONCE.format(told=told)], cwd=home,
        env=environment(WEB__PORT=str(any_port())), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize("setting", ["WEB__PORT", "LISTEN__SMTP"])
def test_an_address_in_use_is_named_without_a_traceback(home: Path, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        given = {"WEB__PORT": str(any_port())}
        given[setting] = str(port) if setting == "WEB__PORT" else f"127.0.0.1:{port}"
        done = subprocess.run(
            [sys.executable, "-m", "vinculo.web"], cwd=home, env=environment(**given),
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    assert done.returncode == 3
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_console_that_everybody_could_reach_does_not_start_without_a_password(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vinculo.web"], cwd=home, env=environment(WEB__HOST="0.0.0.0"),
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "Set web.password" in done.stderr
