"""What is in doubt is listed, and settled by evidence or by a person."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from vinculo import ledger
from vinculo.connector import InDoubt, Rejected, Temporary
from vinculo.db.tables import interaction
from vinculo.testing import store


@pytest.fixture
def doubted(book):
    """Two rows in doubt."""
    book.people(2).plan()
    book.settle(book.taken(), InDoubt("no answer after the last byte"))
    return book


def test_it_is_listed_with_who_and_since_when(doubted) -> None:
    with doubted.engine.begin() as db:
        first, _ = ledger.in_doubt(db, "weekly")
        assert ledger.in_doubt(db, "another") == []
    assert (first.contact, first.since, first.response) == ("c1", doubted.now, "no answer after the last byte")


@pytest.mark.parametrize(
    ("decision", "state", "reason"),
    [("accepted", "accepted", ""), ("resend", "planned", ""), ("write_off", "rejected", "written_off")],
)
def test_a_person_decides(doubted, decision, state, reason) -> None:
    number = doubted.row().id
    with doubted.engine.begin() as db:
        assert [claim.id for claim in ledger.resolve(db, [number], decision, doubted.now)] == [number]
        assert ledger.resolve(db, [number], decision, doubted.now) == []
    assert (doubted.row().state, doubted.row().reason) == (state, reason)
    assert doubted.row(1).state == "in_doubt"


def test_what_a_person_sends_again_has_a_day_even_if_it_was_too_old(doubted) -> None:
    late, number = doubted.now + timedelta(days=9), doubted.row().id
    with doubted.engine.begin() as db:
        ledger.resolve(db, [number], "resend", late)
    assert len(doubted.claim(at=late)) == 1
    assert doubted.row().expires_at == late + timedelta(days=1)


def test_later_evidence_settles_the_doubt_once(doubted) -> None:
    number = doubted.row().id
    with doubted.engine.begin() as db:
        proved = ledger.evidence(db, number, doubted.now)
        assert proved is not None
        assert proved.key.contact_id == doubted.ids[0]
        assert ledger.evidence(db, number, doubted.now) is None
    assert doubted.row().state == "accepted"


def test_evidence_corrects_what_was_written_off(doubted) -> None:
    number = doubted.row().id
    with doubted.engine.begin() as db:
        ledger.resolve(db, [number], "write_off", doubted.now)
        assert ledger.evidence(db, number, doubted.now)


def test_what_is_not_in_doubt_is_not_listed(doubted) -> None:
    numbers = [doubted.row(number).id for number in (0, 1)]
    with doubted.engine.begin() as db:
        ledger.resolve(db, numbers[:1], "accepted", doubted.now)
        assert [one.id for one in ledger.in_doubt(db)] == numbers[1:]


def test_what_waits_longest_is_listed_first(book) -> None:
    book.people(2).plan()
    first, second = book.claim()
    for claim, at in ((second, book.now), (first, book.now + timedelta(seconds=1))):
        book.submit([claim], at)
    book.settle([first, second], InDoubt("no answer"))
    with book.engine.begin() as db:
        assert [one.id for one in ledger.in_doubt(db)] == [second.id, first.id]


@pytest.mark.parametrize("decision", ["accepted", "write_off"])
def test_what_a_person_settles_is_dated(doubted, decision) -> None:
    number = doubted.row().id
    with doubted.engine.begin() as db:
        ledger.resolve(db, [number], decision, doubted.now)
    assert doubted.row().settled_at == doubted.now


def test_what_a_person_sends_again_may_have_arrived_all_the_same(doubted) -> None:
    number = doubted.row().id
    with doubted.engine.begin() as db:
        ledger.resolve(db, [number], "resend", doubted.now)
        ledger.cancel(db, "weekly", doubted.now)
    assert doubted.row().state == "in_doubt"


def test_what_a_person_sends_again_is_due_at_once_and_suspected_of_nothing(doubted) -> None:
    number = doubted.row().id
    assert doubted.row().crashes == 1
    with doubted.engine.begin() as db:
        ledger.resolve(db, [number], "resend", doubted.now)
    assert [(claim.id, claim.crashes) for claim in doubted.claim()] == [(number, 0)]


def test_evidence_of_one_says_nothing_of_another(doubted) -> None:
    number = doubted.row().id
    with doubted.engine.begin() as db:
        ledger.evidence(db, number, doubted.now)
    assert (doubted.row().state, doubted.row(1).state) == ("accepted", "in_doubt")


@pytest.mark.parametrize("answer", [Rejected("554"), Temporary("450")])
def test_evidence_of_what_was_answered_changes_nothing(book, answer) -> None:
    """Some programs open what a server then refuses: only a doubt is settled by it."""
    book.people(1).plan()
    book.settle(book.taken(), answer)
    before = book.row()
    with book.engine.begin() as db:
        assert ledger.evidence(db, before.id, book.now) is None
    assert book.row() == before


@pytest.mark.parametrize(
    ("kind", "data", "which", "state"),
    [
        ("opened", {}, 0, "accepted"),
        ("purchased", {}, 0, "in_doubt"),
        ("replied", {"matched_by": "address"}, 0, "in_doubt"),
        ("opened", {}, 1, "in_doubt"),
    ],
    ids=["its own", "needs no message", "guessed by its address", "of another message"],
)
def test_what_a_dead_worker_was_handing_over_is_proved_by_its_own_events_only(book, kind, data, which, state) -> None:
    book.people(1).plan(store.campaign("weekly"))
    [claim] = book.taken()
    book.plan(store.campaign("monthly"))
    [other] = book.taken()
    seen = {"contact_id": book.ids[0], "at": book.now, "direction": "in", "kind": kind, "data": data}
    with book.engine.begin() as db:
        db.execute(sa.insert(interaction).values(**seen, delivery_id=(claim, other)[which].id))
    book.recover(book.now + book.lease)
    with book.engine.begin() as db:
        assert ledger.counts(db, "weekly") == {(state, ""): 1}
