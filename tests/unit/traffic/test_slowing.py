"""Who is asked to slow down does, and only then: greylisting is none of it. Everything is delivered in the end."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.unit.traffic.conftest import LEASE, Street
from vinculo import ledger, traffic
from vinculo.connector import InDoubt, Outcome, Receipt, Rejected, Temporary, Unavailable
from vinculo.traffic.slowing import Slow, asked_to_slow_down, forget, slow


@pytest.mark.parametrize(
    ("outcome", "attempts", "whole_channel"),
    [
        (Temporary("429 slow_down", after=7, status="4.3.2"), 0, True),
        (Temporary("503 busy", after=7, status="4.3.2"), 0, True),
        (Unavailable("mail: 421 4.7.0 too many connections", status="4.7.0"), 0, True),
        (Unavailable("connect: 421 too many connections from you"), 0, True),
        (Unavailable("rcpt: 421 4.7.28 unusual rate of mail", status="4.7.28"), 0, False),
        (Unavailable("answer: 421 RP-001 exceeded the connection limit"), 0, False),
        (Temporary("rcpt: 450 4.2.1 The user is receiving mail too quickly", status="4.2.1"), 1, False),
        (Temporary("rcpt: 451 4.7.650 temporarily rate limited due to IP reputation", status="4.7.650"), 0, False),
        (Temporary("data: 452 too many messages, slow down"), 0, False),
        (Temporary("rcpt: 451 4.7.1 try again later", status="4.7.1"), 1, False),
        (Temporary("answer: 421 4.7.0 [TSS04] temporarily deferred due to user complaints"), 0, False),
    ],
)
def test_a_request_to_slow_down_says_to_whom(outcome: Outcome, attempts: int, whole_channel: bool) -> None:
    asked = asked_to_slow_down(outcome, attempts)
    assert asked is not None
    assert asked.whole_channel is whole_channel
    assert asked.after == (getattr(outcome, "after", None) or 0)


@pytest.mark.parametrize(
    ("outcome", "attempts"),
    [
        (Receipt(), 0),
        (Rejected("550 5.7.1 rate limit"), 3),
        (InDoubt("answer: lost"), 0),
        (Unavailable("auth: 535 no"), 0),
        (Unavailable("mail: 421 4.3.2 closing", status="4.3.2"), 0),
        (Unavailable("rcpt: 421 closing"), 0),
        (Temporary("answer: 451 4.3.2 out of order", status="4.3.2"), 0),
        (Unavailable("connect: nobody answers", status="4.4.1"), 0),
        (Temporary("rcpt: 450 4.7.1 Greylisted, come back later", status="4.7.1"), 0),
        (Temporary("rcpt: 450 4.7.1 greylisting in action, too fast", status="4.7.1"), 2),
        (Temporary("rcpt: 451 4.7.1 try again later", status="4.7.1"), 0),
        (Temporary("rcpt: 450 4.2.1 mailbox busy", status="4.2.1"), 0),
        (Temporary("rcpt: 452 4.2.2 mailbox full", status="4.2.2"), 4),
    ],
)
def test_greylisting_and_what_concerns_one_message_slow_nobody_down(outcome: Outcome, attempts: int) -> None:
    assert asked_to_slow_down(outcome, attempts) is None


HASTE = Unavailable("rcpt: 421 4.7.28 too many messages", status="4.7.28")


def slowed(street: Street, seconds: float = 0) -> traffic.Gate:
    """Let one of the domain's messages be answered by a request to slow down."""
    gate = street.gate()
    with street.engine.begin() as db:
        (one,) = gate.admit(db, ledger.claim(db, "w", 1, street.at(seconds), LEASE), street.at(seconds))
    street.answer(gate, one, HASTE, street.at(seconds))
    return gate


def test_a_domain_that_asks_rests_then_has_half_its_rate_and_recovers_in_ten_minutes(street: Street) -> None:
    street.limits('[limits.domains]\n"gmail.com" = "10/s"').people(900, "gmail.com")
    assert slowed(street).changed(street.engine.connect, street.at(0.1))  # what is in hand does not go on
    assert street.sent(seconds=58, gates=[street.gate()], begin=1) == []
    assert speed(street, 60) == pytest.approx(5)
    left = street.sent(seconds=20, gates=[street.gate(), street.gate()], begin=60)
    assert len(left) == pytest.approx(5 * 20, rel=0.07)
    assert [speed(street, 60 + 60 * minutes) for minutes in (2, 5, 9, 11)] == pytest.approx([6, 7.5, 9.5, 10])


