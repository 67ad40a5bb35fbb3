"""Of two contacts that are merged the one that stays is not sent what the other has: not by a person, not by an answer
that comes at the same moment, not by a claim of before.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.unit.ledger.conftest import Ledger
from vinculo import contacts, ledger
from vinculo.connector import InDoubt, Receipt, Temporary
from vinculo.testing import store


@pytest.mark.parametrize("had", [Receipt("1"), InDoubt("no answer")])
def test_what_the_other_has_is_not_sent_again_by_a_person_either(book: Ledger, had: Receipt | InDoubt) -> None:
    """Before it is known that the other has not got it."""
    book.people(2).plan(store.campaign(expires="72h"))
    ana, bea = sorted(book.taken(), key=lambda claim: claim.key.contact_id)
    book.settle([ana], had)
    book.settle([bea], InDoubt("no answer"))
    book.merge()
    with book.engine.begin() as db:
        assert ledger.resolve(db, [bea.id], "resend", book.now) == []
        assert (ledger.had(db, [bea.id]), ledger.had(db, [ana.id])) == (1, 0)
    assert (book.row(1).state, book.claim()) == ("in_doubt", [])
    with book.engine.begin() as db:
        ledger.resolve(db, [ana.id], "write_off", book.now)
        found = ledger.resolve(db, [bea.id], "resend", book.now)
    assert [claim.id for claim in found] == ([bea.id] if isinstance(had, InDoubt) else [])


def test_a_person_lets_be_sent_again_what_the_other_had_last_week_or_was_not_to_get(book: Ledger) -> None:
    book.people(2).plan()
    theirs = [claim for claim in book.claim() if claim.key.contact_id == book.ids[0]]
    book.submit(theirs)
    book.settle(theirs, Receipt("1"))
    book.now += timedelta(days=7)
    book.plan()
    mine = [claim for claim in book.claim() if claim.key.contact_id == book.ids[1]]
    book.submit(mine)
    book.settle(mine, InDoubt("no answer"))
    book.merge()
    with book.engine.begin() as db:
        assert len(ledger.resolve(db, [mine[0].id], "resend", book.now)) == 1
    assert [claim.id for claim in book.claim()] == [mine[0].id]


@pytest.mark.parametrize("who", ["worker", "person"])
def test_nor_is_it_by_who_lets_it_wait_again_at_the_moment_of_the_merge(
    postgres_engine: sa.Engine, now: datetime, who: str
) -> None:
    book = Ledger(postgres_engine, now).people(2)
    book.plan(store.campaign(expires="72h"))
    ana, bea = sorted(book.taken(), key=lambda claim: claim.key.contact_id)
    book.settle([ana], Receipt("1"))
    if who == "person":
        book.settle([bea], InDoubt("no answer"))

    book.merge_beside(
        lambda db: (
            ledger.resolve(db, [bea.id], "resend", now)
            if who == "person"
            else ledger.settle(db, [ledger.Settlement(bea, Temporary("450"))], now)
        )
    )
    assert book.claim(at=now + timedelta(hours=1)) == []
    assert book.row(1).state == ("in_doubt" if who == "person" else "cancelled")


@pytest.mark.parametrize("answer", [Receipt("1"), Temporary("450")])
def test_what_a_merge_calls_off_is_in_nobody_s_hands(book: Ledger, answer: Receipt | Temporary) -> None:
    """Whoever claimed it finds the claim void, also after the two are parted, and no lease is left to run out."""
    book.people(2).plan(store.campaign(expires="72h"))
    ana, bea = sorted(book.claim(), key=lambda claim: claim.key.contact_id)
    book.submit([ana])
    book.settle([ana], Receipt("1"))
    book.merge()
    assert (book.row(1).state, book.row(1).fence, book.row(1).lease_until) == ("cancelled", bea.fence + 1, None)
    with book.engine.begin() as db:
        contacts.part(db, "c1", book.now)
    assert (book.submit([bea]), book.settle([bea], answer).stale) == (set(), (bea,))
    assert book.row(1).state == "planned"
