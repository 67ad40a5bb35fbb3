"""kill -9 at every step of a run in a process of its own: each contact is written to once, or the ledger says "in doubt"."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import NOW
from tests.unit.run.conftest import SECRET
from vinculo import project, run
from vinculo.db import connect, metadata
from vinculo.db.tables import delivery, interaction
from vinculo.mail.verdict import Phase
from vinculo.runtime import Runtime
from vinculo.testing.project import write_project
from vinculo.testing.smtp import SmtpSink
from vinculo.testing.store import add_contact

HOUSE = Path(__file__).parents[3]
PEOPLE = {f"contato{number}@correio.example" for number in range(8)}
#: With one connection: a message whose answer is awaited, one behind it, and one that is marked next (docs/ledger.md).
BOUND = 3

#: Reads lists of jobs, and does those of a list at once, each in a process of its own: says their numbers, then how
#: they ended. The first it does itself, so that its children have everything loaded. A job with an `event` of the database (begin, commit) kills itself when it comes for the `number`th time.
NURSERY = """
import json, os, signal, sys
from datetime import datetime
from pathlib import Path
import connectors.smtp, sqlalchemy as sa
from vinculo import project, run
from vinculo.db import connect
from vinculo.runtime import Runtime

def work(job):
    engine = connect(job["database"], durability="process")
    left = [job.get("number", 0)]
    def count(connection):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    if "event" in job:
        sa.event.listen(engine, job["event"], count)
    rt = Runtime(project.load(Path(job["root"]), job["environ"]), engine, lambda: datetime.fromisoformat(job["now"]))
    campaign = rt.project.campaigns["weekly"]
    run.run_occurrence(rt, campaign, run.standing_for(rt, campaign, rt.now()), worker=str(os.getpid()))

def child(job):
    number = os.fork()
    if number == 0:
        status = 1
        try:
            work(job)
            status = 0
        finally:
            os._exit(status)
    return number

work(json.loads(sys.stdin.readline())[0])
for line in sys.stdin:
    numbers = [child(job) for job in json.loads(line)]
    print(json.dumps(numbers), flush=True)
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) for number in numbers]), flush=True)
"""


class Deadly(SmtpSink):
    """A mail server that kills its client when a phase comes for the nth time. `ANSWER` is between dot and 250."""

    def __init__(self) -> None:
        super().__init__()
        self.moment: Phase | None = None
        self.left = self.client = 0
        self.known = threading.Event()

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._received.clear()

    def next_fault(self, phase: Phase) -> str | None:
        self.left -= phase is self.moment
        if phase is self.moment and self.left == 0 and self.known.wait(10):
            os.kill(self.client, signal.SIGKILL)
        return super().next_fault(phase)


class House:
    """A shop, its mail server, and processes that send."""

    def __init__(self, root: Path, database: Path, sink: Deadly, nursery: subprocess.Popen[str], now: datetime) -> None:
        self.root, self.sink, self.nursery, self.now = root, sink, nursery, now
        self.url = f"sqlite:///{database}"
        self.environ = {"VINCULO__SMTP__URL": f"{sink.url}?connections=1", "VINCULO__SECRET_KEY": SECRET}

    def send(self, *jobs: dict[str, Any]) -> list[int]:
        """Send in as many processes as there are *jobs*; return how each ended."""
        self.ask(*jobs)
        assert self.nursery.stdout
        self.sink.client = next(iter(json.loads(self.nursery.stdout.readline())), 0)
        self.sink.known.set()
        return list(json.loads(self.nursery.stdout.readline()))

    def ask(self, *jobs: dict[str, Any]) -> None:
        """Give the nursery these *jobs*."""
        common = {"root": str(self.root), "database": self.url, "environ": self.environ, "now": self.now.isoformat()}
        assert self.nursery.stdin
        self.nursery.stdin.write(json.dumps([common | job for job in jobs]) + "\n")
        self.nursery.stdin.flush()

    def recover(self) -> None:
        """Run it again when the lease of the dead is over."""
        engine = connect(self.url, durability="process")
        with Runtime(project.load(self.root, self.environ), engine, lambda: self.now + timedelta(hours=1)) as rt:
            campaign = rt.project.campaigns["weekly"]
            occurrence = run.standing_for(rt, campaign, rt.now())
            assert occurrence
            run.run_occurrence(rt, campaign, occurrence, worker="later")

    def check(self, *, in_doubt: int) -> None:
        """Each address received at most once; who did not is in doubt; ledger, server and history agree."""
        engine = connect(self.url)
        with engine.connect() as db:
            rows = db.execute(sa.select(delivery.c.address, delivery.c.state)).all()
            sent = db.scalar(sa.select(sa.func.count()).where(interaction.c.kind == "sent"))
        engine.dispose()
        received = [one.to for one in self.sink.received]
        doubted = {row.address for row in rows if row.state == "in_doubt"}
        accepted = {row.address for row in rows if row.state == "accepted"}
        assert len(set(received)) == len(received)
        assert len(rows) == len(PEOPLE)
        assert accepted | doubted == set(received) | doubted == PEOPLE
        assert len(doubted) <= in_doubt
        assert sent == len(accepted)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, and beside it the database as it is before anything is sent."""
    root = write_project(tmp_path_factory.mktemp("shop"))
    engine = connect(f"sqlite:///{root / 'before.db'}")
    metadata.create_all(engine)
    with engine.begin() as db:
        for number, email in enumerate(sorted(PEOPLE)):
            add_contact(db, key=f"c{number}", email=email, consent=["news"], given_name="Ana")
    engine.dispose()
    return root


