"""Openings answered after a durable commit, beside nginx, which answers with a file and keeps nothing.

CPU of the server a request, both under the same load from `wrk`, a process of its own whose CPU is not counted. Every
request is a hit of its own: no two have message and program in common. Without nginx and wrk (`requirements/nginx.sh`)
there is nothing to compare with, and this says so.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from bench.clock import Figures, cpu_of, ratios
from bench.stage import CONTACTS, NULL, ROOT, ROUNDS, SECRET, Stage, stage
from vinculo.db.tables import delivery, inbound, interaction, link
from vinculo.web.incoming.track import PIXEL

UNPACKED = ROOT / ".venv/nginx/usr"
#: As many as the naive server answers in time: with more, none comes back before the clock is up.
_FEW = 8
CONNECTIONS, SECONDS = 128, float(os.environ.get("SECONDS", "4"))
_CONF = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000; types {{ image/gif gif; }}
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
"""
#: Each request asks for the next path; after the last one the program is another, so that no hit comes twice.
_LUA = """\
local paths, at, cycle = {{}}, 0, 0
for line in io.lines("{paths}") do paths[#paths + 1] = line end
request = function()
  at = at + 1
  if at > #paths then at = 1; cycle = cycle + 1 end
  return wrk.format("GET", paths[at], {{["User-Agent"] = "{agent} {seed}/" .. cycle}})
end
"""
_AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did under load: CPU µs a request, requests a second, the 99th percentile in ms."""

    cpu: float
    rate: float
    p99: float


def measure() -> Figures:
    """`ratio` is nginx's CPU a request by ours, `clicks` the same for links, `hitwise` the naive server's by ours."""
    if tool("nginx", "sbin") is None or tool("wrk", "bin") is None:
        print("  left out: no nginx and wrk here; bash requirements/nginx.sh")
        return {}
    found: dict[str, list[float]] = defaultdict(list)
    with stage(CONTACTS, NULL) as on, tempfile.TemporaryDirectory(prefix="vinculo-bench-") as name:
        on.send()
        folder = Path(name)
        (folder / "o.gif").write_bytes(PIXEL)
        files = {"open": _paths(on, folder, "open"), "click": _paths(on, folder, "click")}
        same = folder / "same"
        same.write_text("/o.gif\n")
        for number in range(ROUNDS):
            with nginx(folder) as (port, pids):
                found["nginx cpu"].append(load(port, pids, same, folder, number).cpu)
            before = _kept(on)
            with serving(on, "vinculo.web") as (port, pids):
                ours = load(port, pids, files["open"], folder, number)
            assert _kept(on) > before, "nothing was kept"
            with serving(on, "vinculo.web") as (port, pids):
                found["click cpu"].append(load(port, pids, files["click"], folder, number).cpu)
            with serving(on, "bench.hitwise") as (port, pids):
                found["hitwise cpu"].append(load(port, pids, files["open"], folder, number, _FEW).cpu)
            found["cpu"].append(ours.cpu)
            found["rate"].append(ours.rate)
            found["p99"].append(ours.p99)
    ratio = {
        "ratio": ratios(found["nginx cpu"], found["cpu"]),
        "clicks": ratios(found["nginx cpu"], found["click cpu"]),
    }
    return {**found, **ratio, "hitwise": ratios(found["hitwise cpu"], found["cpu"])}


def _kept(on: Stage) -> int:
    """How many hits have both their raw form and their line in the history."""
    both = sa.and_(inbound.c.source == interaction.c.source, inbound.c.event_id == interaction.c.event_id)
    with on.rt.read() as db:
        return db.scalar(sa.select(sa.func.count()).select_from(inbound).join(interaction, both)) or 0


def _paths(on: Stage, folder: Path, purpose: str) -> Path:
    with on.rt.read() as db:
        numbers = db.scalars(sa.select(delivery.c.id).where(delivery.c.state == "accepted")).all()
        to = db.scalar(sa.select(link.c.id).limit(1))
    tokens = (on.rt.signer.token(purpose, number) for number in numbers)
    lines = [f"/o/{each}.gif" if purpose == "open" else f"/c/{each}/{to}" for each in tokens]
    path = folder / purpose
    path.write_text("\n".join(lines) + "\n")
    return path


def tool(name: str, folder: str) -> Path | None:
    """Where *name* is: unpacked, else installed."""
    unpacked = UNPACKED / folder / name
    found = str(unpacked) if unpacked.exists() else shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return Path(found) if found else None


def load(port: int, pids: Sequence[int], paths: Path, folder: Path, seed: int, connections: int = CONNECTIONS) -> Load:
    """Load the server at *port* whose processes are *pids*."""
    script = folder / "load.lua"
    script.write_text(_LUA.format(paths=paths, agent=_AGENT, seed=f"{seed}-{port}"))
    libraries = next(UNPACKED.glob("lib/*/libluajit*"), UNPACKED).parent
    command = [str(tool("wrk", "bin")), "-t1", f"-c{connections}", "--latency", "-s", str(script)]
    environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries)}

    def run(seconds: float) -> str:
        line = [*command, f"-d{seconds:g}s", f"http://127.0.0.1:{port}/"]
        return subprocess.run(line, env=environment, capture_output=True, text=True, check=True).stdout

    run(1)  # what is made at the first request is made
    before = sum(map(cpu_of, pids))
    done = run(SECONDS)
    cpu = sum(map(cpu_of, pids)) - before
    assert "Non-2xx" not in done, done
    requests = int(re.findall(r"(\d+) requests in", done)[0])
    slow, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", done)[0]
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", done)[0])
    return Load(cpu / requests * 1e6, rate, float(slow) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit])


@contextmanager
def nginx(folder: Path) -> Iterator[tuple[int, list[int]]]:
    """Nginx with one worker, and a file to answer with: its port and the numbers of its processes."""
    port = _free_port()
    conf = folder / "nginx.conf"
    conf.write_text(_CONF.format(folder=folder, port=port))
    command = [str(tool("nginx", "sbin")), "-c", str(conf), "-e", str(folder / "error.log"), "-g", f"user {_me()};"]
    with _started(subprocess.Popen(command), port) as process:
        children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
        yield port, [process.pid, *map(int, children.stdout.split())]


def _me() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


@contextmanager
def serving(on: Stage, module: str) -> Iterator[tuple[int, list[int]]]:
    """Our web app, or the naive one, as a process on the stage's database."""
    port = _free_port()
    environment = {
        **os.environ,
        "VINCULO__DATABASE__URL": on.rt.engine.url.render_as_string(hide_password=False),
        "VINCULO__SECRET_KEY": SECRET,
        "VINCULO__WEB__PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-m", module, str(port)], cwd=ROOT, env=environment)
    with _started(process, port):
        yield port, [process.pid]


@contextmanager
def _started(process: subprocess.Popen[bytes], port: int) -> Iterator[subprocess.Popen[bytes]]:
    try:
        until = time.monotonic() + 30
        while not _listens(port):
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < until, "the server does not listen"
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
