"""R26, the simulated world: the product's own `run_occurrence`, several at once, in one thread and reproducible.

Each worker runs in a greenlet of its own on a real SQLite file. At every edge of a transaction and at every step of
the handover it gives way to the world, which decides by the seed who goes on, who dies, what the clock says, what
the provider answers, where the database fails, and what people do meanwhile. A worker that dies writes nothing more, as
after kill -9. Transactions are the product's own; the world stands below them, in the driver (driver.py).

The world sees every durable mark as it is made, and so checks at once, beside the oracle's O1–O6 at the end:

    mark     nothing reaches the provider that was not marked before, durably (rule a)
    asked    no mark is made after the contact left, or while the campaign is paused or cancelled (rule c)
    flight   no worker has more rows marked than its connector may hold, and half as many more (O3)
    late     nobody hands over what he holds no more, by his own clock
    lease    nobody takes over what another holds before its lease is over
    database it fails only where the world lets it
    doubt    in doubt is only what was lost: its answer was, or whoever had it in hand when its lease was over
    waiting  when all is well again, nothing waits for ever
"""

from __future__ import annotations

import random
import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from unittest.mock import patch

import sqlalchemy as sa
from greenlet import getcurrent, greenlet

from tests.torture.stage import BULK, Died, Ground, Simulated
from vinculo import consent, feedback, ledger, run
from vinculo.connector import (
    BadAddress,
    InDoubt,
    Outcome,
    Receipt,
    Rejected,
    Temporary,
    Unavailable,
)
from vinculo.db.tables import micros
from vinculo.errors import VinculoError
from vinculo.model import DeliveryState, Event, EventKind, Message
from vinculo.testing import oracle
from vinculo.testing.oracle import Taken, Violation
from vinculo.testing.store import SIGNER, occurrence

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
        self.left: dict[str, int] = {}  # address → when its contact left
        self.stopped: int | None = None  # since when the campaign is paused or cancelled
        self.ground.world = self
        self.eye = sqlite3.connect(self.ground.renew(), isolation_level=None)
        self.operator = Simulated(self, self.ground.engines[-1], timedelta())
        self.occurrence = occurrence(self.ground.project.campaigns[CAMPAIGN], self.start)
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
            self._make_peace()
        with self.operator.begin() as db:
            ledger.finish(db, CAMPAIGN, self.occurrence.key, self.now)
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
        return bool(self._count(*DeliveryState)) and not self._count("planned", "deferred", "claimed", "submitting")

    def _hire(self) -> None:
        free = [engine for engine in self.ground.engines[:-1] if engine not in [one.rt.engine for one in self.workers]]
        skew = timedelta(seconds=self.chance.choice([0, 0, 0, 1, -1, 120, -120, 3600]))
        rt = Simulated(self, free[0], timedelta() if self.calm else skew)
        self.done["workers"] += 1
        name = f"worker-{self.done['workers']}"
        self.workers.append(Worker(name, greenlet(lambda: self._live(rt, name)), rt))

    def _live(self, rt: Simulated, name: str) -> None:
        try:
            if not self._count(*DeliveryState) or self.happens(0.1):
                run.begin(rt, self.ground.project.campaigns[CAMPAIGN], self.occurrence)
            run.drain(rt, worker=name)
            run.finish(rt, CAMPAIGN, self.occurrence.key)
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
        self._resume()
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
            (self._pass_time, 8), (self._jump, 1), (self._pause, 2), (self._resume, 3), (self._cancel, 1),
            (self._leave, 3), (self._suppress, 2), (self._tell, 4), (self._kill, 2 if self.deadly else 0),
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
            victim = self.chance.choice(self.workers)
            victim.doomed = True
            if victim.life:
                victim.life.throw(Died)
            self._bury(victim)

    def _pause(self) -> None:
        with self.operator.begin() as db:
            ledger.pause(db, CAMPAIGN, self.now)
        self.stopped = self.time if self.stopped is None else self.stopped

    def _resume(self) -> None:
        with self.operator.begin() as db:
            ledger.resume(db, CAMPAIGN, self.now)
        self.stopped = None

    def _cancel(self) -> None:
        if self.happens(0.3):
            with self.operator.begin() as db:
                ledger.cancel(db, CAMPAIGN, self.now)
            self.stopped = self.time if self.stopped is None else self.stopped

    def _somebody(self) -> tuple[int, str]:
        rows = self.eye.execute("SELECT contact_id, value FROM address ORDER BY contact_id").fetchall()
        contact_id, value = self.chance.choice(rows)
        self.left.setdefault(value, self.time)
        return contact_id, value

    def _leave(self) -> None:
        contact_id, _ = self._somebody()
        with self.operator.begin() as db:
            consent.withdraw(db, contact_id, "email", "news", self.now, source="web")

    def _suppress(self) -> None:
        _, value = self._somebody()
        with self.operator.begin() as db:
            consent.suppress(db, "email", SIGNER.hash("address", "email", value), "manual", "test", self.now)

    def _tell(self) -> None:
        """The provider reports a message that it has: late, early, or twice."""
        if self.taken:
            one = self.chance.choice(self.taken)
            kind = self.chance.choice([EventKind.DELIVERED, EventKind.OPENED])
            event = Event(kind, "test", f"{kind}-{one.delivery}", self.now, "email", delivery=one.delivery, raw=b"{}")
            with self.operator.begin() as db:
                feedback.receive(db, event, signer=SIGNER, now=self.now)

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
        if self.left.get(to, self.time) < self.time:
            self._violated("asked", f"delivery {number} was marked after {to} had left")
        if self.stopped is not None and self.stopped < self.time:
            self._violated("asked", f"delivery {number} was marked while the campaign stood still")

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
