"""What was handed over without an answer, and is to be sent again: whatever becomes of it, the books never say "not sent"."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.unit.ledger.conftest import Ledger
from vinculo import contacts, ledger
from vinculo.connector import BadAddress, InDoubt, Receipt, Rejected, SendError, Temporary
from vinculo.db.tables import delivery
from vinculo.model import SkipReason
from vinculo.testing import store

SOON = timedelta(hours=5)
LATE = timedelta(days=9)


@pytest.fixture
def lost(book: Ledger) -> Ledger:
    """One row whose answer never came, planned again by its campaign's word."""
    book.people(2).plan(store.campaign(in_doubt="resend"))
    book.settle(book.taken(limit=1), InDoubt("no answer"))
    book.now += SOON
    assert book.row().state == "planned"
    return book


def _claim(book: Ledger) -> list[ledger.Claim]:
    return [claim for claim in book.claim() if claim.key.contact_id == book.ids[0]]


def _withdraw(book: Ledger) -> None:
    claims = _claim(book)
    with book.engine.begin() as db:
        store.grant(db, book.ids[0], "email", "news", granted=False)
    assert book.submit(claims) == set()


def _suppress(book: Ledger) -> None:
    claims = _claim(book)
    with book.engine.begin() as db:
        store.suppress(db, "email", "c1@example.org")
    assert book.submit(claims) == set()


def _cancel(book: Ledger) -> None:
    with book.engine.begin() as db:
        ledger.cancel(db, "weekly", book.now)


def _cancel_what_is_claimed(book: Ledger) -> None:
    claims = _claim(book)
    with book.engine.begin() as db:
        ledger.cancel(db, "weekly", book.now)
        db.execute(sa.update(delivery).where(delivery.c.id == claims[0].id).values(state="claimed"))
        ledger.release(db, claims, book.now)


def _be_too_late_to_claim(book: Ledger) -> None:
    assert book.claim(at=book.now + LATE) == []


def _be_too_late_to_finish(book: Ledger) -> None:
    assert not book.finish(book.now + LATE)


def _be_too_late_to_try_again(book: Ledger) -> None:
    claims = _claim(book)
    book.submit(claims)
    book.settle(claims, Temporary("450", after=10 * 86_400))


def _fail_to_render(book: Ledger) -> None:
    with book.engine.begin() as db:
        assert ledger.skip(db, *_claimed(db, book), SkipReason.RENDER_ERROR, "no name", book.now)


def _claimed(db: sa.Connection, book: Ledger) -> list[ledger.Claim]:
    claims = ledger.claim(db, "w2", 9, book.now, book.lease)
    return [claim for claim in claims if claim.key.contact_id == book.ids[0]]


def _kill_its_workers(book: Ledger) -> None:
    for _ in range(6):
        book.claim()
        book.now += book.lease
        book.recover(book.now)


def _be_refused(book: Ledger) -> None:
    claims = _claim(book)
    book.submit(claims)
    book.settle(claims, Rejected("554"))


def _be_erased(book: Ledger) -> None:
    with book.engine.begin() as db:
        contacts.erase(db, book.ids[0], book.now)


def _be_sent_again_by_a_person_when_erased(book: Ledger) -> None:
    number = book.row().id
    _be_erased(book)
    with book.engine.begin() as db:
        assert len(ledger.resolve(db, [number], "resend", book.now)) == 1
    assert book.submit(_claim(book)) == set()


def _be_called_off_when_a_person_sends_it_again(book: Ledger) -> None:
    _cancel(book)
    number = book.row().id
    with book.engine.begin() as db:
        ledger.resolve(db, [number], "resend", book.now)


@pytest.mark.parametrize(
    "end",
    [
        _withdraw, _suppress, _cancel, _cancel_what_is_claimed, _be_too_late_to_claim, _be_too_late_to_finish,
        _be_too_late_to_try_again, _fail_to_render, _kill_its_workers, _be_refused, _be_erased,
        _be_sent_again_by_a_person_when_erased, _be_called_off_when_a_person_sends_it_again,
    ],
)  # fmt: skip
def test_what_is_not_sent_again_is_in_doubt(lost: Ledger, end: Callable[[Ledger], None]) -> None:
    end(lost)
    row = lost.row()
    assert (row.state, row.settled_at, row.lease_until) == ("in_doubt", None, None)


def test_an_address_that_does_not_exist_had_none_before(lost: Ledger) -> None:
    claims = _claim(lost)
    lost.submit(claims)
    lost.settle(claims, BadAddress("550 5.1.1"))
    assert lost.row().state == "rejected"


@pytest.mark.parametrize("refusal", [BadAddress("550 5.1.1"), Rejected("554")])
def test_a_receipt_that_comes_after_a_refusal_of_the_second_is_believed(book: Ledger, refusal: SendError) -> None:
    """Whoever's clock is ahead took the row from a worker that was about to hand it over (simulation, seed 24604)."""
    book.people(1).plan()
    first = book.taken()
    book.recover(book.now + book.lease, idempotent_channels=frozenset({"email"}))
    second = book.taken(worker="w2")
    book.settle(second, refusal, idempotent=True)
    assert book.row().state == "rejected"
    assert book.settle(first, Receipt("1", "250 ok"), idempotent=True).accepted == tuple(first)
    assert (book.row().state, book.row().reason, book.row().provider_id) == ("accepted", "", "1")


def test_a_refusal_by_who_dedupes_tells_of_the_first_too(lost: Ledger) -> None:
    claims = _claim(lost)
    lost.submit(claims)
    lost.settle(claims, Rejected("422"), idempotent=True)
    assert lost.row().state == "rejected"


def test_what_an_event_proves_meanwhile_is_not_sent_again(lost: Ledger) -> None:
    claims = _claim(lost)
    with lost.engine.begin() as db:
        assert ledger.evidence(db, claims[0].id, lost.now) is not None
    assert lost.submit(claims) == set()
    assert (lost.row().state, lost.row().lease_until) == ("accepted", None)


def test_sent_again_and_accepted_it_is_accepted(lost: Ledger) -> None:
    claims = _claim(lost)
    lost.submit(claims)
    lost.settle(claims, Receipt("2"))
    assert lost.row().state == "accepted"


def test_a_worker_that_died_while_handing_it_over_leaves_it_so_too(book: Ledger) -> None:
    book.people(1).plan()
    book.taken()
    book.now += timedelta(minutes=6)
    assert book.recover(book.now, idempotent_channels=frozenset({"email"})).resent == 1
    _cancel(book)
    assert book.row().state == "in_doubt"


def test_who_became_part_of_another_may_have_it_already(lost: Ledger) -> None:
    with lost.engine.begin() as db:
        contacts.merge(db, lost.ids[1], lost.ids[0], lost.now)
    assert lost.row().state == "in_doubt"
