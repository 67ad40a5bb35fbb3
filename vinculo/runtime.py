"""Opens project, database, clock and connectors once, and hands them down."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Self, TypeGuard

import sqlalchemy as sa

from vinculo import db as database
from vinculo import project as files
from vinculo import run
from vinculo.connector import Connector, MissingSetting
from vinculo.db.tables import link
from vinculo.db.transaction import Transactions
from vinculo.deliver import Circuit
from vinculo.errors import Problem, UsageError, did_you_mean
from vinculo.mail.dkim import Dkim
from vinculo.model import Message
from vinculo.project import Project
from vinculo.project.settings import FILE as SETTINGS_FILE
from vinculo.render import Renderer
from vinculo.signing import Signer


def utcnow() -> datetime:
    """The time by this machine's clock."""
    return datetime.now(UTC)


class Clock:
    """The clock of everyday use; tests bring their own. Whoever sends sets it by the server's that others use too.

    Else a worker whose machine is ahead by a lease takes what others hold for a dead worker's: three times, and nobody
    would write to those contacts any more.
    """

    #: What differs by less is as likely the way to the server and back.
    _NEAR = timedelta(seconds=2)

    def __init__(self, tell: Callable[[], datetime] = utcnow) -> None:
        self._tell, self._behind = tell, timedelta()

    def __call__(self) -> datetime:
        return self._tell() + self._behind

    def set_by(self, time: datetime) -> None:
        """It is *time* now."""
        behind = time - self._tell()
        self._behind = behind if abs(behind) > self._NEAR else timedelta()


