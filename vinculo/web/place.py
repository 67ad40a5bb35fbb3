"""What every page needs, found through the request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from vinculo.web.failures import Failures

if TYPE_CHECKING:
    from vinculo.project import Project
    from vinculo.runtime import Runtime
    from vinculo.signing import Signer
    from vinculo.web.console.plan import Worked
    from vinculo.web.incoming.writer import Writer

T = TypeVar("T")


class Place:
    """One web app at work."""

    def __init__(self, rt: Runtime, writer: Writer) -> None:
        self.rt, self.writer = rt, writer
        #: Addresses of tracked links by number.
        self.links: dict[int, str] = {}
        #: Held while a plan is worked out.
        self.planning = asyncio.Lock()
        #: The plans that the console has worked out, by their days.
        self.plans: dict[int, Worked] = {}
        self.failures = Failures()

    @property
    def project(self) -> Project:
        """The company's files."""
        return self.rt.project

    @property
    def signer(self) -> Signer:
        """Reads our tokens."""
        return self.rt.signer

    def now(self) -> datetime:
        """The clock."""
        return self.rt.now()

    def read(self) -> AbstractContextManager[sa.Connection]:
        """A view of the database that takes no lock."""
        return self.rt.read()

    async def off_loop(self, call: Callable[..., T], *args: Any) -> T:
        """Run *call*, which waits for the database, in a thread."""
        return await run_in_threadpool(call, *args)


def place(request: Request) -> Place:
    """The web app that serves *request*."""
    here: Place = request.app.state.place
    return here
