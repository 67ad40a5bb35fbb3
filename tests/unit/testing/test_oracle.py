"""The judge sees each way in which ledger and receiver can disagree."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import history, ledger
from vinculo.db.tables import delivery, interaction, occurrence
from vinculo.testing import oracle, store
from vinculo.testing.oracle import Taken
from vinculo.testing.provider import Received
from vinculo.testing.store import SIGNER

D = delivery.c


@pytest.fixture
def db(engine: sa.Engine, now: datetime) -> Iterator[sa.Connection]:
    """Three deliveries: the first accepted, the second in doubt, the third skipped."""
    weekly = store.campaign()
    with engine.begin() as connection:
        for number in range(3):
            store.add_contact(connection, key=f"c{number}", email=_to(number + 1), consent=["news"])
        ledger.plan(connection, weekly, store.occurrence(weekly, now), store.allocation(now), now)
        for number, state in enumerate(["accepted", "in_doubt", "skipped"], 1):
            _set(connection, number, state=state, submitted_at=now)
        _remember(connection, 1, now)
        yield connection


def _to(number: int) -> str:
    return f"contato{number}@correio.example"


def _set(db: sa.Connection, number: int, **values: Any) -> None:
    db.execute(sa.update(delivery).where(D.id == number).values(**values))


def _remember(db: sa.Connection, number: int, now: datetime) -> None:
    row = {"contact_id": number, "at": now, "direction": "out", "kind": "sent", "delivery_id": number}
    db.execute(sa.insert(interaction).values(row))


TAKEN = [Taken(1, _to(1)), Taken(2, _to(2))]


def _rules(db: sa.Connection, taken: list[Taken] = TAKEN, *, doubt: int = 1, people: int = 3) -> list[str]:
    return [found.rule for found in oracle.judge(db, taken, doubt=doubt, people=people)]


def test_nothing_is_found_where_nothing_is_wrong(db: sa.Connection) -> None:
    assert _rules(db) == []
    assert _rules(db, TAKEN[:1]) == []  # in doubt is in doubt: the receiver may have it or not


def test_a_message_that_came_twice_breaks_o1(db: sa.Connection) -> None:
    assert _rules(db, [*TAKEN, TAKEN[1]]) == ["O1"]


def test_a_contact_without_a_row_breaks_o2(db: sa.Connection) -> None:
    assert _rules(db, people=4) == ["O2"]


def test_a_finished_occurrence_with_doubt_breaks_o2(db: sa.Connection) -> None:
    db.execute(sa.update(occurrence).values(state="finished"))
    assert _rules(db) == ["O2"]


@pytest.mark.parametrize("state", ["claimed", "submitting", "nowhere"])
def test_a_row_that_nobody_holds_breaks_o2(db: sa.Connection, state: str) -> None:
    _set(db, 3, state=state)
    assert _rules(db) == ["O2"]


def test_an_accepted_row_that_the_history_has_twice_or_not_breaks_o2(db: sa.Connection, now: datetime) -> None:
    _remember(db, 1, now)
    assert _rules(db) == ["O2"]
    db.execute(sa.delete(interaction))
    assert _rules(db) == ["O2"]


def test_more_doubt_than_was_in_flight_breaks_o3(db: sa.Connection) -> None:
    assert _rules(db, doubt=0) == ["O3"]


def test_an_accepted_row_that_the_receiver_has_not_breaks_o4(db: sa.Connection) -> None:
    assert _rules(db, TAKEN[1:]) == ["O4"]


@pytest.mark.parametrize("stranger", [Taken(0, "x@y.example"), Taken(99, _to(1)), Taken(2, _to(1))])
def test_a_message_that_the_ledger_does_not_know_breaks_o4(db: sa.Connection, stranger: Taken) -> None:
    assert _rules(db, [TAKEN[0], stranger]) == ["O4"]


@pytest.mark.parametrize("state", ["planned", "deferred", "rejected", "expired"])
def test_a_message_that_the_ledger_calls_not_sent_breaks_o4(db: sa.Connection, state: str) -> None:
    _set(db, 2, state=state)
    assert _rules(db) == ["O4"]


def test_what_was_written_off_may_have_arrived(db: sa.Connection) -> None:
    _set(db, 2, state="rejected", reason="written_off")
    assert _rules(db) == []


def test_a_message_to_who_was_left_out_breaks_o5(db: sa.Connection) -> None:
    assert set(_rules(db, [*TAKEN, Taken(3, _to(3))])) == {"O4", "O5"}


def test_a_message_handed_over_after_its_contact_left_breaks_o5(db: sa.Connection, now: datetime) -> None:
    store.grant(db, 1, "email", "news", granted=False, at=now - timedelta(seconds=1))
    assert _rules(db) == ["O5"]
    store.grant(db, 1, "email", "news", granted=False, at=now)
    assert _rules(db) == []


def test_a_message_to_a_suppressed_address_breaks_o5(db: sa.Connection) -> None:
    store.suppress(db, "email", _to(1))
    assert _rules(db) == ["O5"]


def test_smtp_sinks_record_names_delivery_and_recipient() -> None:
    name = SIGNER.mail_token("message", 7)
    raw = f"X-Client-Addr: 127.0.0.1\nX-Rcpt-Args: <{_to(1)}> NOTIFY=NEVER\nMessage-ID: <{name}@a.example>\n\nHi\n"
    assert oracle.mails([raw.encode()], SIGNER) == [Taken(7, _to(1))]
    assert oracle.mails([b"Subject: a stranger\n\n"], SIGNER) == [Taken(0, "")]


def test_the_gateways_record_names_the_delivery_by_its_key(db: sa.Connection) -> None:
    key = "/".join(map(str, db.execute(sa.select(D.campaign, D.occurrence, D.contact_id).where(D.id == 2)).one()))
    assert oracle.posted([Received(_to(2), "Hi", key=key)], db) == [Taken(2, _to(2))]


def test_the_history_is_what_the_product_writes(db: sa.Connection) -> None:
    assert [row.kind for row in history.timeline(db, 1)] == ["sent"]
