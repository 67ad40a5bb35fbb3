"""One installation on this machine: which ports, which folders, which processes, with which environment."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx

from vinculo.errors import NotReady
from vinculo.launch.prefect import PrefectApi
from vinculo.launch.process import Service, Supervisor

POOL = "vinculo"

#: The server records task runs and events in batches: a third of the work for the same rows.
_BATCHING = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TRIGGERS_READ_BATCH_SIZE": "100",
}


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """True when nothing listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(wanted: int, taken: set[int] | None = None) -> int:
    """*wanted* if it is free, else the next that is. Raises `NotReady` when 100 in a row are in use."""
    for port in range(wanted, wanted + 100):
        if port not in (taken or set()) and port_is_free(port):
            return port
    raise NotReady(f"The ports {wanted} to {wanted + 99} are all in use", "Stop what uses them.")


@dataclass(frozen=True)
class Installation:
    """Where things are. `var` holds Prefect's home, logs and what we write."""

    root: Path
    var: Path
    prefect_port: int
    web_url: str
    env: dict[str, str]

    @property
    def api(self) -> PrefectApi:
        """Prefect's server."""
        return PrefectApi(f"http://127.0.0.1:{self.prefect_port}/api")

    @property
    def environment(self) -> dict[str, str]:
        """What every process of the installation is started with."""
        return {
            "PREFECT_HOME": str(self.var / "prefect"),
            "PREFECT_API_URL": self.api.url,
            "PREFECT_UI_API_URL": self.api.url,
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(self.prefect_port),
            "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            # The second UI asks an outside host in the visitor's browser, even with analytics off.
            "PREFECT_SERVER_UI_V2_ENABLED": "false",
            "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "P28D",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            "PREFECT_LOGGING_EXTRA_LOGGERS": "vinculo",
            "DO_NOT_TRACK": "1",
            "VINCULO__PREFECT__API_URL": self.api.url,
            **_BATCHING,
            **self.env,
        }

    def service(self, name: str, *argv: str, **options: object) -> Service:
        """A process of this installation, run by this very Python."""
        log = self.var / "log" / f"{name.replace(' ', '-')}.log"
        return Service(name, [sys.executable, "-m", *argv], self.environment, self.root, log, **options)  # type: ignore[arg-type]

    def server(self) -> Service:
        """Prefect's server with its UI."""
        return self.service("Prefect server", "prefect", "server", "start", ready=self.api.healthy)

    def worker(self) -> Service:
        """A Prefect worker that starts each run as a process."""
        return self.service(
            "Prefect worker",
            *("vinculo.launch.worker", "--pool", POOL, "--type", "process"),
            ready=lambda: self.api.worker_is_online(POOL),
        )

    def web(self) -> Service:
        """Tracking, preference centre, webhooks, console, and the SMTP door."""
        return self.service("web", "vinculo.web", ready=self._web_answers)

    def _web_answers(self) -> bool:
        try:
            return httpx.get(f"{self.web_url}/healthz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def command(self, *argv: str) -> str:
        """Run a module to its end; return what it printed. Raises `NotReady` with its output when it fails."""
        done = subprocess.run(
            [sys.executable, "-m", *argv],
            env={**os.environ, **self.environment},
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NotReady(f"{' '.join(argv)} failed", (done.stdout + done.stderr)[-2000:])
        return done.stdout

    def deploy(self) -> None:
        """Make Prefect's deployments: the calendar's and those of prefect.yaml. The server is the project's own."""
        # Flows that an earlier version laid are the project's to change: they ask nobody whose the server is.
        asks = (self.root / "flows" / "owner.py").exists()
        self.command("flows.apply", *["--take-over"] * asks)
        self.command("prefect", "--no-prompt", "deploy", "--all")

    def start(self, supervisor: Supervisor) -> None:
        """Start server, deployments, worker and web app, in this order."""
        supervisor.start(self.server())
        self.deploy()
        supervisor.start(self.worker())
        supervisor.start(self.web())
