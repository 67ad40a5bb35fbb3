"""Many workers at once, each with its own connection: every key is handed over once."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import sqlalchemy as sa

from tests.unit.ledger.conftest import Ledger
from vinculo import ledger
from vinculo.connector import BadAddress, InDoubt, Outcome, Receipt, Rejected, Temporary, Unavailable
from vinculo.db.tables import delivery
from vinculo.testing import store


def _at_once(count: int, work) -> list:
    """Run *work*(number) in *count* threads that start together; return their results."""
    gate, results, errors = threading.Barrier(count), [], []

    def body(number: int) -> None:
        gate.wait()
        try:
            results.append(work(number))
        except Exception as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=body, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    return results


def test_two_planners_at_once_make_one_row_a_contact(book) -> None:
    book.people(50)
    made = _at_once(4, lambda _: book.plan())
    assert sorted(made) == [0, 0, 0, 50]
    assert book.counts() == {("planned", ""): 50}


def test_workers_that_claim_submit_settle_and_recover_at_once_hand_over_every_key_once(book) -> None:
    book.people(120).plan()

    def work(number: int) -> list[int]:
        handed = []
        while claims := book.claim(f"w{number}", 7):
            for claim in claims:
                if book.submit([claim]):
                    handed += [claim.key.contact_id]
            book.settle(claims, Receipt("p"))
            book.recover(book.now)
        return handed

    handed = Counter(contact for share in _at_once(4, work) for contact in share)
    assert handed == Counter(book.ids)
    assert book.counts() == {("accepted", ""): 120}


def test_two_who_submit_the_same_claim_hand_it_over_once(book) -> None:
    book.people(30).plan()
    claims = book.claim()
    gone = _at_once(4, lambda _: book.submit(claims))
    assert sorted(map(len, gone)) == [0, 0, 0, 30]


OUTCOMES: list[Outcome] = [
    Receipt("p"), Temporary("450"), Rejected("554"), BadAddress("550"), Unavailable("421"), InDoubt("?"),
]  # fmt: skip


def test_every_contact_keeps_exactly_one_row_whatever_happens(book) -> None:
    """A seeded storm of answers, deaths, pauses, withdrawals: nobody is lost, nobody accepted twice."""
    dice = random.Random(7)
    book.people(40).plan()
    at, accepted = book.now, Counter()
    for step in range(60):
        at += timedelta(minutes=dice.randint(1, 40))
        with book.engine.begin() as db:
            _disturb(db, dice, book, at)
        claims = book.claim(f"w{step}", dice.randint(1, 12), at)
        gone = book.submit(claims[: dice.randint(0, 12)], at)
        answered = [claim for claim in claims if claim.id in gone and dice.random() < 0.8]
        for claim in answered:
            done = book.settle([claim], dice.choice(OUTCOMES), at)
            accepted.update(one.key.contact_id for one in done.accepted)
        assert sum(book.counts().values()) == 40
    assert all(number == 1 for number in accepted.values())
    with book.engine.begin() as db:
        ledger.resume(db, "weekly", at)
        ledger.resolve(db, [one.id for one in ledger.in_doubt(db)], "write_off", at)
    end = at + timedelta(days=4)
    book.recover(end)
    with book.engine.begin() as db:
        ledger.resolve(db, [one.id for one in ledger.in_doubt(db)], "write_off", end)
    assert book.finish(end)
    states = Counter()
    for (state, _), number in book.counts().items():
        states[state] += number
    assert sum(states.values()) == 40
    assert set(states) <= {"accepted", "rejected", "skipped", "expired"}
    assert states["accepted"] == len(accepted)


def _disturb(db: sa.Connection, dice: random.Random, book, at) -> None:
    match dice.randint(0, 5):
        case 0:
            ledger.pause(db, "weekly", at)
        case 1 | 2:
            ledger.resume(db, "weekly", at)
        case 3:
            ledger.recover(db, at)
        case 4:
            store.grant(db, dice.choice(book.ids), "email", "news", granted=False)


def test_who_sends_renews_cancels_and_recovers_at_once_never_waits_in_a_circle(book) -> None:
    """On PostgreSQL a deadlock would end one of them with an error."""
    book.people(120).plan()
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            for _ in range(6):
                claims = book.claim(f"w{number}", 30)
                with book.engine.begin() as db:
                    ledger.renew(db, claims[::-1], book.now, book.lease)
                    gone = ledger.submit(db, claims[: len(claims) // 2][::-1], book.now)
                book.settle([one for one in claims[::-1] if one.id in gone], Temporary("later"))
                with book.engine.begin() as db:
                    ledger.release(db, claims[::-1], book.now)
        except Exception as error:  # noqa: BLE001 - asserted below
            errors.append(error)

    def trouble() -> None:
        try:
            for number in range(8):
                book.recover(book.now + timedelta(minutes=number))
                with book.engine.begin() as db:
                    ledger.pause(db, book.campaign.name, book.now)
                    ledger.resume(db, book.campaign.name, book.now)
            with book.engine.begin() as db:
                ledger.cancel(db, book.campaign.name, book.now)
        except Exception as error:  # noqa: BLE001 - asserted below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)] + [threading.Thread(target=trouble)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum(book.counts().values()) == 120


def _meanwhile(engine: sa.Engine, first, second):
    """What *second* returns that comes while *first* has not committed, and waits for it."""
    with ThreadPoolExecutor(1) as other, engine.begin() as db:
        first(db)

        def come() -> object:
            with engine.begin() as theirs:
                return second(theirs)

        coming = other.submit(come)
        waits = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while db.dialect.name == "postgresql" and not db.scalar(waits):
            assert not coming.done()
        db.commit()
        return coming.result()


def test_a_resume_of_one_pause_that_waits_for_a_cancellation_does_not_undo_it(book) -> None:
    with book.engine.begin() as db:
        ledger.pause(db, "weekly", book.now, "its run was suspended")

    assert not _meanwhile(
        book.engine,
        lambda db: ledger.cancel(db, "weekly", book.now, "a person"),
        lambda db: ledger.resume(db, "weekly", book.now, only="its run was suspended"),
    )
    with book.engine.begin() as db:
        assert ledger.standing(db, "weekly") == "cancelled"


def test_a_cancellation_that_waits_for_a_pause_is_one_all_the_same(book) -> None:
    _meanwhile(
        book.engine,
        lambda db: ledger.pause(db, "weekly", book.now, "the breaker"),
        lambda db: ledger.cancel(db, "weekly", book.now, "a person"),
    )
    with book.engine.begin() as db:
        assert (ledger.standing(db, "weekly"), ledger.cause(db, "weekly")) == ("cancelled", "a person")


def test_nothing_comes_back_to_wait_while_its_campaign_is_being_cancelled(postgres_engine, now) -> None:
    """It would be locked out of turn: after rows with a higher number, for which somebody may wait."""
    book = Ledger(postgres_engine, now)
    book.people(3).plan()
    book.settle(book.taken(1), InDoubt("?"))
    book.taken(1)
    with book.engine.begin() as db, book.engine.begin() as other:
        ledger.cancel(db, "weekly", now)
        free = sa.select(delivery.c.id).with_for_update(skip_locked=True)
        assert other.scalars(free).all() == []
