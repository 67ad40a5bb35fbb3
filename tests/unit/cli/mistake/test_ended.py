"""A command that is ended from outside, or runs twice at once, sends nothing twice and says no more than it must."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.unit.cli.mistake.conftest import PEOPLE, Type, sql, states
from vinculo.db import connect
from vinculo.testing.smtp import SmtpSink

ROOT = Path(__file__).parents[4]


@pytest.fixture
def start(root: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command as a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def run(*words: str, **environ: str) -> subprocess.Popen[str]:
        one = subprocess.Popen(
            [sys.executable, "-m", "vinculo", *words],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(one)
        return one

    yield run
    for one in started:
        one.kill()
        one.communicate()


def test_two_runs_at_once_send_each_message_once(root: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    with SmtpSink() as sink:
        both = [start("run", "weekly", VINCULO__SMTP__URL=sink.url) for _ in range(2)]
        codes = [(one.communicate(timeout=60), one.returncode)[1] for one in both]
        assert codes == [0, 0]
        assert len(sink.received) == PEOPLE
    assert states(root) == {"accepted": PEOPLE, "skipped": 1}


@pytest.mark.parametrize(("end", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_run_that_was_ended_goes_on_and_sends_nothing_twice(
    root: Path, start: Callable[..., subprocess.Popen[str]], type_in: Type, end: signal.Signals, code: int
) -> None:
    quick = _slow_down(root)
    with SmtpSink() as sink:
        os.environ["VINCULO__SMTP__URL"] = f"{sink.url}?connections=1"
        one = start("run", "weekly")
        _wait_for(lambda: len(sink.received) >= 1)
        one.send_signal(end)
        notes = one.communicate(timeout=60)[1]
        assert one.returncode == code
        assert ("Stopped." in notes) == (end == signal.SIGINT)
        left = states(root)
        if end == signal.SIGINT:  # the message in flight got its answer
            assert left["in_doubt"] == 0
        assert "Traceback" not in notes
        sql("UPDATE delivery SET lease_until = 0 WHERE lease_until IS NOT NULL")(root)  # as if its lease were over
        quick()
        assert type_in("run", "weekly")[0] == 0
        received = Counter(one.to for one in sink.received)
    found = states(root)
    assert max(received.values()) == 1
    # One awaits its answer, one is behind it, one is marked next.
    assert found["in_doubt"] <= 3, (left, found, notes, _why(root))
    assert found["accepted"] + found["in_doubt"] == PEOPLE
    assert len(received) >= found["accepted"]


def _why(root: Path) -> list[tuple[object, ...]]:
    """What the rows in doubt say of themselves."""
    columns = "response, reason, attempts, crashes, worker"
    with connect(f"sqlite:///{root / 'vinculo.db'}").connect() as db:
        return [tuple(row) for row in db.execute(sa.text(f"SELECT {columns} FROM delivery WHERE state = 'in_doubt'"))]


def _slow_down(root: Path) -> Callable[[], object]:
    """A message that takes a while to render, so that the run can be ended in its middle; returns what ends that."""
    path = root / "templates" / "hello" / "email.html"
    plain = path.read_text()
    work = "{% for i in range(700) %}{% for j in range(700) %}{% endfor %}{% endfor %}"
    path.write_text(plain.replace("<p>Olá!", f"<p>Olá!{work}"))
    return lambda: path.write_text(plain)


def _wait_for(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not done():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_reader_that_leaves_early_ends_a_command_quietly(start: Callable[..., subprocess.Popen[str]]) -> None:
    for words in (["schema", "segment"], ["segment", "list"]):
        one = start(*words)
        assert one.stdout
        one.stdout.close()
        assert one.stderr
        assert (one.stderr.read(), one.wait(timeout=60)) == ("", 0)
