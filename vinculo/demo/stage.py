"""`vinculo demo`: the demo company at work on this machine, from the calendar to each contact's history."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vinculo import db as database
from vinculo import report, scoring
from vinculo.demo import behaviour, company
from vinculo.errors import VinculoError
from vinculo.launch import Installation, Supervisor, free_port
from vinculo.runtime import Runtime, open_runtime
from vinculo.testing import GatewayFake, SmtpSink

#: What the demo sends: the same forms that a marketer fills in the Prefect UI.
SENDS: Mapping[str, Mapping[str, Any]] = {
    "newsletter": {"name": "demo-news", "template": "weekly-news", "segment": "active", "topic": "news"},
    "promotion": {"name": "demo-offer", "template": "black-friday", "segment": "customers", "topic": "offers"},
}
CHANNELS = {"newsletter": ["email"], "promotion": ["email", "sms"]}
#: How long one send may take before the demo says that something is wrong, in seconds.
PATIENCE = 600


@dataclass
class Stage:
    """The demo's parts: the installation, what catches its messages, and who is told of the progress."""

    installation: Installation
    catcher: SmtpSink
    gateway: GatewayFake
    listen_port: int
    say: Callable[[str], None]
    seed: int

    def runtime(self) -> Runtime:
        """The demo's project, database and clock."""
        return open_runtime(self.installation.root)


def prepare(root: Path, *, say: Callable[[str], None], seed: int) -> Stage:
    """Clear the stage, start what catches messages, choose ports and settings."""
    var = root / "var" / "demo"
    shutil.rmtree(var, ignore_errors=True)
    (var / "outbox").mkdir(parents=True)
    taken: set[int] = set()
    ports = {}
    for name, wanted in {"prefect": 4200, "web": 8500, "listen": 2525}.items():
        ports[name] = free_port(wanted, taken)
        taken.add(ports[name])
        if ports[name] != wanted:
            say(f"port {wanted} is in use; {name} takes {ports[name]}")
    web_url = f"http://127.0.0.1:{ports['web']}"
    secret = secrets.token_urlsafe(24)
    catcher = SmtpSink(folder=var / "outbox").start()
    gateway = GatewayFake(secret=secret, folder=var / "outbox", webhook_url=f"{web_url}/webhooks/sms").start()
    env = {
        "VINCULO__DATABASE__URL": f"sqlite:///{var / 'vinculo.db'}",
        "VINCULO__SECRET_KEY": secrets.token_urlsafe(32),
        "VINCULO__SMTP__URL": f"smtp://127.0.0.1:{catcher.port}",
        "VINCULO__GATEWAY__URL": gateway.url,
        "VINCULO__GATEWAY__TOKEN": gateway.token,
        "VINCULO__GATEWAY__SECRET": secret,
        "VINCULO__WEB__URL": web_url,
        "VINCULO__WEB__PORT": str(ports["web"]),
        "VINCULO__WEB__OUTBOX": str(var / "outbox"),
        "VINCULO__LISTEN__SMTP": f"127.0.0.1:{ports['listen']}",
    }
    installation = Installation(root, var, ports["prefect"], web_url, env)
    return Stage(installation, catcher, gateway, ports["listen"], say, seed)
