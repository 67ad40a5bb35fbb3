"""A claim that is given back until its turn: nothing is lost, nobody else's is touched, and the turn is known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.unit.ledger.conftest import Ledger
from vinculo import ledger
from vinculo.connector import InDoubt, Temporary, Unavailable
from vinculo.db.tables import delivery, occurrence
from vinculo.ledger import Claim
from vinculo.testing import store

HOUR = timedelta(hours=1)


def postpone(book: Ledger, claims: Sequence[Claim], at: datetime, **options: str) -> None:
    with book.engine.begin() as db:
        ledger.postpone(db, [(claim, at) for claim in claims], **options)


def next_turn(book: Ledger, *scope: str, **options: Sequence[str]) -> datetime | None:
    with book.engine.begin() as db:
        return ledger.next_turn(db, *scope, **options)


def wake(book: Ledger, at: datetime) -> int:
    with book.engine.begin() as db:
        return ledger.wake(db, at)


def close(book: Ledger, state: str, *place: str) -> None:
    """Say of an occurrence, and not yet of its rows, that it is held or cancelled."""
    o = occurrence.c
    with book.engine.begin() as db:
        here = o.campaign == place[0], o.occurrence == place[1]
        db.execute(sa.update(occurrence).where(*here).values(state=state))


def states(book: Ledger) -> dict[tuple[str, str], tuple[str, str]]:
    d = delivery.c
    with book.engine.begin() as db:
        return {row[:2]: tuple(row[2:]) for row in db.execute(sa.select(d.campaign, d.occurrence, d.state, d.reason))}


def test_what_is_given_back_waits_for_its_turn_and_counts_as_no_attempt(book: Ledger) -> None:
    book.people(2).plan()
    claims = book.claim()
    with book.engine.begin() as db:
        ledger.postpone(db, [(claims[0], book.now + 2 * HOUR), (claims[1], book.now + HOUR)])
        ledger.postpone(db, [])
    row = book.row(0)
    assert (row.state, row.reason, row.due_at) == ("planned", "turn", book.now + 2 * HOUR)
    assert (row.lease_until, row.attempts, row.fence) == (None, 0, claims[0].fence)
    assert book.claim() == []
    assert book.claim(at=book.now + HOUR) == [claims[1]._replace(fence=2)]
    assert (book.row(1).reason, book.row(0).reason) == ("", "turn")
    assert len(book.claim(at=book.now + 2 * HOUR)) == 1


def test_another_reason_is_no_turn(book: Ledger) -> None:
    book.people(1).plan()
    postpone(book, book.claim(), book.now + HOUR, reason="")
    assert (book.row().state, book.row().reason, book.row().due_at) == ("planned", "", book.now + HOUR)
    assert next_turn(book) is None
    assert wake(book, book.now) == 0


def test_a_claim_that_is_void_gives_back_nothing_of_who_has_the_row_now(book: Ledger) -> None:
    book.people(1).plan()
    old = book.claim("w1")
    late = book.now + book.lease
    book.recover(late)
    (new,) = book.claim("w2", at=late)
    postpone(book, old, book.now + HOUR)
    row = book.row()
    assert (row.state, row.worker, row.fence, row.lease_until) == ("claimed", "w2", new.fence, late + book.lease)


def test_what_is_being_handed_over_or_is_settled_is_not_given_back(book: Ledger) -> None:
    book.people(1).plan()
    claims = book.taken()
    postpone(book, claims, book.now + HOUR)
    assert book.row().state == "submitting"
    book.settle(claims, Temporary("450"))
    before = book.row()
    postpone(book, claims, book.now + HOUR)
    assert book.row() == before


@pytest.fixture(params=["of two campaigns", "of one campaign"])
def places(book: Ledger, request: pytest.FixtureRequest) -> list[tuple[str, str]]:
    """Two occurrences of which the only contact has a row each: at one time, or of one campaign."""
    book.people(1).plan(store.campaign("weekly"))
    found = [("weekly", book.occurrence.key)]
    two = request.param == "of two campaigns"
    book.now += timedelta(0) if two else HOUR
    book.plan(store.campaign("monthly" if two else "weekly"))
    return [*found, (book.campaign.name, book.occurrence.key)]


@pytest.mark.parametrize("off", [0, 1])
def test_what_is_called_off_meanwhile_is_cancelled_and_no_other(
    book: Ledger, places: list[tuple[str, str]], off: int
) -> None:
    claims = book.claim()
    close(book, "cancelled", *places[off])
    postpone(book, claims, book.now + HOUR)
    assert states(book) == {places[off]: ("cancelled", ""), places[1 - off]: ("planned", "turn")}


@pytest.mark.parametrize(("state", "found"), [("held", ("planned", "turn")), ("cancelled", ("in_doubt", ""))])
def test_what_may_have_left_before_is_in_doubt_where_it_is_called_off_and_waits_where_it_is_held(
    book: Ledger, state: str, found: tuple[str, str]
) -> None:
    book.people(1).plan(store.campaign(in_doubt="resend"))
    book.settle(book.taken(), InDoubt("no answer"))
    later = book.now + HOUR
    claims = book.claim(at=later)
    close(book, state, "weekly", book.occurrence.key)
    postpone(book, claims, later + HOUR)
    assert (book.row().state, book.row().reason) == found


def test_the_next_turn_is_the_first_of_those_that_may_be_claimed_then(
    book: Ledger, places: list[tuple[str, str]]
) -> None:
    first, second = sorted(book.claim())
    postpone(book, [first], book.now + HOUR)
    postpone(book, [second], book.now + 2 * HOUR)
    assert next_turn(book) == book.now + HOUR
    assert next_turn(book, *places[0]) == book.now + HOUR
    assert next_turn(book, *places[1]) == book.now + 2 * HOUR
    assert next_turn(book, without=["sms"]) == book.now + HOUR
    assert next_turn(book, without=["email"]) is None
    close(book, "held", *places[0])
    assert next_turn(book) == book.now + 2 * HOUR
    with book.engine.begin() as db:
        ledger.pause(db, places[1][0], book.now)
    assert next_turn(book) is None


def test_what_waits_for_something_else_has_no_turn(book: Ledger) -> None:
    book.people(3).plan()
    deferred, down, turn = book.taken(2) + book.claim()
    book.settle([deferred], Temporary("450"))
    book.settle([down], Unavailable("421"))
    assert next_turn(book) is None
    postpone(book, [turn], book.now + HOUR)
    assert next_turn(book) == book.now + HOUR


def test_whoever_waits_for_a_turn_is_woken_and_nobody_else(book: Ledger) -> None:
    book.people(4).plan()
    deferred, *_ = book.taken(1)
    book.settle([deferred], Temporary("450"))
    soon, late, asleep = book.claim()
    postpone(book, [soon], book.now - HOUR)
    postpone(book, [late], book.now + HOUR)
    postpone(book, [asleep], book.now + HOUR, reason="")
    before = [book.row(number) for number in range(4)]
    assert wake(book, book.now) == 1
    assert wake(book, book.now) == 0
    assert [book.row(number).due_at for number in range(4)] == [
        book.now if row.id == late.id else row.due_at for row in before
    ]


def test_what_waited_for_its_turn_and_is_called_off_waits_for_nothing(book: Ledger) -> None:
    book.people(2).plan(store.campaign(in_doubt="resend"))
    (lost,) = book.taken(1)
    book.settle([lost], InDoubt("no answer"))
    later = book.now + HOUR
    postpone(book, book.claim(at=later), later + HOUR)
    assert book.counts() == {("planned", "turn"): 2}
    with book.engine.begin() as db:
        ledger.cancel(db, "weekly", later)
    assert book.counts() == {("cancelled", ""): 1, ("in_doubt", ""): 1}
    assert wake(book, later) == 0
    assert next_turn(book) is None