def speed(street: Street, seconds: float, name: str = "gmail.com") -> float | None:
    with street.engine.begin() as db:
        found = [one.rate for one in traffic.limits(db, street.project, street.at(seconds)) if one.name == name]
    return found[0] if found else None


def test_it_is_halved_again_when_it_asks_again_but_once_for_what_was_under_way(street: Street) -> None:
    street.limits('[limits.domains]\n"gmail.com" = "8/s"').people(50, "gmail.com")
    for seconds in (0, 1, 2):
        gate, at = street.gate(), street.at(seconds)
        with street.engine.begin() as db:
            (one,) = ledger.claim(db, "w", 1, at, LEASE)
        street.answer(gate, one, HASTE, at)
    assert speed(street, 62) == pytest.approx(4, rel=0.01)
    gate = slowed(street, 62)
    assert speed(street, 122) == pytest.approx(2, rel=0.01)
    assert gate.changed(street.engine.connect, street.at(62))


def test_what_one_worker_is_taught_no_other_forgets_that_had_read_what_was_before(street: Street) -> None:
    with street.engine.begin() as db:
        slow(db, "@gmail.com", 8.0, Slow(False, "421 too many", 60.0), street.at(0))
        forget(db, ["@gmail.com"], street.at(59))
    assert speed(street, 59) == pytest.approx(4)
    with street.engine.begin() as db:
        forget(db, ["@gmail.com"], street.at(60))
    assert speed(street, 60) is None


def test_other_domains_go_on(street: Street) -> None:
    street.people(20, "gmail.com", "example.org")
    gate = street.gate()
    with street.engine.begin() as db:
        claims = gate.admit(db, ledger.claim(db, "w", 1, street.at(0), LEASE), street.at(0))
    street.answer(gate, claims[0], HASTE, street.at(0))
    left = street.turn(street.gate(), street.at(1))
    assert {one.address.rpartition("@")[2] for one in left} == {"example.org"}
    assert len(left) == 20


def test_without_a_rate_half_of_what_was_measured_holds_for_half_an_hour(street: Street) -> None:
    street.people(400, "gmail.com")
    gate = street.gate()
    for seconds in range(11):
        street.turn(gate, street.at(seconds), limit=20)
    with street.engine.begin() as db:
        (one,) = gate.admit(db, ledger.claim(db, "w", 1, street.at(10), LEASE), street.at(10))
    street.answer(gate, one, HASTE, street.at(10))
    assert speed(street, 70) == pytest.approx(11, rel=0.05)  # twenty a second, and one at the end
    assert speed(street, 70 + 30 * 60) is None
    assert len(street.turn(street.gate(), street.at(70 + 30 * 60))) > 100
    assert not rates(street)


def rates(street: Street) -> list[object]:
    with street.engine.begin() as db:
        return list(traffic.limits(db, street.project, street.at(99_999)))


def test_a_provider_that_says_how_long_is_waited_for_by_every_worker(street: Street) -> None:
    street.limits('[limits.rates]\nemail = "10/s"').people(300)
    gate = street.gate()
    with street.engine.begin() as db:
        (one,) = gate.admit(db, ledger.claim(db, "w", 1, street.at(0), LEASE), street.at(0))
    street.answer(gate, one, Temporary("429", after=300, status="4.3.2"), street.at(0))
    assert street.sent(seconds=298, gates=[street.gate()], begin=1, step=30) == []
    assert len(street.sent(seconds=20, gates=[street.gate()], begin=301)) == pytest.approx(100, rel=0.07)


def test_greylisted_mail_is_all_delivered_at_the_second_try(street: Street) -> None:
    """R22: every first try is refused, and what comes back after five minutes is taken. In virtual time."""
    street.people(40, "gmail.com", "example.org")
    tries: dict[int, datetime] = {}
    accepted: set[int] = set()
    gate = street.gate()
    for minutes in range(0, 60, 5):
        at = street.at(minutes * 60)
        with street.engine.begin() as db:
            claims = gate.admit(db, ledger.claim(db, "w", 500, at, LEASE), at)
        for one in claims:
            first = tries.setdefault(one.id, at)
            grey = at - first < timedelta(minutes=5)
            outcome: Outcome = Temporary("rcpt: 450 4.7.1 Greylisted", status="4.7.1") if grey else Receipt()
            street.answer(gate, one, outcome, at)
            accepted |= set() if grey else {one.id}
    assert len(accepted) == len(tries) == 80
    assert {(row.state, row.attempts) for row in street.rows()} == {("accepted", 2)}
    assert rates(street) == []  # and nobody was slowed down for it
