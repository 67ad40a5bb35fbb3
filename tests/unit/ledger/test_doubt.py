"""What is in doubt is listed, and settled by evidence or by a person."""

from datetime import timedelta

import pytest

from vinculo import ledger
from vinculo.connector import InDoubt


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