@pytest.fixture(scope="module")
def nursery(shop: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", NURSERY]
    with (
        subprocess.Popen(command, cwd=HOUSE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
        Deadly() as sink,
    ):
        database = shop / "first.db"
        shutil.copy(shop / "before.db", database)
        first = House(shop, database, sink, process, NOW)
        first.ask({})
        first.send()
        first.check(in_doubt=0)
        yield process
        assert process.stdin
        process.stdin.close()


@pytest.fixture
def house(shop: Path, tmp_path: Path, nursery: subprocess.Popen[str]) -> Iterator[House]:
    database = tmp_path / "vinculo.db"
    shutil.copy(shop / "before.db", database)
    with Deadly() as sink:
        yield House(shop, database, sink, nursery, NOW)


@pytest.mark.parametrize(
    ("phase", "number"),
    [(Phase.EHLO, 1), (Phase.MAIL, 1), (Phase.DATA, 2), (Phase.ANSWER, 1), (Phase.ANSWER, 2), (Phase.ANSWER, 3)],
)
def test_killed_at_a_phase_of_the_handover(house: House, phase: Phase, number: int) -> None:
    house.sink.moment, house.sink.left = phase, number
    assert house.send({}) == [-signal.SIGKILL]
    house.recover()
    house.check(in_doubt=BOUND)


@pytest.mark.parametrize("event", ["begin", "commit"])
def test_killed_at_each_transaction(house: House, event: str, shop: Path, tmp_path: Path) -> None:
    moments = 0
    while house.send({"event": event, "number": moments + 1}) == [-signal.SIGKILL]:
        house.recover()
        house.check(in_doubt=BOUND)
        moments += 1
        house.sink.forget()
        house.url = f"sqlite:///{shutil.copy(shop / 'before.db', tmp_path / f'{moments}.db')}"
    house.check(in_doubt=0)
    assert moments > 3


def test_killed_twice_before_anybody_comes(house: House) -> None:
    for number in (2, 1):
        house.sink.moment, house.sink.left = Phase.ANSWER, number
        house.sink.known.clear()
        assert house.send({}) == [-signal.SIGKILL]
        house.now += timedelta(minutes=10)
    house.recover()
    house.check(in_doubt=2 * BOUND)


def test_two_processes_at_once_send_each_once(house: House) -> None:
    assert house.send({}, {}) == [0, 0]
    house.check(in_doubt=0)
