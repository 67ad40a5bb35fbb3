"""Too many complaints or hard bounces pause a campaign until a person resumes it, and not before."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.unit.traffic.conftest import LEASE, Street
from vinculo import ledger, traffic
from vinculo.connector import BadAddress
from vinculo.db.tables import control, delivery
from vinculo.project.schema import Breakers
from vinculo.traffic import BOUNCED, COMPLAINED, Setback

BREAKERS = Breakers(complaints=0.3, bounces=5, after=500)


@pytest.fixture
def sent(street: Street) -> Street:
    """A thousand were sent, of which 600 are accepted so far."""
    street.people(1000)
    accept(street, 600)
    return street


def accept(street: Street, count: int) -> None:
    with street.engine.begin() as db:
        ids = sa.select(delivery.c.id).where(delivery.c.state == "planned").order_by(delivery.c.id).limit(count)
        db.execute(sa.update(delivery).where(delivery.c.id.in_(ids)).values(state="accepted", submitted_at=street.now))


def happen(street: Street, kind: Setback, number: int) -> list[str]:
    """So many more come back; returns why the campaign is paused now, if it is."""
    occurrence = street.rows()[0].occurrence
    with street.engine.begin() as db:
        for _ in range(number):
            traffic.count(db, "weekly", occurrence, kind)
        return [one.reason for one in traffic.judge(db, BREAKERS, street.now)]


def paused(street: Street) -> str:
    with street.engine.begin() as db:
        return db.scalar(sa.select(control.c.reason).where(control.c.state == "paused")) or ""


def test_more_than_five_percent_of_hard_bounces_pause_the_campaign(sent: Street) -> None:
    assert happen(sent, BOUNCED, 30) == []  # five percent of 600 is not more than five percent
    (reason,) = happen(sent, BOUNCED, 1)
    assert "31 of 600 bounced hard, more than 5 %" in reason
    assert paused(sent) == reason
    with sent.engine.begin() as db:
        assert ledger.claim(db, "w", 10, sent.now, LEASE) == []


def test_more_than_three_complaints_in_a_thousand_pause_the_campaign(sent: Street) -> None:
    assert happen(sent, COMPLAINED, 1) == []
    (reason,) = happen(sent, COMPLAINED, 1)
    assert "2 of 600 complained, more than 0.3 %" in reason


def test_nothing_is_judged_before_five_hundred_are_sent_and_then_what_came_before_counts(street: Street) -> None:
    street.people(1000)
    accept(street, 499)
    assert happen(street, BOUNCED, 100) == []
    accept(street, 1)
    (reason,) = happen(street, BOUNCED, 0)
    assert "100 of 500" in reason


def test_a_person_who_resumes_is_not_overruled_by_what_was_known(sent: Street) -> None:
    assert happen(sent, BOUNCED, 60)
    with sent.engine.begin() as db:
        assert ledger.resume(db, "weekly", sent.now)
    assert happen(sent, BOUNCED, 0) == []
    assert happen(sent, BOUNCED, 30) == []  # nothing was sent since
    accept(sent, 400)
    assert happen(sent, BOUNCED, 1) == []  # and four hundred are too few to judge by
    assert paused(sent) == ""


def test_the_deliveries_are_counted_only_when_it_can_matter(sent: Street) -> None:
    happen(sent, BOUNCED, 1)
    asked: list[str] = []
    sa.event.listen(sent.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert happen(sent, BOUNCED, 20) == []
    assert not [statement for statement in asked if "count(" in statement]


def test_what_a_server_refuses_for_the_address_is_a_hard_bounce(street: Street) -> None:
    street.people(3)
    gate = street.gate()
    with street.engine.begin() as db:
        claims = ledger.claim(db, "w", 3, street.now, LEASE)
    for one in claims:
        street.answer(gate, one, BadAddress("550 5.1.1 no such user"), street.now)
    with street.engine.begin() as db:
        (tripped,) = traffic.judge(db, Breakers(after=3), street.now)
    assert tripped.reason.endswith("3 of 3 bounced hard, more than 5 %")
