"""R26, the simulated world: the product's own `run_occurrence`, several at once, in one thread and reproducible.

Each worker runs in a greenlet of its own on a real SQLite file. At every edge of a transaction and at every step of
the handover it gives way to the world, which decides by the seed who goes on, who dies, what the clock says, what
the provider answers, where the database fails, and what people do meanwhile. A worker that dies writes nothing more, as
after kill -9. Transactions are the product's own; the world stands below them, in the driver (driver.py).

The world sees every durable mark as it is made, and so checks at once, beside the oracle's O1–O6 at the end:

    mark     nothing reaches the provider that was not marked before, durably (rule a)
    asked    no mark is made after the contact left, or while the campaign is paused or cancelled (rule c)
    twice    no mark is made for who has got the campaign's message of that day, under whatever hour or as whoever
    flight   no worker has more rows marked than its connector may hold, and half as many more (O3)
    late     nobody hands over what he holds no more, by his own clock
    lease    nobody takes over what another holds before its lease is over
    database it fails only where the world lets it
    doubt    in doubt is only what was lost: its answer was, or whoever had it in hand when its lease was over
    waiting  when all is well again, nothing waits for ever
    copy     a backup that is put back, and knows less than was sent, sends nothing
"""

from __future__ import annotations

import json
import random
import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from unittest.mock import patch

import sqlalchemy as sa
from greenlet import getcurrent, greenlet

from tests.torture.meanwhile import Meanwhile
from tests.torture.stage import BULK, Died, Ground, Simulated
from vinculo import run
from vinculo.connector import (
    BadAddress,
    InDoubt,
    Outcome,
    Receipt,
    Rejected,
    Temporary,
    Unavailable,
)
from vinculo.db import instance
from vinculo.db.tables import micros
from vinculo.errors import VinculoError
from vinculo.model import DeliveryState, Message
from vinculo.testing import oracle
from vinculo.testing.oracle import Taken, Violation
from vinculo.testing.store import SIGNER

#: So many rows one worker may have marked.
FLIGHT = BULK + BULK // 2
CAMPAIGN = "weekly"


@dataclass(eq=False)
class Worker:
    """One life of one worker."""

    name: str
    life: greenlet
    rt: Simulated
    doomed: bool = False


class Hold(NamedTuple):
    """A row that is being handed over, by whom, and until when by the ledger."""

    fence: int
    worker: str
    until: int | None
    crashes: int


class Backup(NamedTuple):
    """The database as it was, and how many rounds of sending it knew of."""

    file: bytes
    epoch: int


