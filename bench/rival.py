"""Those we are compared with: Postfix's `smtp-source`, and the loop that everybody writes first."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.clock import Spent, cpu_of, cpu_of_children
from bench.stage import NULL, ROOT, stage
from vinculo.testing.postfix import PostfixSink, environment, tool

#: As many sessions as the goal names.
SESSIONS = 8


def source(sink: PostfixSink, message: Path, number: int, sessions: int = SESSIONS) -> Spent:
    """Send *message* so many times with smtp-source, which keeps its connections."""
    program = str(tool("smtp-source"))
    to = ["-f", "a@casaaurora.example", "-t", "b@correio.example", f"{sink.host}:{sink.port}"]
    count = ["-d", "-s", str(sessions), "-m", str(number), "-F", str(message)]
    before, served = time.perf_counter(), cpu_of(sink.pid)
    process = subprocess.Popen([program, *count, *to], env=environment())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, "smtp-source failed"
    return Spent(time.perf_counter() - before, usage.ru_utime + usage.ru_stime, cpu_of(sink.pid) - served)


def as_file(mime: bytes, path: Path) -> Path:
    """Write *mime* as smtp-source reads it: it ends the lines and stuffs the dots itself."""
    path.write_bytes(mime.replace(b"\r\n", b"\n"))
    return path


def loop(sink: PostfixSink, number: int) -> float:
    """CPU seconds of the naive loop for *number* contacts, the start of its process included."""
    with stage(number, NULL) as on:
        before = cpu_of_children()
        command = [sys.executable, "-m", "bench.loop", str(on.rt.engine.url.database), sink.host, str(sink.port)]
        subprocess.run(command, cwd=ROOT, check=True)
        return cpu_of_children() - before
