"""What an operator sets holds across workers, on both databases; nobody starves, and nothing is asked in vain."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from tests.unit.traffic.conftest import LEASE, Street
from vinculo import ledger, traffic
from vinculo.connector import Receipt, Unavailable
from vinculo.db.tables import bucket, delivery
from vinculo.ledger import Claim, Settlement
from vinculo.traffic import Gate


def per_domain(left: list[tuple[float, Any]]) -> Counter[str]:
    return Counter(claim.address.rpartition("@")[2] for _, claim in left)


@pytest.mark.parametrize("workers", [1, 4])
def test_a_channels_rate_holds_however_many_workers_there_are(street: Street, workers: int) -> None:
    street.limits('[limits.rates]\nemail = "20/s"').people(1200)
    left = street.sent(seconds=50, gates=[street.gate() for _ in range(workers)])
    assert len(left) == pytest.approx(1000, rel=0.05)
    for begin in range(2, 40, 2):
        window = [at for at, _ in left if begin <= at < begin + 10]
        assert len(window) == pytest.approx(200, rel=0.05)


def test_a_rate_holds_for_a_worker_that_comes_late_again_and_again(street: Street) -> None:
    """Sleeping and connecting take their time: what the clock gave meanwhile is not lost."""
    street.limits('[limits.rates]\nemail = "10/s"').people(800)
    left = street.sent(seconds=60, gates=[street.gate()], step=1.7)
    assert len(left) == pytest.approx(600, rel=0.05)


def test_a_slow_rate_is_spread_over_its_time(street: Street) -> None:
    street.limits('[limits.rates]\nemail = "6/h"').people(30)
    left = street.sent(seconds=6 * 3600, gates=[street.gate()], step=300)
    assert len(left) == pytest.approx(36, abs=6) or len(left) == 30
    assert [at for at, _ in left][:4] == [0, 600, 1200, 1800]


def test_a_domains_rate_holds_and_keeps_no_other_waiting(street: Street) -> None:
    street.limits('[limits.domains]\n"gmail.com" = "2/s"').people(150, "gmail.com", "example.org")
    first = street.turn(street.gate(), street.at(0))
    assert per_domain([(0, claim) for claim in first]) == {"gmail.com": 1, "example.org": 150}
    left = street.sent(seconds=60, gates=[street.gate(), street.gate()], begin=0.5)
    assert per_domain(left)["gmail.com"] == pytest.approx(120, rel=0.05)


def test_domains_of_one_provider_share_a_bucket_and_the_others_have_one_each(street: Street) -> None:
    street.limits('[limits.domains]\n"gmail.com" = "4/s"\n"uol.com.br terra.com.br" = "2/s"\n"*" = "1/s"')
    street.people(80, "gmail.com", "googlemail.com", "uol.com.br", "terra.com.br", "a.org", "b.org")
    got = per_domain(street.sent(seconds=30, gates=[street.gate()]))
    assert got["gmail.com"] + got["googlemail.com"] == pytest.approx(120, rel=0.05)
    assert got["uol.com.br"] + got["terra.com.br"] == pytest.approx(60, rel=0.05)
    assert got["a.org"] == got["b.org"] == pytest.approx(30, rel=0.05)


def test_of_two_rates_the_narrower_holds(street: Street) -> None:
    street.limits('[limits.rates]\nemail = "10/s"\n[limits.domains]\n"gmail.com" = "2/s"')
    street.people(600, "gmail.com", "example.org")
    got = per_domain(street.sent(seconds=60, gates=[street.gate()]))
    assert 60 < got["gmail.com"] <= 121  # it may find no token of the channel's
    assert got.total() == pytest.approx(600, rel=0.05)


@pytest.mark.parametrize(("domains", "each"), [(4, 8), (20, 2)])
def test_a_channel_keeps_its_rate_where_contacts_are_sorted_by_domains_that_have_theirs(
    street: Street, domains: int, each: int
) -> None:
    """The channel's next turns are not all given to one domain, which may use but a few of them."""
    street.limits(f'[limits.rates]\nemail = "20/s"\n[limits.domains]\n"*" = "{each}/s"')
    street.people(1200 // domains, *(f"d{number}.org" for number in range(domains)))
    left = street.sent(seconds=40, gates=[street.gate()], step=1)
    assert len(left) == pytest.approx(800, rel=0.05)
    assert max(per_domain(left).values()) <= 40 * each + 2 * each


def test_a_rate_that_is_set_raised_and_cleared_holds_at_the_next_claim(street: Street) -> None:
    street.limits('[limits.rates]\nemail = "5/s"').people(900)
    gates = [street.gate(), street.gate()]
    assert len(street.sent(seconds=20, gates=gates)) == pytest.approx(100, rel=0.05)
    order(street, "20/s", 20)
    assert len(street.sent(seconds=20, gates=gates, begin=20)) == pytest.approx(400, rel=0.05)
    order(street, "1/s", 40)
    assert len(street.sent(seconds=20, gates=gates, begin=40)) == pytest.approx(20, abs=2)
    with street.engine.begin() as db:
        assert traffic.clear(db, street.project, "email", street.at(60))
    assert len(street.sent(seconds=20, gates=gates, begin=60)) == pytest.approx(100, rel=0.05)


def order(street: Street, rate: str, seconds: float, name: str = "email") -> None:
    with street.engine.begin() as db:
        traffic.set_rate(db, street.project, name, rate, "ana", street.at(seconds))


def test_a_worker_that_is_sending_sees_within_seconds_that_a_rate_was_set(street: Street) -> None:
    street.people(10)
    gate = street.gate()
    assert len(street.turn(gate, street.at(0))) == 10
    order(street, "1/s", 1)
    assert not gate.changed(reader(street), street.at(1.5))  # it has looked a moment ago
    assert gate.changed(reader(street), street.at(2))


def reader(street: Street) -> Any:
    return lambda: street.engine.connect().execution_options(read_only=True)


def test_a_receipt_goes_before_a_promotion_that_came_first(street: Street) -> None:
    street.limits('[limits.rates]\nemail = "5/s"').people(600, name="sale", kind="promotion", priority=90)
    gates = [street.gate(), street.gate()]
    street.sent(seconds=10, gates=gates)
    street.now = street.at(10)
    street.people(30, name="receipt", kind="service", topic="service", priority=10)
    left = street.sent(seconds=12, gates=gates, step=1)
    receipts = [at for at, claim in left if claim.key.campaign == "receipt"]
    assert len(receipts) == 30
    assert max(receipts) <= 6.5  # thirty of them at five a second
    assert len(left) == pytest.approx(60, rel=0.12)  # and the promotion has what they leave


def test_on_whom_a_worker_may_have_died_comes_last_also_where_rates_hold(street: Street) -> None:
    """By the order in which they are sent recovery tells on whom a worker died."""
    street.limits("[limits.warm_up.email]\nfrom = 2026-12-01\nfirst = 10\nuntil = 40")
    street.people(2, name="sale", kind="promotion")
    street.people(1, name="receipt", kind="service", topic="service")
    with street.engine.begin() as db:
        db.execute(sa.update(delivery).where(delivery.c.campaign == "receipt").values(crashes=1))
    with street.engine.begin() as db:
        claims = ledger.claim(db, "w", 10, street.now, LEASE)
        admitted = street.gate().admit(db, claims, street.now)
    assert [one.key.campaign for one in admitted] == ["sale", "sale", "receipt"]


def test_receipts_without_end_keep_to_the_rate_too(street: Street) -> None:
    street.limits('[limits.rates]\nemail = "10/s"').people(700, name="receipt", kind="service", topic="service")
    assert len(street.sent(seconds=60, gates=[street.gate()])) == pytest.approx(600, rel=0.05)


def test_what_waits_for_its_turn_is_planned_and_says_so(street: Street) -> None:
    street.limits('[limits.rates]\nemail = "10/s"').people(21)
    street.turn(street.gate(), street.at(0))
    rows = street.rows()
    waiting = [row for row in rows if row.reason == "turn"]
    assert (len(waiting), {row.state for row in waiting}, {row.lease_until for row in waiting}) == (
        20,
        {"planned"},
        {None},
    )
    assert max(row.due_at for row in waiting) == street.at(2)
    street.sent(seconds=6, gates=[street.gate()], begin=0.5)
    assert {(row.state, row.reason) for row in street.rows()} == {("accepted", "")}


def test_without_a_rate_there_is_one_short_question_a_claim(street: Street) -> None:
    street.people(50)
    asked: list[str] = []
    gate = street.gate()
    with street.engine.begin() as db:
        claims = traffic_claims(db, street)
        sa.event.listen(street.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        assert gate.admit(db, claims, street.now) == claims
        gate.learn(db, [], street.now)
    assert len(asked) == 1
    assert "FROM rate" in asked[0]


def traffic_claims(db: sa.Connection, street: Street) -> list[Any]:
    from tests.unit.traffic.conftest import LEASE
    from vinculo import ledger

    return ledger.claim(db, "w", 100, street.now, LEASE)


def test_threads_that_take_turns_at_once_keep_the_rate_together(street: Street) -> None:
    """Four workers at the same moments of one clock, in whatever order the database lets them in."""
    street.limits('[limits.rates]\nemail = "20/s"\n[limits.domains]\n"gmail.com" = "5/s"').people(
        900, "gmail.com", "example.org"
    )
    moments = [street.at(tick * 2) for tick in range(11)]
    barrier = threading.Barrier(4)
    left: list[list[Any]] = [[] for _ in range(4)]

    def work(number: int) -> None:
        gate = Gate(street.project)
        for moment in moments:
            barrier.wait(timeout=60)
            left[number] += [(0.0, claim) for claim in street.turn(gate, moment, worker=f"w{number}", limit=200)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got = per_domain([pair for share in left for pair in share])
    assert got.total() == pytest.approx(20 * 20, rel=0.05)
    assert 50 < got["gmail.com"] <= 101
    assert len({claim.id for share in left for _, claim in share}) == got.total()


def test_a_clock_set_back_stops_nobody_for_long(street: Street) -> None:
    street.limits('[limits.rates]\nemail = "10/s"').people(300)
    street.sent(seconds=10, gates=[street.gate()], begin=3600)
    assert len(street.sent(seconds=10, gates=[street.gate()], begin=0)) >= 0
    with street.engine.begin() as db:
        db.execute(sa.text("UPDATE delivery SET due_at = 0 WHERE state = 'planned'"))
    assert len(street.sent(seconds=10, gates=[street.gate()], begin=10)) == pytest.approx(100, rel=0.15)


def test_a_day_has_its_cap_and_the_rest_waits_for_the_next(street: Street, now: datetime) -> None:
    street.limits("[limits.warm_up.email]\nfrom = 2026-12-01\nfirst = 10\nuntil = 40").people(100)
    hours = [3600.0 * hour for hour in range(0, 24 * 4, 2)]
    gate = street.gate()
    days: Counter[str] = Counter()
    for seconds in hours:
        for _ in street.turn(gate, street.at(seconds)):
            days[f"{street.at(seconds - 3 * 3600):%d}"] += 1  # São Paulo is three hours behind
    assert days == {"01": 10, "02": 20, "03": 70}
    assert now.day == 1


def test_of_a_days_cap_what_did_not_leave_is_given_back_on_that_day(street: Street) -> None:
    street.limits("[limits.warm_up.email]\nfrom = 2026-12-01\nfirst = 10\nuntil = 40").people(100)
    gate, tomorrow = street.gate(), street.at(86_400)

    def admitted(at: datetime) -> list[Claim]:
        with street.engine.begin() as db:
            return gate.admit(db, ledger.claim(db, "w", 1000, at, LEASE), at)

    first = admitted(street.now)
    assert len(first) == 10
    with street.engine.begin() as db:
        ledger.submit(db, first[:2], street.now)
        answers = [Settlement(first[0], Receipt()), Settlement(first[1], Unavailable("421 closing"))]
        ledger.settle(db, answers, street.now)
        gate.learn(db, answers, street.now)
        ledger.release(db, first[2:], street.now)
        gate.give_back(db, first, street.now)
    again = admitted(street.now)
    assert len(again) == 9
    with street.engine.begin() as db:  # which took nothing of tomorrow's
        ledger.release(db, again, street.now)
        db.execute(sa.update(bucket).values(day="2026-12-02", spent=5))
        gate.give_back(db, again, tomorrow)
    assert len(admitted(tomorrow)) == 20 - 5
