"""From an allocation to rows, each contact once."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.unit.ledger.conftest import Ledger
from vinculo import ledger
from vinculo.connector import InDoubt, Receipt, Temporary
from vinculo.db.tables import occurrence
from vinculo.errors import NotFound
from vinculo.testing import store


def test_every_contact_gets_exactly_one_row(book) -> None:
    with book.people(3).engine.begin() as db:
        book.ids.append(store.add_contact(db, key="nowhere"))
    assert book.plan() == 4
    assert book.counts() == {("planned", ""): 3, ("skipped", "no_address"): 1}


def test_planning_again_changes_nothing_even_for_newcomers(book) -> None:
    book.people(2).plan()
    assert book.people(1).plan() == 0
    assert book.counts() == {("planned", ""): 2}


def test_the_definition_is_kept_as_it_was_when_planned(book) -> None:
    book.people(1).plan(store.campaign(in_doubt="resend", late={"within": "1h", "else": "send"}))
    with book.engine.begin() as db:
        (place,) = ledger.open_occurrences(db)
        assert ledger.place(db, "weekly", book.occurrence.key) == place
    assert type(book.campaign).model_validate(place.definition) == book.campaign
    assert (place.state, place.due_at) == ("open", book.now)


def test_an_occurrence_for_nobody_leaves_no_trace_so_that_who_is_imported_next_gets_it(book) -> None:
    assert book.plan() == 0
    assert not book.finish()
    book.people(2)
    assert book.plan() == 2


@pytest.mark.parametrize(("people", "hours"), [(2, 1), (0, 0)])
def test_an_occurrence_is_dated_by_the_first_of_its_rows_that_wait_or_of_all_where_none_does(
    book, people: int, hours: int
) -> None:
    """Who is left out would have been due at once; who is not, in an hour."""
    with book.people(people).engine.begin() as db:
        store.add_contact(db, key="nowhere")
        rows = store.allocation(book.now).subquery()
        late = sa.type_coerce(book.now + timedelta(hours=1), rows.c.due_at.type)
        due = sa.case((rows.c.state == "planned", late), else_=rows.c.due_at).label("due_at")
        others = (column for column in rows.c if column.name != "due_at")
        day = store.occurrence(book.campaign, book.now)
        ledger.plan(db, book.campaign, day, sa.select(*others, due), book.now - timedelta(days=1))
        assert db.scalar(sa.select(occurrence.c.due_at)) == book.now + timedelta(hours=hours)


def test_a_held_occurrence_is_claimed_only_after_approval(book) -> None:
    book.people(2).plan(held=True)
    assert book.claim() == []
    assert not book.finish()
    with book.engine.begin() as db:
        ledger.approve(db, "weekly", book.occurrence.key, "ana", book.now)
        assert db.scalar(sa.select(occurrence.c.approved_by)) == "ana"
    assert len(book.claim()) == 2


def test_a_rejected_occurrence_is_cancelled_and_cannot_be_approved_later(book) -> None:
    book.people(2).plan(held=True)
    with book.engine.begin() as db:
        ledger.reject(db, "weekly", book.occurrence.key, "ana", book.now)
        ledger.approve(db, "weekly", book.occurrence.key, "rui", book.now)
        said = sa.select(occurrence.c.state, occurrence.c.approved_by)
        assert db.execute(said).one() == ("cancelled", "ana")
    assert book.claim() == []
    assert book.counts() == {("cancelled", ""): 2}


def test_approving_what_was_never_planned_says_so(book) -> None:
    with book.engine.begin() as db, pytest.raises(NotFound, match="no planned occurrence"):
        ledger.approve(db, "weekly", "2026-01-01T09:00[UTC]", "ana", book.now)


def test_an_occurrence_is_finished_only_when_no_row_is_open(book) -> None:
    book.people(2).plan()
    first, second = book.taken()
    book.settle([first], Receipt("p1"))
    assert not book.finish()
    book.settle([second], Receipt("p2"))
    assert book.finish()
    assert book.finish()


def test_finishing_expires_what_is_too_old(book) -> None:
    book.people(2).plan()
    assert not book.finish(book.now + timedelta(hours=71))
    assert book.finish(book.now + timedelta(hours=72))
    assert book.counts() == {("expired", "too_late"): 2}


def test_finishing_expires_only_what_waits(book) -> None:
    book.people(4).plan()
    accepted, doubted, _ = book.taken(3)
    book.settle([accepted], Receipt("p1"))
    book.settle([doubted], InDoubt("no answer"))
    assert not book.finish(book.now + timedelta(hours=72))
    each = [("accepted", ""), ("in_doubt", ""), ("submitting", ""), ("expired", "too_late")]
    assert book.counts() == dict.fromkeys(each, 1)


def test_finishing_calls_off_what_waits_of_an_occurrence_that_was_cancelled(book) -> None:
    book.people(1).plan()
    with book.engine.begin() as db:
        db.execute(sa.update(occurrence).values(state="cancelled"))
    assert not book.finish()
    assert book.counts() == {("cancelled", ""): 1}


def test_a_campaign_cancelled_before_planning_is_planned_as_cancelled(book) -> None:
    with book.people(2).engine.begin() as db:
        ledger.cancel(db, "weekly", book.now)
    book.plan()
    assert book.counts() == {("cancelled", ""): 2}


def test_a_row_that_goes_from_hand_to_hand_while_it_is_being_finished_is_seen(
    postgres_engine: sa.Engine, now: datetime
) -> None:
    book = Ledger(postgres_engine, now).people(1)
    book.plan()
    claims = book.taken()

    def defer(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith("SELECT") and "EXISTS" in statement and claims:
            book.settle([claims.pop()], Temporary("450"))

    with postgres_engine.connect() as finishing, finishing.begin():
        sa.event.listen(finishing, "after_cursor_execute", defer)
        assert not ledger.finish(finishing, "weekly", book.occurrence.key, now)
    assert not claims
    assert book.row().state == "deferred"


def test_who_joins_while_it_is_being_finished_is_not_shut_in(postgres_engine: sa.Engine, now: datetime) -> None:
    book = Ledger(postgres_engine, now).people(1)
    book.plan()
    book.settle(book.taken(), Receipt("p"))
    book.people(1)
    joined: list[bool] = []

    def join_at_the_last_moment(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith("UPDATE occurrence") and not joined:
            joined.append(False)
            joined[0] = _join_without_waiting(book)

    with postgres_engine.connect() as finishing, finishing.begin():
        sa.event.listen(finishing, "before_cursor_execute", join_at_the_last_moment)
        ledger.finish(finishing, "weekly", book.occurrence.key, now)
    if not joined[0]:
        book.plan(joining=True)
    assert len(book.claim()) == 1


def _join_without_waiting(book: Ledger) -> bool:
    rows = store.allocation(book.now)
    try:
        with book.engine.begin() as db:
            db.execute(sa.text("SET LOCAL lock_timeout = '200ms'"))
            return bool(ledger.plan(db, book.campaign, book.occurrence, rows, book.now, joining=True))
    except sa.exc.OperationalError:
        return False
