"""Many processes on PostgreSQL are one sender: killed, stopped, started again, with the ledger of one process on SQLite."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import NOW
from vinculo import ledger, project, run
from vinculo.db import connect
from vinculo.db.tables import delivery
from vinculo.demo import company
from vinculo.mail.verdict import Phase
from vinculo.runtime import Runtime
from vinculo.testing.smtp import SmtpSink, _Session

ROOT = Path(__file__).parents[2]
#: Late enough for every second try, and for the shares of the dead.
PASSES = [NOW + timedelta(hours=hours) for hours in (1, 4, 30)]
CAMPAIGN = {
    "name": "machines", "kind": "newsletter", "template": "weekly-news", "segment": "active", "topic": "news",
    "channels": ["email"], "holdout": 20,
}  # fmt: skip

#: Reads lists of jobs and does those of a list at once, each in a process of its own; says their numbers, then how they
#: ended. A job delivers at each of its times. `die`: kill -9 when rows are claimed and none is on its way.
NURSERY = """
import json, os, signal, sys
from datetime import datetime
from pathlib import Path
import sqlalchemy as sa
import connectors.smtp
from flows.workers import until_asked
from vinculo import project, run
from vinculo.db import connect
from vinculo.runtime import Runtime

MINE = sa.text("SELECT state, count(*) FROM delivery WHERE worker = :worker GROUP BY state")

known = {}

def loaded(job):
    key = json.dumps(job["environ"])
    if key not in known:
        known[key] = project.load(Path(job["root"]), job["environ"])
    return known[key]

def work(job):
    engine = connect(job["database"], durability="process")
    worker = f"{job['worker']}/{os.getpid()}"
    def none_is_on_its_way():
        with engine.connect() as db:
            mine = dict(db.execute(MINE, {"worker": worker}).all())
        return mine.get("claimed") and not mine.get("submitting")
    with until_asked() as asked:
        def stop():
            if job.get("die") and none_is_on_its_way():
                os.kill(os.getpid(), signal.SIGKILL)
            return asked()
        rt = Runtime(loaded(job), engine, lambda: now)
        for now in map(datetime.fromisoformat, job["times"]):
            run.drain(rt, worker=worker, stop=stop)

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