@dataclass
class World:
    """One seed's story, from the first worker to the judgement."""

    ground: Ground
    seed: int
    start: datetime
    people: int
    now: datetime = field(init=False)
    done: Counter[str] = field(default_factory=Counter)
    found: list[Violation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.now, self.calm = self.start, False
        self.idempotent = self.happens(0.2)
        self.deadly, self.faulty = self.chance.choice([0.0, 0.01, 0.04]), self.chance.choice([0.0, 0.1, 0.4])
        self.broken = self.chance.choice([0.0, 0.002, 0.02])
        self.taken: list[Taken] = []
        self.workers: list[Worker] = []
        self.time = 0
        self.marks: dict[int, tuple[int, int]] = {}  # delivery → its fence, and when it was marked
        self.hands: dict[int, Hold] = {}  # deliveries that are being handed over
        self.until: dict[int, int] = {}  # delivery → until when it was held when it was last being handed over
        self.answered: set[tuple[int, int]] = set()  # delivery and fence of what the provider has answered
        self.lost: set[int] = set()  # deliveries that may be in doubt
        self.meanwhile = Meanwhile(self, self.ground.project.campaigns[CAMPAIGN])
        self.restores = self.happens(0.1)  # whether the story ends with a backup that is put back
        self.backup: Backup | None = None
        self.ground.world = self
        self.eye = sqlite3.connect(self.ground.renew(), isolation_level=None)
        self.operator = Simulated(self, self.ground.engines[-1], timedelta())
        self.scheduler = getcurrent()

    # ── what decides ─────────────────────────────────────────────────────────────────────────────────────────────
    def happens(self, probability: float) -> bool:
        return self.chance.random() < probability and not self.calm

    def step(self) -> None:
        """A worker gives way here; the world may let it die instead of going on."""
        me = self._me()
        if me is None:
            return
        if not me.doomed:
            self.mortal()
            self.scheduler.switch()
        if me.doomed:
            raise Died

    def mortal(self) -> None:
        """A worker may die here."""
        me = self._me()
        if me is not None and not me.doomed and self.happens(self.deadly):
            self.done["kills"] += 1
            me.doomed = True
        if me is not None and me.doomed:
            raise Died

    def breaks(self) -> bool:
        """A worker's database may fail here."""
        if self._me() is None or not self.happens(self.broken):
            return False
        self.done["faults"] += 1
        return True

    def surprised(self, error: Exception) -> None:
        """Nobody who gives way holds a lock: no statement of the product's has a reason to fail."""
        self._violated("database", str(error))

    def _number(self) -> uuid.UUID:
        """What the product draws by lot comes from the seed too."""
        return uuid.UUID(int=self.chance.getrandbits(128))

    def _me(self) -> Worker | None:
        here = getcurrent()
        return next((worker for worker in self.workers if worker.life is here), None)

    # ── the story ────────────────────────────────────────────────────────────────────────────────────────────────
    def run(self) -> list[Violation]:
        """Chaos, then peace, then the judgement."""
        with patch("uuid.uuid4", self._number):
            self._rage()
            if self.backup and self.backup.epoch < self._noted():
                self._put_back(self.backup)
            else:
                self._make_peace()
                run.conclude_open(self.operator)
                self.found += self._judge()
        self.operator.close()
        self.eye.close()
        return self.found

    def _rage(self) -> None:
        for _ in range(self.chance.randrange(40, 160)):
            self.time += 1
            if len(self.workers) < 3 and self.happens(0.1 if self.workers else 0.4) and not self._settled():
                self._hire()
            if self.workers:
                self._let_go_on(self.chance.choice(self.workers))
            if self.happens(0.12):
                self._interfere()

    def _settled(self) -> bool:
        """Whether everything was planned, and nothing of it waits or is in anybody's hands."""
        return self.planned() and not self._count("planned", "deferred", "claimed", "submitting")

    def planned(self) -> bool:
        """Whether anything was planned."""
        return bool(self._count(*DeliveryState))

    def _hire(self) -> None:
        free = [engine for engine in self.ground.engines[:-1] if engine not in [one.rt.engine for one in self.workers]]
        skew = timedelta(seconds=self.chance.choice([0, 0, 0, 1, -1, 120, -120, 3600]))
        rt = Simulated(self, free[0], timedelta() if self.calm else skew)
        self.done["workers"] += 1
        name, known = f"worker-{self.done['workers']}", self.meanwhile.campaign.model_dump(mode="json", by_alias=True)
        self.workers.append(Worker(name, greenlet(lambda: self._live(rt, name, known)), rt))

    def _live(self, rt: Simulated, name: str, known: dict[str, Any]) -> None:
        """*known*: the campaign as the calendar had it when it was hired."""
        try:
            if not self.planned() or self.happens(0.1):
                run.start(rt, known, self.start)
            run.drain(rt, worker=name)
            run.conclude_open(rt)
        except (Died, VinculoError, sa.exc.DBAPIError):
            pass

    def _let_go_on(self, worker: Worker) -> None:
        worker.life.switch()
        self._look(worker)
        if worker.life.dead:
            self._bury(worker)

    def _bury(self, worker: Worker) -> None:
        """Its connections end with it, and what they had begun is taken back."""
        worker.rt.close()
        self.workers.remove(worker)

    def _make_peace(self) -> None:
        """Everybody ends his work, time passes, and a healthy worker comes by until nothing waits any more."""
        self.calm = True
        self.meanwhile.resume()
        for patience in range(12):
            while self.workers:
                self.time += 1
                self._let_go_on(self.workers[0])
            if self._settled():
                return
            self.now += timedelta(minutes=50) * 1.5**patience  # in all longer than any jump of the clock
            self._hire()

    # ── what people and clocks do ────────────────────────────────────────────────────────────────────────────────
    def _interfere(self) -> None:
        acts: list[tuple[Callable[[], None], int]] = [
            (self._pass_time, 8), (self._jump, 1), (self._kill, 2 if self.deadly else 0),
            (self._back_up, 2 if self.restores else 0), *self.meanwhile.acts(),
        ]  # fmt: skip
        [act] = self.chance.choices([act for act, _ in acts], [weight for _, weight in acts])
        self.done["faults"] += 1
        act()

    def _pass_time(self) -> None:
        self.now += timedelta(seconds=self.chance.choice([1, 20, 100, 400, 1500]))

    def _jump(self) -> None:
        self.now += timedelta(seconds=self.chance.choice([3600, -3600, 86_400, -86_400, -30]))

    def _kill(self) -> None:
        """A worker that does not go on any more: it dies where it stands."""
        if self.workers:
            self.done["kills"] += 1
            self._end(self.chance.choice(self.workers))

    def _end(self, victim: Worker) -> None:
        victim.doomed = True
        if victim.life:
            victim.life.throw(Died)
        self._bury(victim)

    def _back_up(self) -> None:
        self.backup = Backup(self.eye.serialize(), self._epoch())

    def _epoch(self) -> int:
        """How many rounds of sending the database knows of."""
        rows = self.eye.execute("SELECT value FROM note WHERE name = 'instance'").fetchall()
        return int(json.loads(rows[0][0])["epoch"]) if rows else 0

    def _noted(self) -> int:
        """As `_epoch`, by the note: who dies as a round begins, and has handed over nothing in it, has not written there."""
        file = instance.noted_in(self.ground.project.root)
        return max(json.loads(file.read_text()).values()) if file.exists() else 0

    def _put_back(self, backup: Backup) -> None:
        """All have ended; then the file is what it was, and who comes to send finds the oldest of messages waiting."""
        for worker in self.workers[:]:
            self._end(worker)
        self.operator.close()
        self.eye.close()
        self.ground.put_back(backup.file)
        self.eye = sqlite3.connect(self.ground.file, isolation_level=None)
        self.now += timedelta(days=1)
        before, self.calm = len(self.taken), True
        self._hire()
        while self.workers:
            self._let_go_on(self.workers[0])
        if len(self.taken) > before:
            self._violated("copy", f"a backup of epoch {backup.epoch} sent {len(self.taken) - before} messages")

    # ── the provider ─────────────────────────────────────────────────────────────────────────────────────────────
    def pulled(self, message: Message) -> None:
        """A message leaves the worker's hands."""
        me, number = self._me(), oracle.named(message.message_id, SIGNER)
        if me and self.until.get(number, 0) <= micros(self.now + me.rt.skew):
            self._violated("late", f"{me.name} handed delivery {number} over when its lease was over")

    def serve(self, message: Message) -> Outcome:
        """What the provider does with a message, and what the worker hears of it."""
        number = oracle.named(message.message_id, SIGNER)
        self._check_mark(number, message.to)
        self.answered.add((number, self.marks.get(number, (0, 0))[0]))
        if self.happens(self.faulty):
            return self._fail(number, message.to)
        self._take(number, message.to)
        self.mortal()
        return Receipt(provider_id=str(number))

    def _fail(self, number: int, to: str) -> Outcome:
        self.done["faults"] += 1
        dedupes = self.idempotent and any(one.delivery == number for one in self.taken)
        fault = self.chance.randrange(2 if dedupes else 7)  # who has it under its key refuses it no more
        if fault <= 1:  # the answer is lost; one time in two the message is not
            if fault:
                self._take(number, to)
            self.lost.add(number)
            return InDoubt("no answer")
        self.now += timedelta(seconds=self.chance.choice([0, 5, 60]))
        return [
            Temporary("450 greylisted"), Temporary("452 slow down", after=120.0), Rejected("554 refused"),
            BadAddress("550 no such mailbox"), Unavailable("421 closing", after=20.0),
        ][fault - 2]  # fmt: skip

    def _take(self, number: int, to: str) -> None:
        if not (self.idempotent and any(one.delivery == number for one in self.taken)):
            self.taken.append(Taken(number, to))

    # ── what the world sees ──────────────────────────────────────────────────────────────────────────────────────
    def _look(self, who: Worker) -> None:
        """Note every mark when it is made, and what *who* lost or took over since the last look."""
        rows = self.eye.execute(
            "SELECT id, fence, worker, lease_until, crashes, address FROM delivery WHERE state = 'submitting'"
        ).fetchall()
        before, self.hands = self.hands, {number: Hold(*held) for number, *held, _ in rows}
        self.until |= {number: held.until or 0 for number, held in self.hands.items()}
        for number, held in before.items():
            if number not in self.hands or self.hands[number].fence != held.fence:
                self._let_go(number, held, who)
        for number, fence, _, _, _, to in rows:
            if self.marks.get(number, (0, 0))[0] != fence:
                self.marks[number] = fence, self.time
                self._check_asked(number, to)
                self._check_twice(number)
        for worker, marked in Counter(held.worker for held in self.hands.values()).items():
            if marked > FLIGHT:
                self._violated("flight", f"{worker} has {marked} rows marked")

    def _let_go(self, number: int, held: Hold, who: Worker) -> None:
        """*who* let go of a row that *held* says was being handed over: settled, given back, or lost."""
        if (held.until or 0) <= micros(who.rt.told):
            self.lost.add(number)  # or settled, too late: by himself, or from what another left in a file
        elif held.worker != who.name and (number, held.fence) not in self.answered and self._crashed(number, held):
            self._violated("lease", f"{who.name} took delivery {number} from {held.worker} before its lease was over")

    def _crashed(self, number: int, held: Hold) -> bool:
        """Whether its worker is taken for dead. Else it had told in a file that the message never left."""
        [(crashes,)] = self.eye.execute("SELECT crashes FROM delivery WHERE id = ?", [number])
        return bool(crashes > held.crashes)

    def _check_mark(self, number: int, to: str) -> None:
        if number not in self.marks:
            self._violated("mark", f"delivery {number} to {to} left without being marked")

    def _check_asked(self, number: int, to: str) -> None:
        if self.meanwhile.left.get(to, self.time) < self.time:
            self._violated("asked", f"delivery {number} was marked after {to} had left")
        if (stopped := self.meanwhile.stopped) is not None and stopped < self.time:
            self._violated("asked", f"delivery {number} was marked while the campaign stood still")

    def _check_twice(self, number: int) -> None:
        rows = self.eye.execute("SELECT id, contact_id, substr(occurrence, 1, 10) FROM delivery").fetchall()
        whose = {row_id: (self.meanwhile.person(contact_id), day) for row_id, contact_id, day in rows}
        if had := [
            one.delivery for one in self.taken if one.delivery != number and whose[one.delivery] == whose[number]
        ]:
            self._violated("twice", f"delivery {number} was marked for who had got {had}")

    def _violated(self, rule: str, what: str) -> None:
        self.found.append(Violation(rule, what))

    def _count(self, *states: str) -> int:
        marks = ",".join("?" * len(states))
        return int(self.eye.execute(f"SELECT count(*) FROM delivery WHERE state IN ({marks})", states).fetchone()[0])

    def _judge(self) -> list[Violation]:
        with self.operator.engine.connect() as db:
            found = oracle.judge(db, self.taken, doubt=len(self.lost), people=self.people, one_clock=False)
        doubted = {number for (number,) in self.eye.execute("SELECT id FROM delivery WHERE state = 'in_doubt'")}
        if groundless := sorted(doubted - self.lost):
            found.append(Violation("doubt", f"{groundless} were never lost, and are in doubt"))
        if waiting := self._count("planned", "deferred"):
            found.append(Violation("waiting", f"{waiting} wait for ever"))
        return found
