"""Who leaves while the message is in somebody's hands: should it come back to be sent again, it is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.unit.ledger.conftest import Ledger
from vinculo import consent, ledger
from vinculo.connector import InDoubt, Temporary, Unavailable
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
