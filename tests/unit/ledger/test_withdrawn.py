"""Who leaves while the message is in somebody's hands: should it come back to be sent again, it is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.unit.ledger.conftest import Ledger
from vinculo import consent, ledger
from vinculo.connector import InDoubt, Temporary, Unavailable
from vinculo.db.tables import delivery
from vinculo.ledger import Claim
from vinculo.testing import store

LATER = timedelta(hours=5)


def _leave(book: Ledger) -> None:
    with book.engine.begin() as db:
        consent.withdraw(db, book.ids[0], "email", "news", book.now, source="test")


def _deferred(book: Ledger, claims: list[Claim]) -> None:
    _leave(book)
    book.settle(claims, Temporary("451 later"))


def _unavailable(book: Ledger, claims: list[Claim]) -> None:
    _leave(book)
    book.settle(claims, Unavailable("421 closing"))


def _lost_while_it_was_handed_over(book: Ledger, claims: list[Claim]) -> None:
    _leave(book)
    book.settle(claims, InDoubt("no answer"), idempotent=True)


def _its_worker_died(book: Ledger, claims: list[Claim]) -> None:
    del claims
    _leave(book)
    assert book.recover(book.now + LATER / 2, idempotent_channels=frozenset({"email"})).resent == 1


def _a_person_sends_it_again(book: Ledger, claims: list[Claim]) -> None:
    book.settle(claims, InDoubt("no answer"))
    _leave(book)  # while it is in doubt
    with book.engine.begin() as db:
        ledger.resolve(db, [claim.id for claim in claims], "resend", book.now)


@pytest.mark.parametrize(
    "back",
    [_deferred, _unavailable, _lost_while_it_was_handed_over, _its_worker_died, _a_person_sends_it_again],
)
def test_a_row_that_comes_back_after_a_withdrawal_is_not_sent_until_a_new_yes(
    book: Ledger, back: Callable[[Ledger, list[Claim]], None]
) -> None:
    book.people(1).plan(store.campaign(expires="72h"))
    back(book, book.taken())
    assert book.row().state in {"planned", "deferred"}
    again = book.claim(at=book.now + LATER)
    assert len(again) == 1
    assert book.submit(again, book.now + LATER) == set()
    row = book.row()
    if row.lost_at is None:
        assert (row.state, row.reason) == ("skipped", "no_consent")
    else:  # nobody knows whether it left before
        assert (row.state, row.reason) == ("in_doubt", "no_consent")
    assert row.attempts <= 1


@pytest.mark.parametrize("ends", [None, timedelta(days=2)])
def test_who_says_yes_again_while_a_row_comes_back_gets_it(
    postgres_engine: sa.Engine, now: datetime, ends: timedelta | None
) -> None:
    """Neither sees what the other writes: the row lapses, and the yes does not renew it."""
    book = Ledger(postgres_engine, now).people(1)
    book.plan(store.campaign(expires="72h"))
    claims = book.taken()
    _leave(book)
    with book.engine.begin() as db:
        proof = {"source": "test", "expires_at": ends and now + ends}
        consent.grant(db, book.ids[0], "email", "news", now + timedelta(minutes=1), **proof)
        book.settle(claims, Temporary("451 later"))
    assert _sent_at_last(book)
    assert book.row().lapses_at == proof["expires_at"]


def test_a_row_that_lapsed_of_whom_a_yes_lives_is_sent_on_that(book: Ledger) -> None:
    book.people(2).plan(store.campaign(expires="72h"))
    with book.engine.begin() as db:
        db.execute(sa.update(delivery).values(lapses_at=book.now))
        consent.withdraw(db, book.ids[1], "email", "news", book.now, source="test")
    assert _sent_at_last(book)
    assert (book.row(0).lapses_at, book.row(1).reason) == (None, "no_consent")


def _sent_at_last(book: Ledger) -> bool:
    """Whether the first contact's row leaves, at the second turn at the latest."""
    turns = [book.submit(book.claim(at=book.now + LATER), book.now + LATER) for _ in range(2)]
    return book.row().state == "submitting" and turns[1] == {book.row().id}
