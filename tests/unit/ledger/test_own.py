"""An answer is that of its own row, and is judged by its own occurrence: what stands beside it is left alone."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from vinculo import ledger
from vinculo.connector import BadAddress, InDoubt, Receipt, Rejected, SendError, Temporary, Unavailable
from vinculo.db.tables import delivery, occurrence, suppression
from vinculo.ledger.planning import cancel_occurrence
from vinculo.testing import store


def _rows(book, column: str) -> dict[str, object]:
    """That column of the only contact's rows, by their campaign."""
    d = delivery.c
    with book.engine.begin() as db:
        return dict(db.execute(sa.select(d.campaign, d[column])).tuples().all())


@pytest.mark.parametrize("outcome", [Rejected("554 no"), Temporary("450"), Unavailable("down"), InDoubt("?")])
def test_only_an_address_that_does_not_exist_is_suppressed(book, outcome: SendError) -> None:
    """That address on that channel: not another of the same contact, nor the same words on another channel."""
    book.people(2).plan()
    one, other = book.taken()
    with book.engine.begin() as db:
        store.add_address(db, book.ids[1], "email", "another@example.org", position=1)
        store.add_address(db, book.ids[1], "chat", "c2@example.org")
        answers = [ledger.Settlement(one, outcome), ledger.Settlement(other, BadAddress("550 5.1.1"))]
        ledger.settle(db, answers, book.now)
        assert db.scalars(sa.select(suppression.c.address_hash)).all() == [
            store.SIGNER.hash("address", "email", "c2@example.org")
        ]


def test_what_is_in_doubt_follows_its_own_campaign_and_no_other(book) -> None:
    policies = {"held": "hold", "again": "resend", "gone": "write_off"}
    book.people(1)
    for campaign, policy in policies.items():
        book.plan(store.campaign(campaign, in_doubt=policy))
    book.settle(book.taken(), InDoubt("no answer"))
    assert _rows(book, "state") == {"held": "in_doubt", "again": "planned", "gone": "rejected"}


@pytest.mark.parametrize("marked", [True, False])
def test_each_row_of_a_dead_worker_is_taken_back_once(pair, marked: bool) -> None:
    book, *_ = pair
    if marked:
        book.taken()
        assert book.recover(book.now + book.lease) == ledger.Recovered(in_doubt=2)
    else:
        book.claim()
        assert book.recover(book.now + book.lease) == ledger.Recovered(released=2)


def test_what_a_dead_worker_leaves_follows_its_own_campaign_and_no_other(book) -> None:
    book.people(1)
    for campaign, policy in {"held": "hold", "again": "resend", "gone": "write_off"}.items():
        book.plan(store.campaign(campaign, in_doubt=policy))
    book.taken()
    book.recover(book.now + book.lease)
    assert _rows(book, "state") == {"held": "in_doubt", "again": "planned", "gone": "rejected"}


@pytest.fixture(params=["of two campaigns", "of one campaign"])
def pair(book, request: pytest.FixtureRequest):
    """The book, and two occurrences of which a contact has a row each: at one time, or of one campaign."""
    book.people(1).plan(store.campaign("weekly"))
    first = book.occurrence
    if request.param == "of one campaign":
        book.now += timedelta(hours=1)
        book.plan(store.campaign("weekly"))
        return book, ("weekly", first.key), ("weekly", book.occurrence.key)
    book.plan(store.campaign("monthly"))
    return book, ("weekly", first.key), ("monthly", book.occurrence.key)


@pytest.mark.parametrize("closed", [0, 1])
def test_only_what_is_of_a_closed_occurrence_does_not_leave(pair, closed: int) -> None:
    book, *places = pair
    claims = book.claim()
    assert [claim.key[:2] for claim in sorted(claims)] == places
    with book.engine.begin() as db:
        here = occurrence.c.campaign == places[closed][0], occurrence.c.occurrence == places[closed][1]
        db.execute(sa.update(occurrence).where(*here).values(state="held"))
    assert book.submit(claims) == {claim.id for claim in claims if claim.key[:2] != places[closed]}


