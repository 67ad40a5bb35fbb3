"""What every benchmark of the path begins with: a project, a database with contacts, a newsletter that is due."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from bench import people
from vinculo import project, run
from vinculo.db import connect, metadata
from vinculo.model import Occurrence
from vinculo.project.schema import Campaign
from vinculo.runtime import Runtime, utcnow

ROOT = Path(__file__).parents[1]
#: `make bench ROUNDS=3 CONTACTS=5000` is a quick look; the goals are set for the defaults.
ROUNDS = int(os.environ.get("ROUNDS", "5"))
CONTACTS = int(os.environ.get("CONTACTS", "20000"))
#: How the connector is told to speak to smtp-sink: many connections make large groups, and few commits.
OPTIONS = os.environ.get("OPTIONS", "connections=64&pipeline=full")
NEWS = Campaign.model_validate(
    {
        "name": "bench",
        "kind": "newsletter",
        "segment": "everyone",
        "topic": "news",
        "channels": ["email"],
        "template": "weekly-news",
    }
)
WHEN = Occurrence("bench", datetime.fromisoformat("2026-11-03T09:00"), "UTC")
SECRET = "of the benchmark alone"
#: A connector that costs nothing.
NULL = "bench.null:Null"


@dataclass(frozen=True, slots=True)
class Stage:
    """A project at work on a database of its own, with so many contacts."""

    rt: Runtime
    contacts: int

    def plan(self) -> int:
        """Plan the newsletter for everybody."""
        return run.begin(self.rt, NEWS, WHEN, due_now=True)

    def drain(self) -> Counter[str]:
        """Send what is planned."""
        return run.drain(self.rt, worker="bench", campaign=NEWS.name, occurrence=WHEN.key)

    def finish(self) -> Counter[str]:
        """Finish the occurrence; how many deliveries are in which state."""
        run.finish(self.rt, NEWS.name, WHEN.key)
        return run.states(self.rt, NEWS.name, WHEN.key)

    def send(self) -> int:
        """All of it, from segment to history; how many the server has accepted."""
        self.plan()
        self.drain()
        states = self.finish()
        assert set(states) <= {"accepted", "skipped"}, states
        return states["accepted"]


@contextmanager
def stage(contacts: int, target: str, database: str = "") -> Iterator[Stage]:
    """A stage with *contacts* people. *target* is a mail server's URL or a connector, *database* a URL (SQLite)."""
    with tempfile.TemporaryDirectory(prefix="vinculo-bench-") as folder:
        engine = connect(database or f"sqlite:///{folder}/vinculo.db")
        with runtime(engine, target) as rt:
            metadata.create_all(engine)
            people.lay(engine, rt.signer, contacts)
            yield Stage(rt, contacts)


def runtime(engine: sa.Engine, target: str) -> Runtime:
    """The shipped project, without its frequency caps: each round writes to everybody."""
    url = target if target.startswith("smtp") else "smtp://127.0.0.1:1"
    files = project.load(ROOT, {**os.environ, "VINCULO__SECRET_KEY": SECRET, "VINCULO__SMTP__URL": url})
    policy, settings = files.policy.model_copy(update={"caps": []}), files.settings
    if target != url:
        settings = settings.model_copy(update={"channels": {**settings.channels, "email": target}})
    return Runtime(replace(files, policy=policy, settings=settings), engine, utcnow)


def smtp(url: str) -> str:
    """The URL of the server at *url* as the connector is given it."""
    return url + (f"?{OPTIONS}" if OPTIONS else "")