class Runtime:
    """A project at work. Used by one thread or several; connectors are made per caller."""

    def __init__(
        self, project: Project, engine: sa.Engine, clock: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self.project, self.engine, self.now, self.sleep = project, engine, clock, sleep
        self._circuits: dict[str, Circuit] = {}
        self._transactions = Transactions(engine)

    @cached_property
    def signer(self) -> Signer:
        """Makes and reads every token of ours."""
        settings = self.project.settings
        return Signer(settings.secret_key, old=settings.old_secret_keys)

    @cached_property
    def renderer(self) -> Renderer:
        """Turns templates into messages."""
        return Renderer(
            self.project,
            signer=self.signer,
            link_id=self._link_id,
            max_text=self._max_text,
            dkim=lambda: self.dkim,
        )

    @cached_property
    def dkim(self) -> Dkim | None:
        """What signs e-mail, None if nothing does. Raises `VinculoError` for a key that cannot be used."""
        keys = self.project.settings.dkim_keys()
        return Dkim(keys) if keys else None

    def connector(self, channel: str) -> Connector:
        """Make the connector that vinculo.toml names for *channel*. The caller opens and closes it."""
        dotted, options = self.project.settings.connector(channel)
        return _connector_class(dotted, channel).from_settings(options)

    @cached_property
    def idempotent_channels(self) -> frozenset[str]:
        """The channels whose provider dedupes on our key: what is in doubt there may be sent again."""
        channels = self.project.settings.channels
        return frozenset(name for name, dotted in channels.items() if _connector_class(dotted, name).can.idempotent)

    @cached_property
    def providers(self) -> Mapping[str, str]:
        """For each channel a word for the provider and account that dedupes on our key there; "" where none does."""
        return {name: self._provider(name) for name in self.project.settings.channels}

    def _provider(self, channel: str) -> str:
        if channel not in self.idempotent_channels:
            return ""
        named = json.dumps(self.project.settings.connector(channel), sort_keys=True, default=str)
        return self.signer.hash("provider", named)[:16]

    def _max_text(self, channel: str) -> int | None:
        """How many characters the connector of *channel* carries; a channel may have lost its connector since."""
        dotted = self.project.settings.channels.get(channel)
        return _connector_class(dotted, channel).can.max_text if dotted else None

    def circuit(self, channel: str) -> Circuit:
        """The circuit breaker of *channel*'s connector in this process."""
        return self._circuits.setdefault(channel, Circuit())

    def sent(self, delivery_id: int) -> Message | None:
        """What a delivery said, as the templates of today make it; None when nothing was sent. Raises `RenderError`."""
        return run.sent_message(self, delivery_id)

    def begin(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that may write; on SQLite it waits for the one writer before it."""
        return self._transactions.begin()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A consistent view that takes no lock."""
        with self.engine.connect().execution_options(read_only=True) as db, db.begin():
            yield db

    def set_clock(self, db: sa.Connection) -> None:
        """Go by the database server's clock from now on; a file has none."""
        if isinstance(self.now, Clock) and db.dialect.name == "postgresql":
            self.now.set_by(db.execute(sa.text("SELECT clock_timestamp()")).scalar_one())

    def close(self) -> None:
        """Let go of the database."""
        self._transactions.close()
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _link_id(self, url: str) -> int:
        """The number of *url* in the table of links, made at the first use. Old mail names it: it never changes."""
        with self.read() as db:
            known = db.scalar(sa.select(link.c.id).where(link.c.url == url))
        if known is not None:
            return int(known)
        with self.begin() as db:
            statement = sa.text("INSERT INTO link (url) VALUES (:url) ON CONFLICT (url) DO NOTHING")
            db.execute(statement, {"url": url})
            return int(db.scalar(sa.select(link.c.id).where(link.c.url == url)) or 0)


def open_runtime(
    root: Path | None = None, *, clock: Callable[[], datetime] | None = None, need_database: bool = True,
    whole: bool = True,
) -> Runtime:  # fmt: skip
    """Open the project at or above *root* (default: the working folder); not *whole*, less what is wrong in its files.

    Raises `ProjectError` with every problem of its files, `NotReady` when the database is not there or is old.
    """
    home = files.find_root(root)
    _reach(home)
    project = files.load(home, whole=whole)
    settings = project.settings.database
    engine = database.connect(settings.url, durability=settings.durability)
    if need_database:
        database.require(engine)
    rt = Runtime(project, engine, clock or Clock())
    if need_database:  # before anything is dated: a no has to be later than the yes before it
        with rt.read() as db:
            rt.set_clock(db)
    return rt


def max_texts(project: Project) -> tuple[dict[str, int | None], list[Problem]]:
    """Return how many characters of text each channel carries, and what is wrong with the connectors named for them."""
    _reach(project.root)
    limits: dict[str, int | None] = {}
    wrong: list[Problem] = []
    for channel, dotted in project.settings.channels.items():
        try:
            found = _connector_class(dotted, channel)
            limits[channel] = found.can.max_text
            found.from_settings(project.settings.connector(channel)[1])
        except MissingSetting:  # a secret that only the machine has which sends: `doctor` asks for it there
            continue
        except UsageError as error:
            wrong.append(Problem(SETTINGS_FILE, 0, 0, error.message, error.remedy))
    return limits, wrong


def _reach(home: Path) -> None:
    """Let connectors and flows of the project in *home* be imported by dotted name, also late."""
    if str(home) not in sys.path:
        sys.path.insert(0, str(home))


def _connector_class(dotted: str, channel: str) -> type[Connector]:
    module, _, name = dotted.partition(":")
    loaded = _module(module, channel)
    found = getattr(loaded, name, None)
    if not _connects(found):
        known = did_you_mean(name, [each for each, one in vars(loaded).items() if _connects(one)])
        raise UsageError(
            f"{module} has no connector `{name}`", f"{known} Mend [channels] {channel} in vinculo.toml: `module:Class`."
        )
    if channel not in found.channels:
        serves = ", ".join(sorted(found.channels))
        raise UsageError(f"{dotted} does not serve {channel}", f"It serves {serves}; mend [channels] in vinculo.toml.")
    return found


def _connects(found: object) -> TypeGuard[type[Connector]]:
    return isinstance(found, type) and issubclass(found, Connector) and found is not Connector


def _module(name: str, channel: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"There is no module `{error.name}`", f"Mend [channels] {channel} in vinculo.toml, or install it."
        ) from None
    except Exception as error:
        raise UsageError(f"{name} cannot be loaded: {error!r}", f"Mend it: it serves the channel {channel}.") from error
