"""The last check: what became forbidden between claim and submit does not leave."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from vinculo import ledger
from vinculo.connector import InDoubt
from vinculo.db.tables import address, control, occurrence
from vinculo.testing import store


@pytest.fixture
def claimed(book):
    """Two claimed rows, and the book."""
    book.people(2).plan()
    return book, book.claim()


def test_claimed_rows_are_marked_and_counted_as_an_attempt(claimed) -> None:
    book, claims = claimed
    assert book.submit(claims) == {claim.id for claim in claims}
    assert (book.row().state, book.row().attempts, book.row().submitted_at) == ("submitting", 1, book.now)
    assert book.submit(claims) == set()


def test_nobody_is_handed_over_after_an_unsubscribe(claimed) -> None:
    book, claims = claimed
    with book.engine.begin() as db:
        store.grant(db, book.ids[0], "email", "news", granted=False)
    assert book.submit(claims) == {claims[1].id}
    assert (book.row().state, book.row().reason) == ("skipped", "no_consent")


def test_an_expired_consent_is_none(claimed) -> None:
    book, claims = claimed
    with book.engine.begin() as db:
        store.grant(db, book.ids[0], "email", "news", expires_at=book.now)
        store.grant(db, book.ids[1], "email", "news", expires_at=book.now + timedelta(microseconds=1))
    assert book.submit(claims) == {claims[1].id}


def test_nobody_is_handed_over_to_a_suppressed_address(claimed) -> None:
    book, claims = claimed
    with book.engine.begin() as db:
        store.suppress(db, "email", "c1@example.org")
    assert book.submit(claims) == {claims[1].id}
    assert (book.row().state, book.row().reason) == ("skipped", "suppressed")


def test_nobody_is_handed_over_to_an_address_that_is_not_theirs_any_more(claimed) -> None:
    book, claims = claimed
    with book.engine.begin() as db:
        db.execute(sa.delete(address).where(address.c.contact_id == book.ids[0]))
    assert book.submit(claims) == {claims[1].id}


def test_a_pause_between_claim_and_submit_gives_the_rows_back(claimed) -> None:
    book, claims = claimed
    with book.engine.begin() as db:
        ledger.pause(db, "weekly", book.now)
    assert book.submit(claims) == set()
    assert book.counts() == {("planned", ""): 2}


def test_a_cancellation_between_claim_and_submit_cancels_the_rows(claimed) -> None:
    book, claims = claimed
    with book.engine.begin() as db:
        assert ledger.cancel(db, "weekly", book.now, "wrong price") == 2
    assert book.submit(claims) == set()
    assert book.counts() == {("cancelled", ""): 2}
    assert book.row().response == "wrong price"


def test_a_claim_whose_lease_is_over_is_void(claimed) -> None:
    book, claims = claimed
    assert book.submit(claims, book.now + book.lease) == set()
    assert book.counts() == {("claimed", ""): 2}


def test_a_message_too_old_at_the_last_check_expires(book) -> None:
    book.people(1).plan()
    late = book.now + timedelta(hours=72)
    claims = book.claim(at=late - timedelta(seconds=1))
    assert book.submit(claims, late) == set()
    assert book.counts() == {("expired", "too_late"): 1}


@pytest.mark.parametrize("file", [{"kind": "service"}, {"topic": "service"}])
def test_service_needs_no_consent_but_honours_a_withdrawal(book, file) -> None:
    with book.engine.begin() as db:
        for key in ("free", "gone", "gone-from-all"):
            book.ids.append(store.add_contact(db, key=key, email=f"{key}@example.org"))
        store.grant(db, book.ids[1], "email", file.get("topic", "news"), granted=False)
        store.grant(db, book.ids[2], "email", "", granted=False)
    book.plan(store.campaign(**file))
    claims = book.claim()
    assert book.submit(claims) == {claims[0].id}
    assert book.counts() == {("submitting", ""): 1, ("skipped", "no_consent"): 2}


def test_what_is_being_handed_over_stays_so_when_it_is_submitted_again(book) -> None:
    book.people(1).plan()
    claims = book.taken()
    assert book.submit(claims) == set()  # planned again, others would hand it over too
    row = book.row()
    assert (row.state, row.attempts, row.lease_until) == ("submitting", 1, book.now + book.lease)


@pytest.mark.parametrize(("state", "row"), [("cancelled", "cancelled"), ("held", "planned")])
def test_what_was_claimed_while_its_occurrence_was_closed_does_not_leave(claimed, state, row) -> None:
    """Whoever closes an occurrence changes the rows that it sees; one that is claimed meanwhile is not among them."""
    book, claims = claimed
    with book.engine.begin() as db:
        db.execute(sa.update(occurrence).values(state=state))
    assert book.submit(claims) == set()
    assert {book.row(number).state for number in (0, 1)} == {row}


def test_what_is_left_out_is_dated_and_what_is_given_back_is_not(claimed) -> None:
    book, claims = claimed
    with book.engine.begin() as db:
        store.suppress(db, "email", "c1@example.org")
    book.submit(claims[:1])
    with book.engine.begin() as db:
        ledger.pause(db, "weekly", book.now)
    book.submit(claims[1:])
    assert [(book.row(number).state, book.row(number).settled_at) for number in (0, 1)] == [
        ("skipped", book.now),
        ("planned", None),
    ]


@pytest.mark.parametrize("stopped", ["paused", "held"])
def test_what_is_stopped_waits_and_is_judged_when_it_goes_on(claimed, stopped: str) -> None:
    """Its address is suppressed as well: who resumes finds it skipped then, and not before."""
    book, claims = claimed
    with book.engine.begin() as db:
        store.suppress(db, "email", "c1@example.org")
        if stopped == "paused":
            ledger.pause(db, "weekly", book.now)
        else:
            db.execute(sa.update(occurrence).values(state="held"))
    assert book.submit(claims) == set()
    assert book.counts() == {("planned", ""): 2}


def test_what_is_claimed_of_a_campaign_that_was_cancelled_before_its_occurrence_opened_is_cancelled(claimed) -> None:
    book, claims = claimed
    with book.engine.begin() as db:
        said = {"campaign": "weekly", "state": "cancelled", "at": book.now, "reason": ""}
        db.execute(sa.insert(control).values(said))
    assert book.submit(claims) == set()
    assert book.counts() == {("cancelled", ""): 2}


def test_what_was_lost_before_and_is_stopped_waits_and_is_not_in_doubt(book) -> None:
    book.people(1).plan(store.campaign(in_doubt="resend"))
    book.settle(book.taken(), InDoubt("no answer"))
    book.now += timedelta(hours=5)
    claims = book.claim()
    with book.engine.begin() as db:
        ledger.pause(db, "weekly", book.now)
    assert book.submit(claims) == set()
    assert (book.row().state, book.row().settled_at) == ("planned", None)