for line in sys.stdin:
    jobs = json.loads(line)
    loaded(jobs[0])
    numbers = [child(job) for job in jobs]
    print(json.dumps(numbers), flush=True)
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) for number in numbers]), flush=True)
"""


class Judge(SmtpSink):
    """Refuses a tenth of the addresses, lets a tenth come twice, by their letters alone; tells of every answer."""

    def __init__(self) -> None:
        super().__init__()
        self.greylisted: set[str] = set()
        self.on_answer: Callable[[int], None] = lambda _: None

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(self._session, "127.0.0.1", self.port)

    def _session(self) -> _Session:
        session = _Session(self, self._loop)
        take = session._smtp_methods["RCPT"]

        async def rcpt(argument: str) -> None:
            reply = self.judge(argument.partition("<")[2].partition(">")[0])
            await (session.push(reply) if reply else take(argument))

        session._smtp_methods["RCPT"] = rcpt
        return session

    def judge(self, address: str) -> str:
        lot = zlib.crc32(address.encode()) % 10
        if lot == 0:
            return "550 5.1.1 no such mailbox"
        if lot == 1 and address not in self.greylisted:
            self.greylisted.add(address)
            return "450 4.2.0 greylisted, try again later"
        return ""

    def next_fault(self, phase: Phase) -> str | None:
        if phase is Phase.ANSWER:
            self.on_answer(len(self.received))
        return super().next_fault(phase)


class House:
    """The seeded company on a database, its mail server, and processes that deliver."""

    def __init__(self, url: str, sink: Judge, nursery: subprocess.Popen[str]) -> None:
        self.url, self.sink, self.nursery = url, sink, nursery
        self.environ = {
            "VINCULO__SMTP__URL": sink.url, "VINCULO__SECRET_KEY": "of these tests alone", "VINCULO__LIMITS__BATCH": "10",
            "VINCULO__DATABASE__URL": url,
        }  # fmt: skip
        with self.runtime() as rt:
            with rt.begin() as db:
                company.lay(db, signer=rt.signer, seed=11, contacts=260, now=NOW)
            run.start(rt, CAMPAIGN, NOW, adhoc=True)

    def runtime(self) -> Runtime:
        return Runtime(project.load(ROOT, self.environ), connect(self.url, durability="process"), lambda: NOW)

    def start(self, *jobs: dict[str, Any], times: Sequence[datetime] = (NOW,)) -> list[int]:
        """Start a process for each job; return their numbers."""
        when = [time.isoformat() for time in times]
        common = {"root": str(ROOT), "database": self.url, "environ": self.environ, "times": when}
        assert self.nursery.stdin
        self.nursery.stdin.write(json.dumps([common | job for job in jobs]) + "\n")
        self.nursery.stdin.flush()
        return self._answer()

    def ended(self) -> list[int]:
        """How each ended."""
        return self._answer()

    def _answer(self) -> list[int]:
        assert self.nursery.stdout
        return list(json.loads(self.nursery.stdout.readline()))

    def passes(self) -> None:
        """What the `deliver` deployment does later."""
        self.start({"worker": "later"}, times=PASSES)
        assert self.ended() == [0]

    def export(self) -> bytes:
        """The whole ledger of the campaign."""
        with self.runtime() as rt, rt.read() as db:
            return json.dumps(ledger.export(db, "machines"), indent=0).encode()

    def states(self) -> Counter[str]:
        with self.runtime() as rt, rt.read() as db:
            return Counter(db.scalars(sa.select(delivery.c.state)))


@pytest.fixture(scope="module")
def nursery() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", NURSERY]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VINCULO__")}
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin
        process.stdin.close()


@pytest.fixture
def sink() -> Iterator[Judge]:
    with Judge() as sink:
        yield sink


def _url(engine: sa.Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture
def many(postgres_engine: sa.Engine, sink: Judge, nursery: subprocess.Popen[str]) -> House:
    return House(_url(postgres_engine), sink, nursery)


@pytest.fixture
def one(sqlite_engine: sa.Engine, nursery: subprocess.Popen[str]) -> Iterator[House]:
    with Judge() as sink:
        yield House(_url(sqlite_engine), sink, nursery)


def test_three_processes_one_killed_leave_the_ledger_of_one_process_byte_for_byte(many: House, one: House) -> None:
    many.start({"worker": "a", "die": True}, {"worker": "b"}, {"worker": "c"})
    assert many.ended() == [-signal.SIGKILL, 0, 0]
    assert many.states()["claimed"] == 10
    many.start({"worker": "a"})
    assert many.ended() == [0]
    many.passes()
    one.start({"worker": "alone"})
    assert one.ended() == [0]
    one.passes()
    assert set(one.states()) == {"accepted", "rejected", "skipped"}
    assert one.states()["accepted"] > 60
    assert many.export() == one.export()
    for house in (many, one):
        received = [mail.to for mail in house.sink.received]
        assert len(received) == len(set(received)) == house.states()["accepted"]


def test_a_process_killed_in_mid_send_is_taken_over_and_nobody_is_written_to_twice(many: House) -> None:
    victims: list[int] = []

    def kill(number: int) -> None:
        if number == 25 and victims:
            os.kill(victims.pop(), signal.SIGKILL)

    many.sink.on_answer = kill
    victims.extend(many.start({"worker": "a"}, {"worker": "b"}, {"worker": "c"})[:1])
    assert many.ended() == [-signal.SIGKILL, 0, 0]
    many.passes()
    states, received = many.states(), Counter(mail.to for mail in many.sink.received)
    assert max(received.values()) == 1
    assert set(states) <= {"accepted", "rejected", "skipped", "in_doubt"}
    with many.runtime() as rt, rt.connector("email") as email, rt.read() as db:
        doubted = set(db.scalars(sa.select(delivery.c.address).where(delivery.c.state == "in_doubt")))
        accepted = set(db.scalars(sa.select(delivery.c.address).where(delivery.c.state == "accepted")))
        assert len(doubted) <= email.can.bulk + email.can.bulk // 2
    assert accepted <= received.keys() <= accepted | doubted


def test_a_process_that_is_asked_to_stop_gives_back_what_it_has_not_sent(many: House) -> None:
    """As when its container is stopped: it has ten seconds."""
    asked: list[int] = []

    def ask(number: int) -> None:
        if number == 25 and asked:
            os.kill(asked.pop(), signal.SIGTERM)

    many.sink.on_answer = ask
    asked.extend(many.start({"worker": "a"}))
    assert many.ended() == [0]
    states = many.states()
    assert not {"claimed", "submitting", "in_doubt"} & set(states)
    assert len(many.sink.received) == states["accepted"] < 60
    assert states["planned"] > 20
