"""A lease on due rows: by priority, once, for a while."""

from datetime import timedelta

import sqlalchemy as sa

from vinculo import contacts, ledger
from vinculo.connector import Receipt, Rejected, Temporary
from vinculo.db.tables import delivery
from vinculo.model import SkipReason
from vinculo.testing import store


def test_a_row_is_in_one_workers_hands_at_a_time(book) -> None:
    book.people(5).plan()
    first, second = book.claim("w1", 3), book.claim("w2", 3)
    assert [claim.key.contact_id for claim in first + second] == book.ids
    assert book.claim("w3") == []


def test_what_is_not_yet_due_is_not_claimed(book) -> None:
    book.people(1).plan()
    assert book.claim(at=book.now - timedelta(microseconds=1)) == []
    with book.engine.begin() as db:
        assert ledger.next_due(db, "weekly") == book.now


def test_of_an_occurrence_that_is_due_only_what_is_due_itself_is_claimed(book) -> None:
    book.people(2).plan()
    d = delivery.c
    with book.engine.begin() as db:
        later = book.now + timedelta(microseconds=1)
        db.execute(sa.update(delivery).where(d.contact_id == book.ids[0]).values(due_at=later))
    assert [claim.key.contact_id for claim in book.claim()] == [book.ids[1]]
    assert [claim.key.contact_id for claim in book.claim(at=later)] == [book.ids[0]]


def test_higher_priority_goes_first_across_campaigns(book) -> None:
    book.people(2).plan(store.campaign("a-low", priority=10))
    book.plan(store.campaign("b-high", priority=90))
    assert [claim.key.campaign for claim in book.claim(limit=3)] == ["b-high", "b-high", "a-low"]


def test_a_claim_can_be_of_one_campaign_and_without_a_channel(book) -> None:
    book.people(1).plan(store.campaign("one"))
    book.plan(store.campaign("two"))
    with book.engine.begin() as db:
        assert ledger.claim(db, "w", 9, book.now, book.lease, without=["email"]) == []
        (claim,) = ledger.claim(db, "w", 9, book.now, book.lease, campaign="two", occurrence=book.occurrence.key)
    assert (claim.key.campaign, claim.address, claim.fence) == ("two", "c1@example.org", 1)


def test_a_paused_campaign_is_not_claimed_until_it_is_resumed(book) -> None:
    book.people(1).plan()
    with book.engine.begin() as db:
        ledger.pause(db, "weekly", book.now)
    assert book.claim() == []
    with book.engine.begin() as db:
        assert ledger.resume(db, "weekly", book.now)
    assert len(book.claim()) == 1


def test_the_last_reason_of_a_pause_counts_and_a_cancelled_campaign_stays_cancelled(book) -> None:
    """A campaign may be paused because its run is suspended: resuming the run must not undo a pause said since."""
    with book.engine.begin() as db:
        ledger.pause(db, "weekly", book.now, "its run was suspended")
        ledger.pause(db, "weekly", book.now, "too many complaints")
        assert ledger.cause(db, "weekly") == "too many complaints"
        ledger.cancel(db, "weekly", book.now, "over")
        ledger.pause(db, "weekly", book.now, "console")
        assert (ledger.standing(db, "weekly"), ledger.cause(db, "weekly")) == ("cancelled", "over")


def test_one_pause_alone_can_be_undone(book) -> None:
    with book.engine.begin() as db:
        ledger.pause(db, "weekly", book.now, "too many complaints")
        assert not ledger.resume(db, "weekly", book.now, only="its run was suspended")
        ledger.cancel(db, "weekly", book.now, "its run was suspended")
        assert not ledger.resume(db, "weekly", book.now, only="its run was suspended")
        assert ledger.standing(db, "weekly") == "cancelled"
        ledger.resume(db, "weekly", book.now)
        ledger.pause(db, "weekly", book.now, "its run was suspended")
        assert ledger.resume(db, "weekly", book.now, only="its run was suspended")
        assert ledger.standing(db, "weekly") == ""


def test_what_is_too_old_expires_on_the_way(book) -> None:
    book.people(3).plan()
    assert book.claim(at=book.now + timedelta(hours=72)) == []
    assert book.counts() == {("expired", "too_late"): 3}


def test_a_deferred_row_is_claimed_again_when_it_is_due(book) -> None:
    book.people(1).plan()
    book.settle(book.taken(), Temporary("later", after=600))
    assert book.claim(at=book.now + timedelta(seconds=599)) == []
    (again,) = book.claim(at=book.now + timedelta(seconds=600))
    assert (again.attempts, again.fence) == (1, 2)


def test_a_released_row_is_free_again_and_its_old_claim_void(book) -> None:
    book.people(1).plan()
    old = book.claim("w1")
    with book.engine.begin() as db:
        assert ledger.release(db, old, book.now) == 1
    (new,) = book.claim("w2")
    with book.engine.begin() as db:
        assert ledger.release(db, old, book.now) == 0
        assert not ledger.skip(db, old[0], SkipReason.RENDER_ERROR, "", book.now)
    assert book.submit(old) == set()
    assert book.submit([new]) == {new.id}


def test_a_contact_whose_template_fails_is_left_out_with_the_reason(book) -> None:
    book.people(1).plan()
    (claim,) = book.claim()
    with book.engine.begin() as db:
        assert ledger.skip(db, claim, SkipReason.RENDER_ERROR, "`city` is undefined", book.now)
        (verdict,) = ledger.why(db, book.ids[0], "weekly")
    assert (verdict.state, verdict.reason, verdict.response) == ("skipped", "render_error", "`city` is undefined")
    assert book.finish()


def test_a_renewed_lease_is_longer_and_one_that_is_over_stays_over(book) -> None:
    book.people(3).plan()
    claims = book.claim()
    book.submit(claims[:1])
    later = book.now + timedelta(minutes=4)
    with book.engine.begin() as db:
        assert ledger.renew(db, claims, later, book.lease) == 3
        assert ledger.renew(db, [], later, book.lease) == 0
    assert book.recover(book.now + timedelta(minutes=8)) == ledger.Recovered()
    with book.engine.begin() as db:
        assert ledger.renew(db, claims, book.now + timedelta(minutes=9), book.lease) == 0
    assert book.recover(book.now + timedelta(minutes=9)) == ledger.Recovered(released=2, in_doubt=1)


def test_what_expires_when_it_is_claimed_is_dated(book) -> None:
    book.people(1).plan(store.campaign(expires="1h"))
    late = book.now + timedelta(hours=2)
    assert book.claim(at=late) == []
    assert (book.row().state, book.row().settled_at) == ("expired", late)


def test_a_person_who_has_it_as_another_contact_does_not_get_it_again(book) -> None:
    book.people(2).plan()
    book.settle(book.taken(limit=1), Receipt("p"))
    held = book.claim()
    with book.engine.begin() as db:
        contacts.merge(db, book.ids[1], book.ids[0], book.now)
    assert book.submit(held) == set()
    assert (book.row(1).state, book.row(1).reason) == ("cancelled", "merged")


def test_a_person_whose_other_contact_was_refused_still_gets_it(book) -> None:
    book.people(2).plan()
    book.settle(book.taken(limit=1), Rejected("554"))
    with book.engine.begin() as db:
        contacts.merge(db, book.ids[1], book.ids[0], book.now)
    assert [claim.key.contact_id for claim in book.claim()] == [book.ids[1]]