@pytest.mark.parametrize("off", [0, 1])
def test_only_what_is_of_a_cancelled_occurrence_is_not_tried_again(pair, off: int) -> None:
    book, *places = pair
    claims = book.taken()
    with book.engine.begin() as db:
        cancel_occurrence(db, *places[off], book.now, "")
    book.settle(claims, Temporary("450"))
    d = delivery.c
    with book.engine.begin() as db:
        found = db.execute(sa.select(d.campaign, d.occurrence, d.state)).all()
    assert {row[:2]: row.state for row in found} == {places[off]: "cancelled", places[1 - off]: "deferred"}


def test_whether_consent_is_asked_for_is_said_by_the_occurrence_of_the_row(book) -> None:
    book.people(1).plan(store.campaign("a-letter"))
    with book.engine.begin() as db:
        book.ids.append(store.add_contact(db, key="buyer", email="buyer@example.org"))
    book.plan(store.campaign("b-notice", kind="service", topic="offers"))
    claims = book.claim()
    assert book.submit(claims) == {claim.id for claim in claims}
    with book.engine.begin() as db:
        assert ledger.counts(db, "b-notice") == {("submitting", ""): 2}


def test_what_comes_back_is_called_off_with_its_own_occurrence_and_no_other(book) -> None:
    book.people(1)
    for campaign in ("off", "on"):
        book.plan(store.campaign(campaign))
    claims = book.taken()
    with book.engine.begin() as db:
        ledger.cancel(db, "off", book.now)
    book.settle(claims, Temporary("450"))
    assert _rows(book, "state") == {"off": "cancelled", "on": "deferred"}


@pytest.mark.parametrize("only", ["", "too many bounces"])
def test_only_the_campaign_that_is_resumed_goes_on(book, only: str) -> None:
    book.people(1)
    for campaign in ("one", "other"):
        book.plan(store.campaign(campaign))
        with book.engine.begin() as db:
            ledger.pause(db, campaign, book.now, "too many bounces")
    with book.engine.begin() as db:
        assert ledger.resume(db, "one", book.now, only=only)
    assert [claim.key.campaign for claim in book.claim()] == ["one"]


@pytest.mark.parametrize("first", [Temporary("450"), Unavailable("down"), Rejected("554"), BadAddress("550 5.1.1")])
def test_a_receipt_is_believed_whatever_was_said_before_it(book, first: SendError) -> None:
    book.people(1).plan()
    claims = book.taken()
    book.settle(claims, first)
    assert book.settle(claims, Receipt("id-7", "250 ok")).accepted == tuple(claims)
    row = book.row()
    assert (row.state, row.reason, row.provider_id, row.response) == ("accepted", "", "id-7", "250 ok")


def test_a_receipt_that_comes_after_another_claim_is_kept_in_its_words(book) -> None:
    book.people(1).plan()
    old = book.taken(worker="w1")
    late = book.now + timedelta(minutes=6)
    book.recover(late, idempotent_channels=frozenset({"email"}))
    book.claim("w2", at=late)
    book.settle(old, Receipt("id-7", "250 ok"), late)
    assert (book.row().provider_id, book.row().response) == ("id-7", "250 ok")


@pytest.mark.parametrize(
    "receipts",
    [
        [Receipt("id-0", "250 ok"), Receipt("id-0", "250 ok"), Receipt("id-1", "250 ok")],
        [Receipt("id-0", "one"), Receipt("id-0", "two"), Receipt("id-0", "three")],
    ],
    ids=["two names", "one name and three words"],
)
def test_receipts_that_are_alike_in_part_are_kept_apart(book, receipts) -> None:
    book.people(3).plan()
    claims = book.taken()
    with book.engine.begin() as db:
        ledger.settle(db, [ledger.Settlement(*pair) for pair in zip(claims, receipts, strict=True)], book.now)
    rows = [book.row(number) for number in range(3)]
    assert [Receipt(row.provider_id, row.response) for row in rows] == receipts
