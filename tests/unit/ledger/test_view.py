"""What the ledger tells people."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from vinculo import ledger
from vinculo.connector import InDoubt, Receipt, Rejected, Temporary
from vinculo.model import DeliveryState, SkipReason
from vinculo.testing import store


def _words(book) -> str:
    with book.engine.begin() as db:
        return ledger.why(db, book.ids[0], "weekly")[0].words


def test_a_waiting_contact_is_told_what_it_waits_for(book) -> None:
    book.people(1).plan(held=True)
    assert _words(book) == "Waits for approval."
    with book.engine.begin() as db:
        ledger.approve(db, "weekly", book.occurrence.key, "ana", book.now)
    assert _words(book) == "Waits for its time, or for a worker."
    with book.engine.begin() as db:
        ledger.pause(db, "weekly", book.now)
    assert _words(book) == "Waits: the campaign is paused."


def test_each_occurrence_has_its_verdict_and_no_row_has_none(book) -> None:
    book.people(1).plan()
    book.settle(book.taken(), Receipt("p"))
    assert _words(book) == "Accepted by the provider."
    with book.engine.begin() as db:
        assert ledger.why(db, book.ids[0], "another") == []


def test_every_state_and_reason_has_words() -> None:
    from vinculo.ledger.view import _SKIPPED, _STATES

    waiting = {DeliveryState.PLANNED, DeliveryState.DEFERRED}
    assert set(_STATES) | waiting == set(DeliveryState)
    assert set(_SKIPPED) == set(SkipReason)


def test_open_rows_are_what_all_states_together_say(book) -> None:
    book.people(8).plan(store.campaign("another"))
    book.plan(store.campaign("weekly"))
    accepted, rejected, deferred, in_doubt, skipped, submitting, *_ = (
        claim for claim in book.claim(limit=15) if claim.key.campaign == "weekly"
    )  # the seventh stays claimed, the eighth waits
    book.submit([accepted, rejected, deferred, in_doubt, submitting])
    outcomes = {accepted: Receipt("p"), rejected: Rejected("no"), deferred: Temporary("later"), in_doubt: InDoubt("?")}
    for claim, outcome in outcomes.items():
        book.settle([claim], outcome)
    with book.engine.begin() as db:
        ledger.skip(db, skipped, SkipReason.RENDER_ERROR, "", book.now)
        found = {state: number for (state, _), number in ledger.counts(db, "weekly", book.occurrence.key).items()}
        assert set(found.values()) == {1}
        assert set(found) > set(ledger.OPEN)
        assert ledger.open_rows(db, "weekly", book.occurrence.key) == len(ledger.OPEN)
        assert ledger.open_rows(db, "weekly", "another day") == 0


def test_what_a_worker_takes_meanwhile_is_counted_once(book) -> None:
    book.people(3).plan()
    taken = []

    def take(*_: object) -> None:
        if not taken:
            taken.extend(book.claim())

    with book.engine.connect().execution_options(read_only=True) as looker, looker.begin():
        sa.event.listen(looker, "after_cursor_execute", take)
        assert ledger.open_rows(looker, book.campaign.name, book.occurrence.key) == 3
    assert len(taken) == 3


def test_two_ledgers_of_the_same_run_export_the_same_whatever_their_ids(book) -> None:
    book.people(2).plan(store.campaign("before"))
    book.plan(store.campaign("weekly"))
    first, second = (claim for claim in book.taken() if claim.key.campaign == "weekly")
    book.settle([first], Receipt("p"))
    book.settle([second], Rejected("no"))
    with book.engine.begin() as db:
        rows = ledger.export(db, "weekly")
    key = book.occurrence.key
    assert rows == [
        (key, "c1", "accepted", "", "email", "c1@example.org", "news", "", "1"),
        (key, "c2", "rejected", "", "email", "c2@example.org", "news", "", "1"),
    ]


@pytest.mark.parametrize("state", ["open", "finished"])
def test_newcomers_join_a_journeys_occurrence_and_open_it_again(book, state) -> None:
    book.people(1).plan()
    if state == "finished":
        book.settle(book.taken(), Receipt("p"))
        assert book.finish()
    assert book.people(1).plan(joining=True) == 1
    assert book.plan(joining=True) == 0
    assert len(book.claim()) == (1 if state == "finished" else 2)
    assert not book.finish()


def test_until_when_workers_hold_what_they_have(book) -> None:
    book.people(3).plan()
    occurrence = book.occurrence.key
    with book.engine.begin() as db:
        assert ledger.held_until(db, "weekly", occurrence, book.now) is None
    book.claim(limit=1)
    book.claim("w2", limit=1, at=book.now + timedelta(minutes=1))
    with book.engine.begin() as db:
        assert ledger.held_until(db, "weekly", occurrence, book.now) == book.now + timedelta(minutes=6)
        assert ledger.held_until(db, "weekly", occurrence, book.now + timedelta(hours=1)) is None


def test_the_first_page_counts_what_waits_is_under_way_in_doubt_and_was_sent(book) -> None:
    book.people(6).plan()
    week = book.now - timedelta(days=7)
    taken = book.taken(5)
    book.settle(taken[:2], Receipt("p"))
    book.settle(taken[2:3], InDoubt("no answer"))
    book.settle(taken[3:4], Temporary("451", after=3600))
    with book.engine.begin() as db:  # one deferred, one being handed over, one planned
        assert ledger.unsettled(db) == {"waiting": 3, "in_doubt": 1}
        assert ledger.sent_since(db, week) == 2
        assert ledger.sent_since(db, book.now) == 0


def test_what_was_sent_is_looked_for_in_the_occurrences_that_were_not_finished_before(book) -> None:
    book.people(2).plan()
    book.settle(book.taken(), Receipt("p"))
    assert book.finish(book.now + timedelta(minutes=1))
    with book.engine.begin() as db:
        assert ledger.sent_since(db, book.now - timedelta(seconds=1)) == 2
        plan = [] if db.dialect.name != "sqlite" else _explained(db, book.now)
    assert not any("SCAN delivery" in step for step in plan), plan


def test_what_workers_hold_is_looked_for_among_what_is_held(sqlite_engine: sa.Engine) -> None:
    now = datetime(2026, 12, 1, tzinfo=UTC)
    for ask in (lambda db: ledger.open_rows(db, "weekly", "o"), lambda db: ledger.held_until(db, "weekly", "o", now)):
        said: list[tuple[str, object]] = []
        with sqlite_engine.connect() as db:
            sa.event.listen(db, "before_cursor_execute", lambda *one, to=said: to.append((one[2], one[3])))
            ask(db)
            plan = [row[3] for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {said[0][0]}", said[0][1])]
        assert any("ix_delivery_held" in step for step in plan), plan
        assert not any("autoindex" in step for step in plan), plan


def _explained(db: sa.Connection, since: datetime) -> list[str]:
    said: list[tuple[str, object]] = []
    sa.event.listen(db, "before_cursor_execute", lambda *one: said.append((one[2], one[3])))
    ledger.sent_since(db, since)
    return [row[3] for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {said[0][0]}", said[0][1])]
