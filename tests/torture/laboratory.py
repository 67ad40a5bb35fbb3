"""One shop, one receiver, and workers in processes of their own that may be killed, stopped and starved."""

from __future__ import annotations

import itertools
import json
import os
import select
import shutil
import smtplib
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

from connectors.smtp import Smtp
from tests.torture.worker import Clock
from vinculo import project
from vinculo.db import connect, metadata
from vinculo.db.tables import delivery
from vinculo.runtime import Runtime
from vinculo.testing import oracle
from vinculo.testing.oracle import Taken, Violation
from vinculo.testing.postfix import PostfixSink
from vinculo.testing.project import write_project
from vinculo.testing.store import SIGNER, add_contact

SECRET = "a secret for tests alone"
KILLED = -9
#: The most that one death may leave in doubt: what the connector holds unanswered, and half as many marked ahead.
DOUBT = Smtp.can.bulk + Smtp.can.bulk // 2
_HERE = Path(__file__).parent


class Nursery:
    """The process that forks workers; see nursery.py."""

    def __init__(self) -> None:
        command = [sys.executable, str(_HERE / "nursery.py")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.alive: set[int] = set()
        #: Whether it has done a job itself, so that its children have everything loaded.
        self.warm = False

    def ask(self, command: str, value: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({command: value}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def spawn(self, job: dict[str, Any]) -> int:
        number: int = self.ask("spawn", job)
        self.alive.add(number)
        return number

    def go(self, number: int) -> int:
        return int(self.ask("go", number))

    def wait(self, *numbers: int) -> tuple[int, Any]:
        """The first of *numbers* to end or to stop, and how."""
        number, status = self.ask("wait", numbers)
        if status != "stopped":
            self.alive.discard(number)
        return number, status

    def close(self) -> None:
        """End whoever still lives, then the nursery itself."""
        for number in list(self.alive):
            os.kill(number, 9)
            self.wait(number)
        with self._process:  # closes its pipes, which ends it
            pass


# ── databases that begin equal ───────────────────────────────────────────────────────────────────────────────────
class Store(Protocol):
    """Where fresh databases with all contacts come from."""

    def fresh(self) -> str:
        """The URL of a new one."""


class SqliteStore:
    def __init__(self, folder: Path, people: int) -> None:
        self.folder, self._number = folder, itertools.count()
        self.before = folder / f"before-{people}.db"
        populate(f"sqlite:///{self.before}", people)

    def fresh(self) -> str:
        return f"sqlite:///{shutil.copy(self.before, self.before.with_suffix(f'.{next(self._number)}.db'))}"


class PostgresStore:
    """One database, emptied of all but its contacts: to make a new one costs a server seconds."""

    _numbers = itertools.count()
    _KEPT = frozenset({"contact", "address", "consent", "permission", "alembic_version"})

    def __init__(self, server: str, people: int, template: str = "model") -> None:
        self.server, self.name = server, f"torture_{os.getpid()}_{next(self._numbers)}"
        self._say(server, f"CREATE DATABASE {self.name} TEMPLATE {template}")
        self.url = sa.make_url(server).set(database=self.name).render_as_string(hide_password=False)
        populate(self.url, people)

    def fresh(self) -> str:
        emptied = ", ".join(table for table in metadata.tables if table not in self._KEPT)
        self._say(self.url, f"TRUNCATE {emptied} RESTART IDENTITY")
        return self.url

    def close(self) -> None:
        self._say(self.server, f"DROP DATABASE {self.name} WITH (FORCE)")

    @staticmethod
    def _say(url: str, statement: str) -> None:
        engine = connect(url).execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as db:
            db.execute(sa.text(statement))
        engine.dispose()


def populate(url: str, people: int) -> None:
    """Make the tables unless they are there, and *people* contacts who agreed to news."""
    engine = connect(url, durability="process")
    metadata.create_all(engine)
    with engine.begin() as db:
        for number in range(people):
            email = f"contato{number}@correio.example"
            add_contact(db, key=f"c{number:05}", email=email, consent=["news"], given_name=f"Nome{number}")
    engine.dispose()


# ── the laboratory ───────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Laboratory:
    """A shop with *people* contacts and one campaign, due at `now`; `renew` begins anew with a fresh database."""

    folder: Path
    store: Store
    nursery: Nursery
    sink: PostfixSink
    people: int
    now: datetime
    environ: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root = write_project(self.folder / "shop", **self.files)
        self.clock = Clock(self.folder / "clock")
        self.clock.set(self.now)
        if not self.nursery.warm:
            self.url = SqliteStore(self.root, 1).fresh()
            self.nursery.warm = self.nursery.ask("warm", self._job({})) == 0
        self.renew()

    def renew(self) -> None:
        """A fresh database, an empty record, the clock where it began."""
        self.url = self.store.fresh()
        self.clock.set(self.now)
        for file in self.sink.record.iterdir() if self.sink.record else ():
            file.unlink()

    # workers
    def spawn(self, **job: Any) -> int:
        """A worker that waits at its gate."""
        return self.nursery.spawn(self._job(job))

    def _job(self, job: dict[str, Any]) -> dict[str, Any]:
        address = {"VINCULO__SMTP__URL": self.sink.url, "VINCULO__SECRET_KEY": SECRET}
        where = {"root": str(self.root), "url": self.url, "clock": str(self.folder / "clock")}
        return {**where, **job, "environ": address | self.environ | job.get("environ", {})}

    def start(self, **job: Any) -> int:
        """A worker at work."""
        return self.nursery.go(self.spawn(**job))

    def run(self, **job: Any) -> Any:
        """A worker from its start to its end; returns how it ended."""
        return self.nursery.wait(self.start(**job))[1]

    def traced(self, *inject: str, **job: Any) -> Any:
        """A worker under strace with faults put in, e.g. `fdatasync:signal=KILL:when=3`; returns how it ended."""
        worker = self.spawn(**job)
        with strace(worker, *inject):
            self.nursery.go(worker)
            return self.nursery.wait(worker)[1]

    def await_messages(self, number: int, workers: Collection[int]) -> int:
        """Return when so many have reached the receiver, or one of *workers* has ended; how many there are."""
        folder = str(self.sink.record)
        while (there := len(os.listdir(folder))) < number and all(map(alive, workers)):  # noqa: PTH208 - the names alone
            select.select([], [], [], 0.02)
        return there

    def recover(self, rounds: int = 12, **job: Any) -> None:
        """Time passes, and a healthy worker comes by, until nothing waits any more."""
        for _ in range(rounds):
            self.clock.forward(minutes=45)
            assert self.run(**job) == 0
            if not self.count("planned", "deferred", "claimed", "submitting"):
                return

    @contextmanager
    def runtime(self) -> Iterator[Runtime]:
        """The shop as this process sees it, on the laboratory's clock."""
        files = project.load(self.root, self._job({})["environ"])
        with Runtime(files, connect(self.url, durability="process"), self.clock) as rt:
            yield rt

    # what became of it
    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        engine = connect(self.url)
        with engine.connect() as db:
            yield db
        engine.dispose()

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        engine = connect(self.url)
        with engine.begin() as db:
            yield db
        engine.dispose()

    def count(self, *states: str) -> int:
        """How many rows are in these states."""
        with self.read() as db:
            query = sa.select(sa.func.count()).where(delivery.c.state.in_(states))
            return int(db.scalar(query) or 0)

    def flight(self, worker: int | None = None) -> int:
        """What the dead (or that one) were handing over: so many may be in doubt, and no more.

        In doubt already is what was taken from them while they lived, and slept beyond their lease.
        """
        d = delivery.c
        query = sa.select(sa.func.count()).where(d.state.in_(["submitting", "in_doubt"]))
        with self.read() as db:
            number = int(db.scalar(query.where(d.worker == str(worker)) if worker else query) or 0)
        assert number <= DOUBT, f"{number} were marked at once"
        return number

    def record(self) -> list[Taken]:
        """What the receiver wrote down, once it has noticed who hung up."""
        with smtplib.SMTP(self.sink.host, self.sink.port) as witness:
            for _ in range(3):  # its one loop has served everybody else by then
                witness.ehlo("witness.example")
        return oracle.mails(self.sink.messages(), SIGNER)

    def judge(self, *, doubt: int, **keys: Any) -> list[Violation]:
        with self.read() as db:
            return oracle.judge(db, self.record(), doubt=doubt, **{"people": self.people, **keys})


def alive(worker: int) -> bool:
    """Whether it has not ended; its nursery need not know yet."""
    try:
        return Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@contextmanager
def strace(worker: int, *inject: str) -> Iterator[None]:
    """Faults at the system calls of a waiting worker, and of the threads it will start."""
    faults = [word for fault in inject for word in ("-e", f"inject={fault}")]
    calls = ",".join(sorted({call for fault in inject for call in fault.partition(":")[0].split(",")}))
    command = ["strace", "-f", "-p", str(worker), "-o", "/dev/null", "-e", f"trace={calls}", *faults]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr
        said = tracer.stderr.readline()
        assert "attached" in said, said
        try:
            yield
        finally:
            tracer.wait(30)
