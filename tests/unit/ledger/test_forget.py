"""What is given up when a channel gets another provider, by the ledger alone."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from tests.unit.ledger.conftest import Ledger
from vinculo import ledger
from vinculo.connector import InDoubt
from vinculo.db.tables import contact, delivery

#: More than PostgreSQL takes as parameters of a statement.
MANY = 66_000


def _forget(book: Ledger, channel: str = "email") -> int:
    with book.engine.begin() as db:
        return ledger.forget(db, [channel], book.now)


def _states(book: Ledger) -> dict[str, int]:
    number = sa.func.count().label("number")
    with book.engine.begin() as db:
        rows = db.execute(sa.select(delivery.c.state, number).group_by(delivery.c.state))
        return {row.state: row.number for row in rows}


def test_what_a_worker_holds_is_free_again_and_not_handed_over(book: Ledger) -> None:
    """Should it die while it does, the next would take the row for one that its own provider knows."""
    book.people(3).plan()
    claims = book.claim(limit=2)
    assert _forget(book, "sms") == 0
    assert _states(book) == {"claimed": 2, "planned": 1}
    assert _forget(book) == 0
    assert (_states(book), book.row().lease_until) == ({"planned": 3}, None)
    assert book.submit(claims) == set()
    assert len(book.claim("w2")) == 3
    assert book.submit(claims) == set()


def test_what_it_holds_of_what_had_no_answer_is_in_doubt_all_the_same(book: Ledger) -> None:
    book.people(2).plan()
    book.settle(book.taken(1), InDoubt("timeout"), idempotent=True)
    claims = book.claim(at=book.now + timedelta(hours=1))
    assert len(claims) == 2
    assert _forget(book) == 1
    assert _states(book) == {"planned": 1, "in_doubt": 1}
    assert book.row().response == "its provider was changed before it had answered"


def test_it_may_be_any_number(book: Ledger) -> None:
    """Else no worker could begin a round any more."""
    book.people(1).plan()
    numbers = sa.select(sa.literal(100).label("x")).cte(recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.x + 1).where(numbers.c.x < 99 + MANY))
    who, when = numbers.c.x, sa.literal(book.now, delivery.c.due_at.type)
    row = {"campaign": "weekly", "occurrence": book.occurrence.key, "state": "planned", "channel": "email"}
    row |= {"topic": "service", "basis": "service"}
    times = "due_at", "expires_at", "submitted_at", "lost_at"
    rows = sa.select(*map(sa.literal, row.values()), who, *[when for _ in times], 1)
    with book.engine.begin() as db:
        people = sa.select(who, sa.cast(who, sa.Text), when, when)
        db.execute(sa.insert(contact).from_select(["id", "key", "first_seen", "updated_at"], people))
        db.execute(sa.insert(delivery).from_select([*row, "contact_id", *times, "crashes"], rows))
    assert _forget(book) == MANY
    assert _states(book) == {"in_doubt": MANY, "planned": 1}
