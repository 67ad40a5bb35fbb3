"""A worker that is asked to stop lets its runs stop first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

#: A worker as Prefect's is: asked to stop, it kills its run and ends. Its run says how it ended.
WORKER = """
import os, signal, subprocess, sys
run = subprocess.Popen([sys.executable, "-c", '''
import os, signal, sys
def hear(*_):
    print("the run gives back what it has", flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, hear)
print("running", flush=True)
while True:
    signal.pause()
'''], start_new_session=True)
def hear(*_):
    run.kill()
    os._exit(7)
signal.signal(signal.SIGTERM, hear)
while True:
    signal.pause()
"""
KEEPER = "import sys; from vinculo.launch.worker import stay_with; sys.exit(stay_with(sys.argv[1:]))"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_runs_stop_by_themselves_before_the_worker_would_kill_them(number: signal.Signals) -> None:
    command = [sys.executable, "-c", KEEPER, sys.executable, "-c", WORKER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as keeper:
        assert keeper.stdout
        assert keeper.stdout.readline() == "running\n"
        os.killpg(keeper.pid, number)
        assert keeper.stdout.read().splitlines() == ["the run gives back what it has"]
        assert keeper.wait(10) == 0


def test_a_worker_without_runs_ends_as_it_wants() -> None:
    idle = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(5)); print('idle', flush=True); signal.pause()"
    command = [sys.executable, "-c", KEEPER, sys.executable, "-c", idle]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout
        assert keeper.stdout.readline() == "idle\n"
        keeper.terminate()
        assert keeper.wait(10) == 5


def test_a_worker_that_ends_by_itself_ends_its_keeper() -> None:
    done = subprocess.run([sys.executable, "-c", KEEPER, sys.executable, "-c", "raise SystemExit(3)"], check=False)
    assert done.returncode == 3
