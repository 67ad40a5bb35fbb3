"""What a run needs from whoever starts it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from vinculo.connector import Connector
from vinculo.deliver import Circuit
from vinculo.errors import NotReady
from vinculo.project import Project
from vinculo.render import Renderer

#: Whether to end early.
Stop = Callable[[], bool]
#: Whether nobody is to be planned, asked with the contacts' zones when no other run plans any more.
Unless = Callable[[sa.Connection, Collection[str]], bool]


def never(*_: object) -> bool:
    """Go on to the end."""
    return False


class Needs(Protocol):
    """What a run needs; `runtime.Runtime` is one."""

    project: Project

    @property
    def renderer(self) -> Renderer: ...
    @property
    def idempotent_channels(self) -> frozenset[str]: ...
    @property
    def providers(self) -> Mapping[str, str]: ...
    def now(self) -> datetime: ...
    def sleep(self, seconds: float) -> None: ...
    def set_clock(self, db: sa.Connection) -> None: ...
    def connector(self, channel: str) -> Connector: ...
    def circuit(self, channel: str) -> Circuit: ...
    def begin(self) -> AbstractContextManager[sa.Connection]: ...
    def read(self) -> AbstractContextManager[sa.Connection]: ...


class ProviderDown(NotReady):
    """A provider works for nobody. No contact failed: what was not sent waits in the ledger."""


def require_whole(project: Project) -> None:
    """Raise `NotReady` when *project* does without a file that is wrong and on which others may rest."""
    if project.obstacles:
        remedy = "Run `vinculo check`, mend what it tells, and start anew what sends: all of it waits in the ledger."
        raise NotReady(f"Nothing is sent: {project.obstacles[0]}", remedy)
