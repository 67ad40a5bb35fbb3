"""What the provider's answer makes of a row."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from vinculo import contacts, history, ledger
from vinculo.connector import BadAddress, InDoubt, Receipt, Rejected, Temporary, Unavailable
from vinculo.db.tables import suppression
from vinculo.history import Interaction
from vinculo.model import Direction, EventKind
from vinculo.testing import store


def test_an_accepted_row_is_final_and_returned_for_the_history(book) -> None:
    book.people(1).plan()
    claims = book.taken()
    settled = book.settle(claims, Receipt("id-7", "250 ok"))
    assert settled == ledger.Settled(accepted=tuple(claims))
    row = book.row()
    assert (row.state, row.provider_id, row.response, row.settled_at) == ("accepted", "id-7", "250 ok", book.now)


def test_a_temporary_answer_waits_longer_each_time_and_never_over_four_hours(book) -> None:
    book.people(1).plan(store.campaign(expires="90 days"))
    at, waits = book.now, []
    for _ in range(9):
        claims = book.claim(at=at)
        assert book.submit(claims, at)
        book.settle(claims, Temporary("450"), at)
        waits.append(book.row().due_at - at)
        at = book.row().due_at
    assert waits == sorted(waits)
    assert timedelta(minutes=5) <= waits[0] <= timedelta(minutes=6, seconds=15)
    assert waits[-1] == timedelta(hours=4)


def test_the_provider_may_ask_for_more_patience(book) -> None:
    book.people(1).plan()
    book.settle(book.taken(), Temporary("429", after=36_000))
    assert book.row().due_at == book.now + timedelta(hours=10)


def test_a_row_that_cannot_be_tried_in_time_expires(book) -> None:
    book.people(1).plan(store.campaign(expires="1h"))
    book.settle(book.taken(), Temporary("450", after=3600))
    assert (book.row().state, book.row().reason, book.row().response) == ("expired", "too_late", "450")


def test_a_provider_that_is_down_costs_no_attempt(book) -> None:
    book.people(1).plan()
    book.settle(book.taken(), Unavailable("quota", after=60))
    row = book.row()
    assert (row.state, row.attempts, row.due_at) == ("planned", 0, book.now + timedelta(seconds=60))


def test_a_provider_that_is_down_brings_nothing_forward(book) -> None:
    """The clock was set back meanwhile."""
    book.people(1).plan()
    book.settle(book.taken(), Unavailable("down"), book.now - timedelta(minutes=1))
    assert book.row().due_at == book.now


def test_a_rejected_row_is_final(book) -> None:
    book.people(1).plan()
    book.settle(book.taken(), Rejected("554 policy"))
    assert (book.row().state, book.row().response) == ("rejected", "554 policy")


def test_a_bad_address_is_suppressed_for_every_campaign_and_contact(book) -> None:
    with book.people(1).engine.begin() as db:
        book.ids.append(store.add_contact(db, key="twin", email="c1@example.org", consent=["news"]))
    book.plan()
    first, twin = book.claim()
    book.submit([first])
    book.settle([first], BadAddress("550 5.1.1"))
    assert (book.row().state, book.row().reason) == ("rejected", "bad_address")
    with book.engine.begin() as db:
        assert db.execute(sa.select(suppression.c.channel, suppression.c.reason)).all() == [("email", "hard_bounce")]
    assert book.submit([twin]) == set()


@pytest.mark.parametrize(
    ("policy", "idempotent", "state", "reason"),
    [
        ("hold", False, "in_doubt", ""),
        ("resend", False, "planned", ""),
        ("write_off", False, "rejected", "written_off"),
        ("hold", True, "planned", ""),
    ],
)
def test_what_is_in_doubt_follows_the_campaign_and_the_provider(book, policy, idempotent, state, reason) -> None:
    book.people(1).plan(store.campaign(in_doubt=policy))
    book.settle(book.taken(), InDoubt("no answer"), idempotent=idempotent)
    assert (book.row().state, book.row().reason) == (state, reason)
    assert book.claim() == [], "it is not sent again at once"


def test_a_void_claim_settles_nothing_and_is_reported(book) -> None:
    book.people(1).plan()
    old = book.taken(worker="w1")
    late = book.now + timedelta(minutes=6)
    book.recover(late, idempotent_channels=frozenset({"email"}))
    new = book.claim("w2", at=late)
    assert book.settle(old, Rejected("late"), late) == ledger.Settled(stale=tuple(old))
    assert (book.row().state, book.row().fence) == ("claimed", new[0].fence)


def test_a_receipt_that_comes_after_another_claim_keeps_it_from_being_sent_again(book) -> None:
    book.people(1).plan()
    old = book.taken(worker="w1")
    late = book.now + timedelta(minutes=6)
    book.recover(late, idempotent_channels=frozenset({"email"}))
    new = book.claim("w2", at=late)
    assert [claim.id for claim in book.settle(old, Receipt("p1"), late).accepted] == [new[0].id]
    assert (book.row().state, book.row().provider_id, book.row().lease_until) == ("accepted", "p1", None)
    assert book.submit(new, late) == set()


def test_a_receipt_that_comes_after_its_row_is_handed_over_again_leaves_it_to_the_second(book) -> None:
    book.people(1).plan()
    old = book.taken(worker="w1")
    late = book.now + timedelta(minutes=6)
    book.recover(late, idempotent_channels=frozenset({"email"}))
    new = book.claim("w2", at=late)
    book.submit(new, late)
    assert book.settle(old, Receipt("p1"), late) == ledger.Settled(stale=tuple(old))
    assert book.settle(new, Receipt("p1"), late).accepted == tuple(new)


def test_a_late_receipt_settles_a_row_that_was_given_up(book) -> None:
    book.people(1).plan()
    claims = book.taken()
    book.recover(book.now + timedelta(minutes=6))
    assert book.row().state == "in_doubt"
    assert book.settle(claims, Receipt("p")).accepted == tuple(claims)


def test_a_provider_that_orders_an_endless_wait_breaks_nothing(book) -> None:
    claims = book.people(2).plan() and book.taken()
    for claim, outcome in zip(
        claims, [Temporary("later", after=1e300), Unavailable("quota", after=1e300)], strict=True
    ):
        book.settle([claim], outcome)
    assert book.counts() == {("expired", "too_late"): 2}


def test_what_comes_back_after_a_cancellation_is_cancelled(book) -> None:
    book.people(3).plan()
    claims = book.taken()
    with book.engine.begin() as db:
        ledger.cancel(db, "weekly", book.now)
    for claim, outcome in zip(claims, [Receipt("p"), Temporary("450"), Unavailable("down")], strict=True):
        book.settle([claim], outcome)
    assert book.counts() == {("accepted", ""): 1, ("cancelled", ""): 2}


@pytest.mark.parametrize("policy", ["hold", "resend", "write_off"])
def test_a_receipt_counts_whatever_its_row_was_taken_for_meanwhile(book, policy: str) -> None:
    book.people(1).plan(store.campaign(in_doubt=policy))
    claims = book.taken()
    late = book.now + timedelta(minutes=6)
    book.recover(late)
    assert book.settle(claims, Receipt("id-7"), late).accepted == tuple(claims)
    assert (book.row().state, book.row().reason, book.row().provider_id) == ("accepted", "", "id-7")
    assert book.settle(claims, Receipt("id-7"), late) == ledger.Settled(stale=tuple(claims))


@pytest.mark.parametrize(("answer", "state"), [(Rejected("554"), "rejected"), (Temporary("450"), "deferred")])
def test_a_refusal_that_comes_late_ends_the_doubt(book, answer: object, state: str) -> None:
    book.people(1).plan()
    claims = book.taken()
    book.recover(book.now + timedelta(minutes=6))
    assert book.row().state == "in_doubt"
    book.settle(claims, answer, book.now + timedelta(minutes=6))
    assert book.row().state == state


@pytest.mark.parametrize("idempotent", [True, False])
def test_what_stays_without_an_answer_is_not_handed_over_a_fourth_time(book, idempotent: bool) -> None:
    book.people(1).plan(store.campaign(in_doubt="resend"))
    at = book.now
    for _ in range(3):
        claims = book.claim(at=at)
        assert book.submit(claims, at)
        book.settle(claims, InDoubt("no answer in time"), at, idempotent=idempotent)
        at += timedelta(hours=5)
    assert book.claim(at=at) == []
    assert (book.row().state, book.row().reason, book.row().attempts) == ("in_doubt", "quarantined", 3)


@pytest.mark.parametrize("policy", ["hold", "resend", "write_off"])
def test_what_an_event_proved_before_its_answer_was_given_up_is_accepted(book, policy: str) -> None:
    book.people(1).plan(store.campaign(in_doubt=policy))
    claims = book.taken()
    opened = Interaction(book.ids[0], book.now, Direction.IN, EventKind.OPENED, delivery_id=claims[0].id)
    with book.engine.begin() as db:
        history.record(db, [opened])
        assert ledger.evidence(db, claims[0].id, book.now) is None
    assert book.settle(claims, InDoubt("no answer in time")).accepted == tuple(claims)
    assert (book.row().state, book.row().reason) == ("accepted", "")


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Receipt("i\0d", "250 \ud800"), "accepted"),
        (Receipt(None, b"ok"), "accepted"),  # type: ignore[arg-type] - as a careless connector would
        (Rejected("554 \0"), "rejected"),
        (Temporary("\ud800", after=float("nan")), "deferred"),
        (Unavailable("\0", after=-1e30), "planned"),
        (InDoubt("\0"), "in_doubt"),
    ],
)
def test_no_answer_is_so_odd_that_it_cannot_be_written_down(book, outcome: object, state: str) -> None:
    book.people(1).plan()
    book.settle(book.taken(), outcome)
    assert book.row().state == state


def test_what_was_accepted_for_a_contact_that_is_joined_into_another_is_the_others(book) -> None:
    book.people(1).plan()
    claims = book.taken()
    with book.people(1).engine.begin() as db:
        contacts.merge(db, book.ids[1], book.ids[0], book.now)
    [accepted] = book.settle(claims, Receipt("id-7")).accepted
    with book.engine.begin() as db:
        history.sent(db, [accepted.id], book.now)
        assert [line.kind for line in history.timeline(db, book.ids[1])] == ["sent", "merged"]


@pytest.mark.parametrize(
    "receipts",
    [
        [Receipt("", "250 ok")] * 3,
        [Receipt("", f"250 ok: queued as {number}") for number in range(3)],
        [Receipt(f"id-{number}", "250 ok") for number in range(3)],
    ],
    ids=["the same words", "words of its own", "a name of its own"],
)
def test_each_row_keeps_the_words_of_its_own_receipt(book, receipts) -> None:
    """One of them was settled before: it is not accepted again, the others are."""
    book.people(3).plan()
    claims = book.taken()
    book.settle(claims[1:2], receipts[1])
    with book.engine.begin() as db:
        settlements = [ledger.Settlement(claim, told) for claim, told in zip(claims, receipts, strict=True)]
        settled = ledger.settle(db, settlements, book.now)
    assert settled == ledger.Settled(accepted=(claims[0], claims[2]), stale=(claims[1],))
    rows = [book.row(number) for number in range(3)]
    assert [Receipt(row.provider_id, row.response) for row in rows] == receipts
    assert {row.state for row in rows} == {"accepted"}


@pytest.mark.parametrize(
    "receipts",
    [
        [Receipt("", "250 ok")] * 2,
        [Receipt("", "250 ok: queued as 1"), Receipt("", "250 ok: queued as 2")],
        [Receipt("id-1", "250 ok"), Receipt("id-2", "250 ok")],
    ],
    ids=["the same words", "words of its own", "a name of its own"],
)
def test_receipts_of_a_claim_that_is_void_leave_each_row_to_who_hands_it_over_now(book, receipts) -> None:
    book.people(2).plan()
    old = book.taken(worker="w1")
    late = book.now + timedelta(minutes=6)
    book.recover(late, idempotent_channels=frozenset({"email"}))
    new = book.claim("w2", at=late)
    book.submit(new, late)
    settlements = [ledger.Settlement(claim, told) for claim, told in zip(old, receipts, strict=True)]
    with book.engine.begin() as db:
        assert ledger.settle(db, settlements, late) == ledger.Settled(stale=tuple(old))
    assert {(row.state, row.lease_until) for row in map(book.row, (0, 1))} == {("submitting", late + book.lease)}


def test_that_no_answer_came_is_no_news_of_a_row_that_was_found_in_doubt(book) -> None:
    book.people(1).plan()
    claims = book.taken()
    book.recover(book.now + timedelta(minutes=6))
    before = book.row()
    assert book.settle(claims, InDoubt("late")) == ledger.Settled(stale=tuple(claims))
    assert book.row() == before


def test_a_refusal_counts_no_more_once_its_row_is_to_be_sent_again(book) -> None:
    book.people(1).plan(store.campaign(in_doubt="resend"))
    claims = book.taken()
    book.recover(book.now + timedelta(minutes=6))
    before = book.row()
    assert before.state == "planned"
    for outcome in (Rejected("no"), Temporary("later"), InDoubt("?")):
        assert book.settle(claims, outcome) == ledger.Settled(stale=tuple(claims))
    assert book.row() == before
