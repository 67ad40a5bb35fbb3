"""R26, what a simulated world stands on: the files and the database, the runtime on its clock, the provider."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tests.torture.driver import Driver
from vinculo import project
from vinculo.connector import Capabilities, Connector, Outcome, Receipt, SendError, Unavailable
from vinculo.db import connect, instance
from vinculo.model import Message
from vinculo.project import Project
from vinculo.render import Renderer
from vinculo.runtime import Runtime
from vinculo.testing.project import write_project
from vinculo.testing.store import SIGNER

if TYPE_CHECKING:
    from tests.torture.world import World

#: So many messages the provider holds at once.
BULK = 4
SECRET = "a secret for tests alone"


class Died(BaseException):
    """kill -9: nothing that comes after it is written."""


@dataclass
class Ground:
    """What all worlds are built on: made once, as it costs more than a world."""

    folder: Path
    before: Path
    project: Project
    renderer: Renderer
    engines: list[sa.Engine]
    #: The world that is being told.
    world: World | None = None

    @classmethod
    def lay(cls, folder: Path, before: Path) -> Ground:
        """*before*: a SQLite file with contacts and nothing sent."""
        # A claim is smaller than the audience, so that the next is taken while answers to the last are still out.
        environ = {"VINCULO__SECRET_KEY": SECRET, "VINCULO__LIMITS__BATCH": "3"}
        files = project.load(write_project(folder / "shop"), environ)
        renderer = Renderer(files, signer=SIGNER, link_id=len)
        engines = [connect(f"sqlite:///{folder / 'world.db'}", durability="process") for _ in range(4)]
        origin = connect(f"sqlite:///{before}")
        with origin.begin() as db:
            instance.identify(db)  # as `vinculo db upgrade` does
        origin.dispose()
        ground = cls(folder, before, files, renderer, engines)
        for engine in engines:
            sa.event.listen(engine, "do_connect", ground._connect)
        return ground

    def _connect(self, dialect: Any, record: Any, words: Any, keys: dict[str, Any]) -> None:
        keys |= {"factory": partial(Driver, of=lambda: self.world), "timeout": 0}  # nobody who gives way holds a lock

    def renew(self) -> Path:
        """A database as it was before; engines are kept for what they have compiled."""
        for engine in self.engines:
            engine.dispose()
        for noted in (self.project.root / "var", Path(os.environ["XDG_STATE_HOME"]) / "vinculo"):
            shutil.rmtree(noted, ignore_errors=True)
        for file in self.folder.glob("world.db*"):
            file.unlink()
        return Path(shutil.copy(self.before, self.file))

    @property
    def file(self) -> Path:
        return self.folder / "world.db"

    def put_back(self, backup: bytes) -> None:
        """Write *backup* into the file, in which nobody has anything open."""
        for engine in self.engines:
            engine.dispose()
        for leftover in self.folder.glob("world.db-*"):
            leftover.unlink()
        self.file.write_bytes(backup)


class Simulated(Runtime):
    """The product's runtime, on a clock and with a provider of the world."""

    def __init__(self, world: World, engine: sa.Engine, skew: timedelta) -> None:
        super().__init__(world.ground.project, engine, self._tell, self._doze)
        self.world, self.skew = world, skew
        self.told = world.now  # when it last looked at its clock, by that clock
        self.__dict__["renderer"] = world.ground.renderer
        self.__dict__["signer"] = SIGNER

    @property
    def idempotent_channels(self) -> frozenset[str]:
        return frozenset({"email"}) if self.world.idempotent else frozenset()

    def connector(self, channel: str) -> Connector:
        return Provider(self.world)

    def _tell(self) -> datetime:
        self.told = self.world.now + self.skew
        return self.told

    def _doze(self, seconds: float) -> None:
        self.world.now += timedelta(seconds=seconds)
        self.world.step()


class Provider(Connector):
    """Holds up to four messages, answers in any order, fails in every way that the contract knows."""

    channels = frozenset({"email"})

    def __init__(self, world: World) -> None:
        self.world = world
        self.can = Capabilities(html=True, subject=True, bulk=BULK, idempotent=world.idempotent)  # type: ignore[misc]

    def open(self) -> None:
        if self.world.happens(0.03):
            raise Unavailable("connection refused")

    def send(self, message: Message) -> Receipt:
        ((_, outcome),) = self.send_many([message])
        if isinstance(outcome, SendError):
            raise outcome
        return outcome

    def send_many(self, messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
        source, held, more = iter(messages), list[Message](), True
        while more or held:
            while more and len(held) < BULK and (not held or self.world.happens(0.7)):
                message = next(source, None)
                more = message is not None
                if message:
                    self.world.pulled(message)
                    held.append(message)
            if held:
                self.world.step()
                message = held.pop(self.world.chance.randrange(len(held)))
                yield message.key, self.world.serve(message)
