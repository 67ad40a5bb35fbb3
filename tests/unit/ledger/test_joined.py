"""A contact is joined into another while its message is under way: whoever dedupes on the key would take it for new."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.unit.ledger.conftest import Ledger
from vinculo import contacts, ledger
from vinculo.connector import InDoubt, Receipt, Temporary, Unavailable
from vinculo.ledger import Claim
from vinculo.testing import store

EMAIL = frozenset({"email"})


@pytest.fixture
def shop(book: Ledger) -> Ledger:
    """Ana (0) and Bea (1), who are one person; Ana alone is in the occurrence."""
    book.people(1).plan(store.campaign(expires="72h"))
    return book.people(1)


def _merge(book: Ledger, seconds: int = 1) -> None:
    book.now += timedelta(seconds=seconds)
    book.merge()
    book.ids[0] = book.ids[1]  # the row is the other's now


def _part(book: Ledger) -> None:
    book.now += timedelta(seconds=1)
    with book.engine.begin() as db:
        contacts.part(db, "c1", book.now)


def _keys(book: Ledger, claims: list[Claim]) -> set[str]:
    """Under which keys its provider has been given the message, if what is lost is sent again when it is due."""
    again = book.claim(at=book.now + timedelta(hours=1))
    return {str(claim.key) for claim in [*claims, *again]}


def test_what_its_provider_would_take_for_new_is_in_doubt(shop: Ledger) -> None:
    claims = shop.taken()
    _merge(shop)  # while it is being handed over
    shop.settle(claims, InDoubt("no answer"), idempotent=True)
    assert (shop.row().state, len(_keys(shop, claims))) == ("in_doubt", 1)


def test_so_is_what_waits_to_be_sent_again(shop: Ledger) -> None:
    claims = shop.taken()
    shop.settle(claims, InDoubt("no answer"), idempotent=True)
    assert shop.row().state == "planned"
    _merge(shop)
    assert (shop.row().state, shop.row().reason, len(_keys(shop, claims))) == ("in_doubt", "merged", 1)


@pytest.mark.parametrize("seconds", [0, 1])
def test_so_is_what_a_dead_worker_was_handing_over(shop: Ledger, seconds: int) -> None:
    claims = shop.taken()
    _merge(shop, seconds)
    found = shop.recover(shop.now + shop.lease, idempotent_channels=EMAIL)
    assert (found.in_doubt, found.resent, len(_keys(shop, claims))) == (1, 0, 1)


def test_two_who_are_parted_again_have_their_keys_again(shop: Ledger) -> None:
    ana = shop.ids[0]
    claims = shop.taken()
    shop.settle(claims, InDoubt("no answer"), idempotent=True)
    _merge(shop)
    _part(shop)
    shop.ids[0] = ana
    assert (shop.row().state, len(_keys(shop, claims))) == ("planned", 1)


def test_what_was_handed_over_while_they_were_one_is_in_doubt_when_they_are_parted(shop: Ledger) -> None:
    ana = shop.ids[0]
    _merge(shop)
    claims = shop.taken()
    shop.settle(claims, InDoubt("no answer"), idempotent=True)
    _part(shop)
    shop.ids[0] = ana
    assert (shop.row().state, len(_keys(shop, claims))) == ("in_doubt", 1)


def test_whoever_may_have_it_as_the_other_does_not_get_it_again(book: Ledger) -> None:
    book.people(2).plan()
    claims = book.taken()
    ana, bea = sorted(claims, key=lambda claim: claim.key.contact_id)
    book.settle([ana], InDoubt("no answer"), idempotent=True)  # planned again, and perhaps there
    book.settle([bea], Temporary("450"))
    book.merge()
    assert (book.row(0).state, book.row(1).state, book.row(1).reason) == ("in_doubt", "cancelled", "merged")


@pytest.mark.parametrize("had", [Receipt("1"), InDoubt("no answer")])
def test_nor_by_what_was_being_handed_over_and_comes_back(book: Ledger, had: Receipt | InDoubt) -> None:
    book.people(2).plan(store.campaign(expires="72h"))
    ana, bea = sorted(book.taken(), key=lambda claim: claim.key.contact_id)
    book.settle([ana], had)
    book.merge()
    book.settle([bea], Temporary("450"))
    assert (book.row(1).state, book.row(1).reason) == ("expired", "too_late")


@pytest.mark.parametrize("answer", [Temporary("450"), Unavailable("421")])
def test_nor_by_what_was_in_doubt_and_comes_back_after_all(book: Ledger, answer: Temporary | Unavailable) -> None:
    """Its worker slept beyond its lease, and lives."""
    book.people(2).plan(store.campaign(expires="72h"))
    before = book.row(1).expires_at
    ana, bea = sorted(book.taken(), key=lambda claim: claim.key.contact_id)
    book.settle([ana], Receipt("1"))
    book.recover(book.now + book.lease)
    book.merge()
    assert book.row(1).state == "in_doubt"
    book.settle([bea], answer)
    assert (book.row(1).state, book.row(1).reason) == ("expired", "too_late")
    _part(book)
    assert (book.row(1).state, book.row(1).expires_at) == ("planned", before)


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_that_both_come_back_neither_is_sent_and_the_rows_say_so(book: Ledger, order: int) -> None:
    """Whichever is first: it does not know what becomes of the other."""
    book.people(2).plan(store.campaign(expires="72h"))
    claims = sorted(book.taken(), key=lambda claim: claim.key.contact_id)
    book.merge()
    for claim in claims[::order]:
        book.settle([claim], Temporary("450"))
    later = book.now + timedelta(hours=1)
    assert book.submit(book.claim(at=later), later) == set()
    found = [(book.row(who).state, book.row(who).reason) for who in (0, 1)]
    assert found == [("skipped", "suppressed"), ("expired", "too_late")]
    _part(book)
    assert book.row(1).state == "planned"


def test_it_waits_again_when_they_are_parted_for_it_was_the_merge_that_held_it_back(book: Ledger) -> None:
    book.people(2).plan(store.campaign(expires="72h"))
    ana, bea = sorted(book.taken(), key=lambda claim: claim.key.contact_id)
    book.settle([ana], Receipt("1"))
    book.merge()
    book.settle([bea], Temporary("450"))
    _part(book)
    assert (book.row(0).state, book.row(1).state, book.row(1).settled_at) == ("accepted", "planned", None)
    assert [claim.id for claim in book.claim(at=book.now + timedelta(hours=1))] == [bea.id]
    assert book.claim(at=book.now + timedelta(hours=73)) == []
    assert book.row(1).state == "claimed"


def test_what_is_still_being_handed_over_when_they_are_parted_expires_when_it_would_have(book: Ledger) -> None:
    book.people(2).plan(store.campaign(expires="72h"))
    before = book.row(1).expires_at
    ana, bea = sorted(book.taken(), key=lambda claim: claim.key.contact_id)
    book.settle([ana], Receipt("1"))
    book.merge()
    _part(book)
    book.settle([bea], Temporary("450"))
    assert (book.row(1).state, book.row(1).expires_at) == ("deferred", before)


def test_nor_is_it_when_the_clock_was_set_back_since(book: Ledger) -> None:
    book.people(2).plan(store.campaign(expires="72h"))
    ana, bea = sorted(book.taken(), key=lambda claim: claim.key.contact_id)
    book.settle([ana], Receipt("1"))
    book.merge()
    book.settle([bea], Temporary("450"), at=book.now - timedelta(hours=2))
    assert book.row(1).state == "expired"


def test_who_is_marked_while_the_two_are_joined_is_the_only_one_who_gets_it(
    postgres_engine: sa.Engine, now: datetime
) -> None:
    book = Ledger(postgres_engine, now).people(2)
    book.plan(store.campaign(expires="72h"))
    mine = [claim for claim in book.claim() if claim.key.contact_id == book.ids[0]]

    book.merge_beside(lambda db: ledger.submit(db, mine, now))
    assert (book.row(0).state, book.row(1).state) == ("submitting", "cancelled")


def test_what_waits_and_the_other_has_not_had_still_waits(shop: Ledger) -> None:
    with shop.engine.begin() as db:
        contacts.merge(db, shop.ids[0], shop.ids[1], shop.now)
    assert (shop.row().state, len(shop.claim())) == ("planned", 1)


def test_what_the_other_had_last_week_holds_nothing_of_this_week_back(book: Ledger) -> None:
    book.people(2).plan()
    theirs = [claim for claim in book.claim() if claim.key.contact_id == book.ids[1]]
    assert book.submit(theirs)
    book.settle(theirs, Receipt("1"))
    book.now += timedelta(days=7)
    book.plan()
    with book.engine.begin() as db:
        contacts.merge(db, book.ids[0], book.ids[1], book.now)
    (claim,) = book.claim()
    assert (claim.key.contact_id, claim.key.occurrence) == (book.ids[0], book.occurrence.key)


@pytest.mark.parametrize("had", [Receipt("1"), InDoubt("no answer"), None])
def test_nor_does_whoever_had_it_as_one_who_had_become_the_other_before(
    book: Ledger, had: Receipt | InDoubt | None
) -> None:
    """Of three who are one person the third had it; its empty row still says so. None: it is being handed over."""
    book.people(3).plan(store.campaign(expires="72h"))
    ana, bea, cia = book.ids
    theirs = [claim for claim in book.claim() if claim.key.contact_id == cia]
    assert book.submit(theirs)
    if had:
        book.settle(theirs, had)
    for kept, joined in ((bea, cia), (ana, bea)):
        with book.engine.begin() as db:
            contacts.merge(db, kept, joined, book.now)
    assert [book.row(each).state for each in (0, 1)] == ["cancelled", "cancelled"]
    assert book.claim(at=book.now + timedelta(hours=1)) == []


def test_what_the_other_has_not_had_is_tried_again_when_it_comes_back(shop: Ledger) -> None:
    claims = shop.taken()
    with shop.engine.begin() as db:
        contacts.merge(db, shop.ids[0], shop.ids[1], shop.now)
    shop.settle(claims, Temporary("450"))
    assert shop.row().state == "deferred"


def test_what_a_dead_worker_was_handing_over_to_who_has_it_as_the_other_is_not_sent_again(book: Ledger) -> None:
    book.people(2).plan(store.campaign(expires="72h", in_doubt="resend"))
    ana, _ = sorted(book.taken(), key=lambda claim: claim.key.contact_id)
    book.settle([ana], Receipt("1"))
    book.merge()
    book.now += book.lease
    assert (book.recover(book.now).resent, book.claim(), book.row(1).state) == (1, [], "in_doubt")


def test_an_answer_that_comes_is_the_one_who_stayed_s(shop: Ledger) -> None:
    claims = shop.taken()
    _merge(shop)
    assert shop.settle(claims, Receipt("1"), idempotent=True).accepted == tuple(claims)
    assert shop.row().state == "accepted"
    _part(shop)


def test_a_refusal_for_now_is_tried_again(shop: Ledger) -> None:
    claims = shop.taken()
    _merge(shop)
    shop.settle(claims, Temporary("450"), idempotent=True)
    assert shop.row().state == "deferred"
    assert len(shop.claim(at=shop.now + timedelta(hours=1))) == 1


def test_so_is_what_a_dead_worker_was_handing_over_when_they_were_parted(shop: Ledger) -> None:
    _merge(shop)
    shop.now += timedelta(seconds=1)
    shop.taken()
    _part(shop)
    found = shop.recover(shop.now + shop.lease, idempotent_channels=EMAIL)
    assert (found.in_doubt, found.resent) == (1, 0)


def test_a_merge_of_before_or_of_others_is_no_doubt(shop: Ledger) -> None:
    _merge(shop)
    shop.now += timedelta(seconds=1)
    shop.taken()
    shop.people(2)
    with shop.engine.begin() as db:
        contacts.merge(db, shop.ids[3], shop.ids[2], shop.now)
    found = shop.recover(shop.now + shop.lease, idempotent_channels=EMAIL)
    assert (found.in_doubt, found.resent) == (0, 1)
