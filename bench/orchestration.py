"""What Prefect adds to a run of 100,000 messages, and what a second worker brings on PostgreSQL.

The run is the one of a deployment: its flow's `deliver` task on a real Prefect server, with heartbeats and a progress
bar. All CPU of the process that is not the delivering thread's is orchestration's; a worker without Prefect would open
the project and deliver as that thread does. Importing Prefect, of which the task that has planned needs all, is told
apart, for a run pays it once whatever its length. The provider costs nothing, so every share is the largest that it can
be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from bench.clock import Figures, cpu_of, ratios
from bench.server import postgres
from bench.stage import NEWS, NULL, ROOT, ROUNDS, WHEN, Stage, runtime, stage
from vinculo.db import connect
from vinculo.launch import Installation, Supervisor, free_port

MESSAGES = int(os.environ.get("MESSAGES", "100000"))
#: For the comparison of one worker with two: enough for several leases each.
SHARED = int(os.environ.get("CONTACTS", "20000"))


def measure() -> Figures:
    """`cost` and `cost with the server` in percent of the delivering CPU; `two workers` in rates."""
    found: dict[str, list[float]] = defaultdict(list)
    with prefect() as server:
        for _ in range(ROUNDS):
            for name, value in orchestrated(server).items():
                found[name].append(value)
    with postgres() as url:
        for _ in range(ROUNDS):
            found["one worker, messages/s"].append(shared(url, 1))
            found["two workers, messages/s"].append(shared(url, 2))
    found["two workers"] = ratios(found["two workers, messages/s"], found["one worker, messages/s"])
    return dict(found)


# ── Prefect ──────────────────────────────────────────────────────────────────────────────────────────────────────
@contextmanager
def prefect() -> Iterator[tuple[dict[str, str], int]]:
    """A server of its own; the environment that reaches it, and its number."""
    with tempfile.TemporaryDirectory(prefix="vinculo-bench-") as folder, Supervisor(print) as supervisor:
        installation = Installation(ROOT, Path(folder), free_port(4300), "", {})
        supervisor.start(service := installation.server(), seconds=300)
        assert service.process
        yield installation.environment, service.process.pid


def orchestrated(server: tuple[dict[str, str], int]) -> dict[str, float]:
    """One run in a process of its own, as a worker starts it."""
    environment, pid = server
    with stage(MESSAGES, NULL) as on:
        on.plan()
        url = on.rt.engine.url.render_as_string(hide_password=False)
        before = cpu_of(pid)
        took = told(subprocess.Popen(command("flow", url), env=environ() | environment, **PIPES))
        serving = cpu_of(pid) - before
    return {
        "cost": 100 * took["around"] / took["delivering"],
        "cost with the server": 100 * (took["around"] + serving) / took["delivering"],
        "run-up, CPU s": took["run-up"],
        "delivering, CPU us": 1e6 * took["delivering"] / took["accepted"],
    }


def flow(url: str) -> dict[str, float]:
    """Be the run's process: deliver what is planned at *url* in a flow; say where its CPU went."""
    import asyncio

    from prefect import flow as decorated
    from prefect import task_engine  # noqa: F401 - the task that has planned has imported it

    from flows import artifact, send

    inside: dict[str, float] = {}
    deliver = send.deliver.fn

    @wraps(deliver)
    def timed(*given: Any) -> Any:
        since = time.thread_time()
        outcomes = deliver(*given)
        inside["delivering"] = time.thread_time() - since
        inside["accepted"] = outcomes["accepted"]
        return outcomes

    @decorated(name="bench")
    async def bench() -> None:
        with send.open_runtime() as rt:
            inside["run-up"] = time.process_time()
            await send._watched(rt, {"campaign": NEWS.name, "occurrence": WHEN.key, "contacts": MESSAGES})  # noqa: SLF001 - all that a run does while it delivers
            inside["all"] = time.process_time() - inside["run-up"]

    send.deliver.fn = timed
    for module in (send, artifact):
        module.open_runtime = lambda **_: runtime(connect(url), NULL)
    asyncio.run(bench())
    return inside | {"around": inside["all"] - inside["delivering"]}


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────────────────────
def shared(url: str, workers: int) -> float:
    """Messages a second when so many processes drain one ledger, from the first that begins to the last that ends."""
    from vinculo.db import metadata

    with stage(SHARED, NULL, url) as on, ExitStack() as stack:
        on.plan()
        started = [stack.enter_context(subprocess.Popen(command("drain", url), env=environ(), **PIPES))
                   for _ in range(workers)]  # fmt: skip
        for process in started:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        since = time.perf_counter()
        for process in started:
            assert process.stdin
            process.stdin.close()
        sent = sum(told(process)["accepted"] for process in started)
        took = time.perf_counter() - since
        metadata.drop_all(on.rt.engine)
    return sent / took


def drain(url: str) -> dict[str, float]:
    """Be one of several workers: load everything, wait for the word, deliver until nothing is left."""
    with runtime(connect(url), NULL) as rt:
        _ = rt.renderer
        print("ready", flush=True)
        sys.stdin.read()
        return {"accepted": Stage(rt, 0).drain()["accepted"]}


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────
PIPES: dict[str, Any] = {"cwd": ROOT, "text": True, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}


def command(what: str, url: str) -> list[str]:
    return [sys.executable, "-m", "bench.orchestration", what, url]


def environ() -> dict[str, str]:
    return {**os.environ, "VINCULO__LIMITS__WORKERS": "1"}


def told(process: subprocess.Popen[str]) -> dict[str, float]:
    """What a process says in its last line."""
    assert process.stdout
    lines = process.stdout.read().splitlines()
    assert process.wait() == 0, "\n".join(lines)
    found: dict[str, float] = json.loads(lines[-1])
    return found


if __name__ == "__main__":
    print(json.dumps({"flow": flow, "drain": drain}[sys.argv[1]](sys.argv[2])))
