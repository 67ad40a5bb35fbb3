"""What a batch does when its time is over, and when an answer cannot be written down as it comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.unit.run.conftest import SECRET, Clock
from vinculo import ledger, project, run
from vinculo.connector import Capabilities, Connector, InDoubt, Outcome, Receipt
from vinculo.db import instance
from vinculo.db.tables import delivery, note
from vinculo.ledger import Settlement
from vinculo.model import Message
from vinculo.project.schema import QuietHours
from vinculo.run import answers
from vinculo.run.batch import Batch
from vinculo.run.lease import Lease
from vinculo.run.shift import Shift
from vinculo.runtime import Runtime
from vinculo.traffic import Gate


class Four(Connector):
    """Takes four at a time, and answers for each a while later."""

    channels = frozenset({"email"})
    can = Capabilities(bulk=4)

    def __init__(self, wait: Callable[[], None]) -> None:
        self.taken: list[str] = []
        self.wait = wait

    def send(self, message: Message) -> Receipt:
        raise AssertionError(message)

    def send_many(self, messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
        source = iter(messages)
        while first := next(source, None):
            held = [first, *(one for _ in range(3) if (one := next(source, None)))]
            self.taken += [one.to for one in held]
            for one in held:
                self.wait()
                yield one.key, Receipt()


def _begin(rt: Runtime) -> None:
    campaign = rt.project.campaigns["weekly"]
    occurrence = run.standing_for(rt, campaign, rt.now())
    assert occurrence
    run.begin(rt, campaign, occurrence)


def _in(rt: Runtime, state: str) -> set[str]:
    with rt.read() as db:
        return set(db.scalars(sa.select(delivery.c.address).where(delivery.c.state == state)))


@pytest.fixture
def four(rt: Runtime, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Four:
    connector = Four(lambda: clock.forward(seconds=rt.project.settings.limits.lease / 2.5))
    monkeypatch.setattr(rt, "connector", lambda _: connector)
    _begin(rt)
    return connector


def _lose_the_database(rt: Runtime, four: Four) -> None:
    """It fails from the moment at which eight were taken; the run ends by it."""

    def fail(_: sa.Connection) -> None:
        if len(four.taken) >= 8:
            raise sa.exc.OperationalError("COMMIT", {}, OSError("database or disk is full"))

    sa.event.listen(rt.engine, "commit", fail)
    with pytest.raises(sa.exc.OperationalError):
        run.drain(rt, worker="w")
    sa.event.remove(rt.engine, "commit", fail)


def test_what_was_marked_is_not_handed_over_when_others_may_have_it(rt: Runtime, four: Four, clock: Clock) -> None:
    length = timedelta(seconds=rt.project.settings.limits.lease)
    with rt.begin() as db:
        claims = ledger.claim(db, "w", 20, rt.now(), length)
    batch = Batch(rt, four, claims, Lease(rt, claims, rt.now()), Gate(rt.project))
    messages = batch.messages(lambda: False)
    first = next(messages)
    clock.forward(seconds=2 * length.total_seconds())
    with rt.begin() as db:
        assert ledger.recover(db, clock()).in_doubt == 2
    assert list(messages) == []
    batch.answer(first.key, Receipt())
    assert batch.close() == {"accepted": 1, "unavailable": 1}
    assert (_in(rt, "accepted"), len(_in(rt, "planned"))) == ({first.to}, 19)


class Steady(Connector):
    """Keeps four messages out, and takes another for each answer; notes how many were out when each was taken."""

    channels = frozenset({"email"})
    can = Capabilities(bulk=4)

    def __init__(self) -> None:
        self.out: list[int] = []

    def send(self, message: Message) -> Receipt:
        raise AssertionError(message)

    def send_many(self, messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
        source, held = iter(messages), deque[Message]()
        while True:
            while len(held) < 4 and (message := next(source, None)):
                self.out.append(len(held))
                held.append(message)
            if not held:
                return
            yield held.popleft().key, Receipt()


def test_on_whom_a_worker_may_have_died_goes_alone(rt: Runtime, four: Four) -> None:
    """Should it kill this one too, nobody else is found beside it."""
    length = timedelta(seconds=rt.project.settings.limits.lease)
    with rt.begin() as db:
        claims = ledger.claim(db, "w", 8, rt.now(), length)
    claims = [claim._replace(crashes=int(number in {1, 3})) for number, claim in enumerate(claims)]
    batch = Batch(rt, four, claims, Lease(rt, claims, rt.now()), Gate(rt.project))
    marked = [len(_in(rt, "submitting")) for _ in batch.messages(lambda: False)]
    assert marked == [1, 2, 3, 4, 6, 6, 8, 8]


def test_a_lease_is_over_when_the_ledger_says_so_however_long_the_claim_took_to_commit(
    rt: Runtime, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _begin(rt)
    length = timedelta(seconds=rt.project.settings.limits.lease)
    held, once = list[bool](), iter([0.8 * length])

    def hang(db: sa.Connection) -> None:
        if db.scalar(sa.select(sa.func.count()).where(delivery.c.state == "claimed")) == 20:
            clock.now += next(once, timedelta())

    class Slow(Steady):
        def send_many(self, messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
            for message in messages:
                with rt.read() as db:
                    until = sa.select(delivery.c.lease_until).where(delivery.c.address == message.to)
                    held.append(db.scalar(until) > clock())
                clock.now += 0.3 * length
                yield message.key, Receipt()

    monkeypatch.setattr(rt, "connector", lambda _: Slow())
    sa.event.listen(rt.engine, "commit", hang)
    run.drain(rt, worker="w", stop=lambda: len(held) == 4)
    sa.event.remove(rt.engine, "commit", hang)
    assert held == [True] * 4


def test_a_lease_that_is_over_is_not_prolonged_and_what_is_ours_anew_is_held(rt: Runtime, clock: Clock) -> None:
    _begin(rt)
    length = timedelta(seconds=rt.project.settings.limits.lease)
    with rt.begin() as db:
        claims = ledger.claim(db, "w", 20, rt.now(), length)
    lease = Lease(rt, claims, rt.now())
    end = clock.now + length
    clock.now = end
    with rt.begin() as db:
        assert lease.keep(db) == end
        ledger.recover(db, clock())
        anew = ledger.claim(db, "w", 20, clock(), length)
    assert {claim.id for claim in anew} == {claim.id for claim in claims}
    lease.add(anew, clock())
    lease.settled(claims)
    assert sorted(lease.claims.values()) == sorted(anew)
    lease.settled(anew)
    assert not lease.claims


@pytest.mark.parametrize(("idempotent", "state"), [(True, "planned"), (False, "in_doubt")])
def test_what_is_in_doubt_is_sent_again_by_a_provider_that_knows_our_key(
    rt: Runtime, monkeypatch: pytest.MonkeyPatch, idempotent: bool, state: str
) -> None:
    class Silent(Steady):
        can = Capabilities(bulk=4, idempotent=idempotent)

        def send_many(self, messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
            for message in messages:
                yield message.key, InDoubt("no answer")

    monkeypatch.setattr(rt, "connector", lambda _: Silent())
    _begin(rt)
    with pytest.raises(run.ProviderDown):
        run.drain(rt, worker="w")
    assert len(_in(rt, state)) == (20 if idempotent else 10)


@pytest.mark.parametrize(("idempotent", "state"), [(True, "planned"), (False, "in_doubt")])
def test_so_is_what_was_kept_in_a_file_meanwhile(rt: Runtime, idempotent: bool, state: str) -> None:
    _begin(rt)
    with rt.begin() as db:
        claims = ledger.claim(db, "w", 2, rt.now(), timedelta(minutes=5))
        ledger.submit(db, claims, rt.now())
    rt.idempotent_channels = frozenset({"email"} if idempotent else ())
    kept = answers.Answers(answers.folder(rt), "")
    kept.keep([Settlement(claims[0], Receipt())])
    kept.keep([Settlement(claims[0], Receipt()), Settlement(claims[1], InDoubt("no answer"))])
    kept.leave()
    [file] = answers.folder(rt).glob("*.jsonl")
    assert len([line for line in file.read_text().splitlines() if line]) == 2  # each once
    assert answers.replay(rt) == 2
    assert _in(rt, "accepted") == {claims[0].address}
    assert claims[1].address in _in(rt, state)


def test_the_next_claim_is_taken_while_answers_are_out(
    rt: Runtime, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"VINCULO__SECRET_KEY": SECRET, "VINCULO__LIMITS__BATCH": "6"}
    rt = Runtime(project.load(rt.project.root, environ), rt.engine, clock)
    connector = Steady()
    monkeypatch.setattr(rt, "connector", lambda _: connector)
    _begin(rt)
    assert run.drain(rt, worker="w") == {"accepted": 20}
    assert connector.out == [0, 1, 2] + 17 * [3]


class Waiting(Steady):
    """Has the next messages made ready while it waits; notes how many are marked when nothing is left to make ready."""

    def __init__(self, rt: Runtime, wait: Callable[[], None]) -> None:
        super().__init__()
        self.rt, self.wait = rt, wait
        self.ready: list[int] = []
        self.marked: list[int] = []

    def send_many(self, messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
        for key, outcome in super().send_many(messages):
            self.ready.append(0)
            while messages.prepare():  # type: ignore[attr-defined]
                self.ready[-1] += 1
            self.wait()
            self.marked.append(len(_in(self.rt, "submitting")))
            yield key, outcome


@pytest.fixture
def patient(rt: Runtime, monkeypatch: pytest.MonkeyPatch) -> Waiting:
    connector = Waiting(rt, lambda: None)
    monkeypatch.setattr(rt, "connector", lambda _: connector)
    _begin(rt)
    return connector


def test_who_waits_has_the_next_group_rendered_and_no_more_marked_than_before(rt: Runtime, patient: Waiting) -> None:
    assert run.drain(rt, worker="w") == {"accepted": 20}
    assert patient.out == [0, 1, 2] + 17 * [3]
    assert sum(patient.ready) == 16  # all but the two groups with which it began to wait
    assert max(patient.ready) == 2
    assert max(patient.marked) <= 4 + 4 // 2


def test_what_was_made_ready_does_not_leave_in_hours_that_became_quiet(
    rt: Runtime, patient: Waiting, clock: Clock
) -> None:
    """It is noon UTC, nine in São Paulo."""
    rt.project.policy.quiet_hours.append(quiet := QuietHours.model_validate({"from": "09:01", "to": "10:00"}))
    patient.wait = lambda: clock.forward(seconds=20)
    try:
        run.drain(rt, worker="w")
    finally:
        rt.project.policy.quiet_hours.remove(quiet)
    assert (len(_in(rt, "accepted")), len(_in(rt, "planned"))) == (6, 14)


def test_what_is_claimed_anew_while_its_answer_is_out_waits_for_it(rt: Runtime, clock: Clock) -> None:
    _begin(rt)
    length = timedelta(seconds=rt.project.settings.limits.lease)
    shift = Shift(rt, "w", "", "", lambda: False)
    lease = Lease(rt, shift.claim() or [], rt.now())
    with rt.begin() as db:  # one whose clock is ahead
        ledger.recover(db, clock() + 2 * length)
    assert shift._more("email", lease) == ()
    assert {claim.fence for claim in lease.claims.values()} == {2}
    assert [len(claims) for claims in shift._hand.values()] == [20]


def test_nothing_more_is_handed_over_while_an_answer_cannot_be_written_down(
    rt: Runtime, four: Four, clock: Clock
) -> None:
    """Not even what is marked: it goes back."""
    length = timedelta(seconds=rt.project.settings.limits.lease)
    with rt.begin() as db:
        claims = ledger.claim(db, "w", 2, rt.now(), length)
    batch = Batch(rt, four, claims, Lease(rt, claims, rt.now()), Gate(rt.project))
    messages = batch.messages(lambda: False)
    first = next(messages)

    def fail(_: sa.Connection) -> None:
        raise sa.exc.OperationalError("COMMIT", {}, OSError("database or disk is full"))

    sa.event.listen(rt.engine, "commit", fail)
    clock.now += length / 2
    batch.answer(first.key, Receipt())
    sa.event.remove(rt.engine, "commit", fail)
    assert list(messages) == []
    assert list(answers.folder(rt).glob("*.jsonl"))
    assert batch.close() == {"accepted": 1, "unavailable": 1}
    assert not list(answers.folder(rt).glob("*.jsonl"))  # the database has them


def test_an_answer_that_cannot_be_written_down_keeps_no_other_from_being_heard(
    rt: Runtime, four: Four, clock: Clock
) -> None:
    _lose_the_database(rt, four)
    assert len(four.taken) == 8
    clock.forward(hours=1)
    assert answers.replay(rt)
    assert _in(rt, "accepted") == set(four.taken)


def test_answers_are_not_taken_for_another_databases(rt: Runtime, four: Four) -> None:
    _lose_the_database(rt, four)
    with rt.begin() as db:  # as if it had been thrown away, and planned anew
        db.execute(sa.delete(note))
        db.execute(sa.update(delivery).values(state="planned", fence=0, lease_until=None))
        instance.enter(db, instance.noted_in(rt.project.root))
        assert len(ledger.claim(db, "w", 20, rt.now(), timedelta(minutes=5))) == 20
    assert answers.replay(rt) == 0
    assert _in(rt, "accepted") == set()


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_who_cancels_and_who_sends_never_wait_in_a_circle(rt: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """One commit settles what was answered and marks what comes next, which may have the lower numbers."""
    _begin(rt)
    with rt.begin() as db:
        d = delivery.c
        # In the contrary order, as where a contact that came later lives further east.
        for row in db.execute(sa.select(d.id, d.due_at)).all():
            db.execute(sa.update(delivery).where(d.id == row.id).values(due_at=row.due_at - timedelta(seconds=row.id)))
    submit, cancelled = ledger.submit, list[Future[int]]()

    def cancel() -> int:
        with rt.begin() as db:
            return ledger.cancel(db, "weekly", rt.now())

    def submit_late(db: sa.Connection, claims: Collection[ledger.Claim], now: datetime) -> set[int]:
        calls.append(len(claims))
        if len(calls) == 3:
            cancelled.append(pool.submit(cancel))
            with rt.begin() as eye:
                while not eye.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                    pass
        return submit(db, claims, now)

    calls: list[int] = []
    monkeypatch.setattr(ledger, "submit", submit_late)
    with ThreadPoolExecutor(1) as pool:
        told = run.drain(rt, worker="w")
        assert cancelled[0].result() + told["accepted"] == 20
