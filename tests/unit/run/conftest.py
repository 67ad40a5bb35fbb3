"""A small project on a real database with a real mail server at the other end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from vinculo import project
from vinculo.runtime import Runtime
from vinculo.testing.project import write_project
from vinculo.testing.smtp import SmtpSink
from vinculo.testing.store import add_contact

SECRET = "a secret for tests alone"


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@pytest.fixture
def clock(now: datetime) -> Clock:
    return Clock(now)


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as server:
        yield server


@pytest.fixture
def rt(engine: sa.Engine, sink: SmtpSink, clock: Clock, tmp_path: Path) -> Runtime:
    """Twenty contacts who agreed to news, on both databases."""
    root = write_project(tmp_path / "shop")
    with engine.begin() as db:
        for number in range(20):
            email = f"contato{number}@correio.example"
            add_contact(db, key=f"c{number:02}", email=email, consent=["news"], given_name=f"Nome{number}")
    environ = {"VINCULO__SMTP__URL": f"{sink.url}?connections=1", "VINCULO__SECRET_KEY": SECRET}
    return Runtime(project.load(root, environ), engine, clock)
