"""Where a rule ends: what is urgent, what a rest or an order outlasts, and whose a bounce is."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from tests.unit.traffic.conftest import LEASE, Street
from vinculo import ledger, traffic
from vinculo.connector import Receipt, Temporary, Unavailable
from vinculo.db.tables import bucket, delivery, rate
from vinculo.ledger import Claim, Settlement
from vinculo.project.schema import Breakers, WarmUp
from vinculo.testing import store
from vinculo.traffic import BOUNCED, COMPLAINED, Gate, Setback
from vinculo.traffic.rule import day_cap
from vinculo.traffic.slowing import Slow, forget, slow

HASTE = Unavailable("rcpt: 421 4.7.28 too many messages", status="4.7.28")
MINUTE = 60.0


def order(street: Street, said: str, seconds: float, name: str = "email") -> None:
    with street.engine.begin() as db:
        traffic.set_rate(db, street.project, name, said, "ana", street.at(seconds))


def rest(street: Street, before: float | None, seconds: float, after: float, name: str = "@gmail.com") -> None:
    with street.engine.begin() as db:
        slow(db, name, before, Slow(False, "421 too many", after), street.at(seconds))


def admitted(street: Street, gate: Gate, seconds: float, limit: int = 1000) -> list[Claim]:
    with street.engine.begin() as db:
        return gate.admit(db, ledger.claim(db, "w", limit, street.at(seconds), LEASE), street.at(seconds))


def taught(street: Street, name: str = "@gmail.com") -> sa.Row | None:
    with street.engine.begin() as db:
        return db.execute(sa.select(rate).where(rate.c.name == name)).one_or_none()


# ── what is urgent ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("keys", [{"kind": "service", "topic": "offers"}, {"kind": "newsletter", "topic": "service"}])
def test_what_the_contact_waits_for_is_so_by_its_kind_or_by_its_topic(street: Street, keys: dict[str, str]) -> None:
    street.limits("[limits.warm_up.email]\nfrom = 2026-12-01\nfirst = 2\nuntil = 40")
    street.people(2, name="a-sale", kind="promotion").people(2, name="b-receipt", **keys)
    with street.engine.begin() as db:
        claims = sorted(ledger.claim(db, "w", 10, street.now, LEASE))
        assert [one.key.campaign for one in claims] == ["a-sale"] * 2 + ["b-receipt"] * 2
        left = street.gate().admit(db, claims, street.now)
    assert [one.key.campaign for one in left] == ["b-receipt"] * 2


def test_what_is_urgent_may_take_the_tokens_of_the_second_to_come_and_no_more(street: Street) -> None:
    street.limits('[limits.rates]\nemail = "10/s"').people(50, name="sale", kind="promotion")
    gate = street.gate()
    assert len(street.turn(gate, street.at(0))) == 1
    street.people(20, name="receipt", kind="service", topic="service")
    with street.engine.begin() as db:
        ledger.wake(db, street.at(0))
    left = street.turn(gate, street.at(0))
    assert [one.key.campaign for one in left] == ["receipt"] * 10


# ── buckets ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_nobody_took_for_an_hour_does_not_leave_at_once(street: Street) -> None:
    street.limits('[limits.rates]\nemail = "10/s"').people(900)
    street.turn(street.gate(), street.at(0))
    assert len(street.turn(street.gate(), street.at(3600))) == pytest.approx(20, abs=1)


def test_a_days_cap_counts_what_left_on_that_day(street: Street) -> None:
    street.limits("[limits.warm_up.email]\nfrom = 2026-12-01\nfirst = 10\nuntil = 90").people(100)
    gate = street.gate()
    assert len(street.turn(gate, street.at(0), limit=6)) == 6
    assert [len(street.turn(gate, street.at(86_400 + hour * 3600), limit=6)) for hour in range(5)] == [6, 6, 6, 2, 0]


@pytest.mark.parametrize(("day", "cap"), [(date(2026, 11, 1), 10), (date(2026, 12, 1), 10), (date(2026, 12, 3), None)])
def test_before_its_first_day_the_first_cap_holds_and_at_its_end_none(day: date, cap: int | None) -> None:
    plan = WarmUp.model_validate({"from": date(2026, 12, 1), "first": 10, "grow": 100, "until": 40})
    assert day_cap(plan, day) == cap


def test_an_order_for_each_other_domain_holds_where_no_rate_was_set(street: Street) -> None:
    street.people(60, "a.org", "b.org")
    order(street, "5/s", 0, "*")
    assert len(street.sent(seconds=4, gates=[street.gate()], begin=1, step=1)) == pytest.approx(2 * 25, abs=10)


# ── rests and orders ─────────────────────────────────────────────────────────────────────────────────────────────
def test_what_waits_for_a_rest_is_due_at_its_end(street: Street) -> None:
    street.limits('[limits.domains]\n"gmail.com" = "10/s"').people(1, "gmail.com")
    rest(street, 10, 0, 200)
    assert admitted(street, street.gate(), 1) == []
    assert street.rows()[0].due_at == street.at(200)


def test_a_rest_is_not_shortened_by_who_asks_for_less_nor_by_an_order(street: Street) -> None:
    street.limits('[limits.domains]\n"gmail.com" = "10/s"').people(5, "gmail.com")
    rest(street, 10, 0, 300)
    rest(street, 10, 1, 60)
    order(street, "1/s", 2, "gmail.com")
    assert admitted(street, street.gate(), 299) == []
    with street.engine.begin() as db:
        ledger.wake(db, street.at(300))
    assert admitted(street, street.gate(), 300) != []


def test_a_rest_is_shown_where_the_rate_is_below_what_it_taught(street: Street) -> None:
    street.limits('[limits.domains]\n"gmail.com" = "1/s"')
    rest(street, 10, 0, 300)
    with street.engine.begin() as db:
        (found,) = traffic.limits(db, street.project, street.at(299))
    assert found.until == street.at(300)


def test_nobody_is_slowed_to_less_than_one_a_minute(street: Street) -> None:
    rest(street, 1 / 50, 0, 0)
    row = taught(street)
    assert row is not None
    assert row.pace == pytest.approx(1 / 60)


def test_what_replies_taught_is_swept_away_when_it_is_over_and_an_order_stays(street: Street) -> None:
    street.people(3, "gmail.com", "hotmail.com")
    order(street, "9/s", 0, "hotmail.com")
    rest(street, 4, 0, 60)
    rest(street, 4, 0, 60, "@outlook.com")
    with street.engine.begin() as db:
        forget(db, ["@outlook.com"], street.at(61))
    street.turn(street.gate(), street.at(60 + 31 * MINUTE))
    assert taught(street) is None
    left = taught(street, "@outlook.com")
    assert left is not None
    assert (left.ordered, left.pace, left.until) == ("9/s", None, None)


def test_a_worker_that_was_slowed_goes_on_with_its_next_claim(street: Street) -> None:
    street.people(3, "gmail.com")
    gate = street.gate()
    one, *_ = admitted(street, gate, 0, limit=1)
    street.answer(gate, one, HASTE, street.at(0))
    assert gate.changed(street.engine.connect, street.at(0))
    admitted(street, gate, 1)
    assert not gate.changed(street.engine.connect, street.at(1))


def test_an_order_that_is_changed_is_seen_like_one_that_is_new(street: Street) -> None:
    street.people(3)
    order(street, "5/s", 0)
    gate = street.gate()
    admitted(street, gate, 1)
    order(street, "1/s", 2)
    assert gate.changed(street.engine.connect, street.at(3))


# ── how fast we are ──────────────────────────────────────────────────────────────────────────────────────────────
def test_half_of_what_was_measured_is_half_of_the_domains_share_and_of_the_last_minute(street: Street) -> None:
    street.people(600, "gmail.com", "example.org")
    gate = street.gate()
    with street.engine.begin() as db:
        gate.learn(db, [], street.at(-3600))  # an hour ago there was nothing to do
    for seconds in range(11):
        claims = admitted(street, gate, seconds, limit=1000)
        mixed = [*claims[:20], *claims[-20:]]
        gate._sending = mixed
        with street.engine.begin() as db:
            gate.learn(db, [Settlement(claim, Receipt()) for claim in mixed], street.at(seconds))
            ledger.release(db, claims, street.at(seconds))
    mine = next(claim for claim in mixed if claim.address.endswith("@gmail.com"))
    with street.engine.begin() as db:
        gate.learn(db, [Settlement(mine, HASTE)], street.at(10))
    row = taught(street)
    assert row is not None
    assert row.pace == pytest.approx(11, rel=0.05)


def test_a_few_messages_tell_no_speed(street: Street) -> None:
    street.people(19, "gmail.com")
    gate = street.gate()
    claims = admitted(street, gate, 0)
    with street.engine.begin() as db:
        gate.learn(db, [Settlement(claim, HASTE) for claim in claims], street.at(0))
    row = taught(street)
    assert row is not None
    assert (row.pace, row.until) == (None, street.at(60))


# ── setbacks ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_setbacks_are_held_against_their_own_occurrence(street: Street) -> None:
    """Two occurrences of one campaign: of the first a hundred were sent, of the second ten, and four came back."""
    street.people(100)
    first = street.rows()[0].occurrence
    campaign = store.campaign("weekly")
    second = store.occurrence(campaign, street.now + timedelta(hours=1)).key
    with street.engine.begin() as db:
        rows = store.allocation(street.now, topic=campaign.topic, expires=timedelta(days=30))
        ledger.plan(
            db, campaign, store.occurrence(campaign, street.now + timedelta(hours=1)), rows.limit(10), street.now
        )
        db.execute(sa.update(delivery).values(state="accepted", submitted_at=street.now))
        traffic.count(db, "weekly", first, BOUNCED, 4)
        traffic.count(db, "weekly", second, BOUNCED, 1)
        (tripped,) = traffic.judge(db, Breakers(bounces=5, complaints=0.3, after=10), street.now)
        assert tripped.reason == f"{second}: 1 of 10 bounced hard, more than 5 %"
        assert traffic.judge(db, Breakers(bounces=5, complaints=0.3, after=10), street.now) == []
        traffic.count(db, "weekly", first, BOUNCED, 2)
        (tripped,) = traffic.judge(db, Breakers(bounces=5, complaints=0.3, after=10), street.now)
        assert tripped.reason == f"{first}: 6 of 100 bounced hard, more than 5 %"


@pytest.mark.parametrize(("kind", "words"), [(BOUNCED, "bounced hard"), (COMPLAINED, "complained")])
def test_after_a_person_has_resumed_what_came_since_is_held_against_what_was_sent_since(
    street: Street, kind: Setback, words: str
) -> None:
    street.people(300)
    occurrence = street.rows()[0].occurrence

    def judged(number: int, accepted: int) -> list[str]:
        with street.engine.begin() as db:
            waiting = sa.select(delivery.c.id).where(delivery.c.state == "planned").limit(accepted)
            sent = {"state": "accepted", "submitted_at": street.now}
            db.execute(sa.update(delivery).where(delivery.c.id.in_(waiting)).values(sent))
            traffic.count(db, "weekly", occurrence, kind, number)
            found = traffic.judge(db, Breakers(bounces=5, complaints=5, after=100), street.now)
            ledger.resume(db, "weekly", street.now)
            return [one.reason for one in found]

    assert judged(20, 100) == [f"{occurrence}: 20 of 100 {words}, more than 5 %"]
    assert judged(10, 200) == []  # five in a hundred
    assert judged(1, 0) == [f"{occurrence}: 11 of 200 {words}, more than 5 %"]


def test_what_is_deferred_for_another_reason_takes_no_token_back(street: Street) -> None:
    """Of a day's cap only what has not left is given back: who was asked to come later has been written to."""
    street.limits("[limits.warm_up.email]\nfrom = 2026-12-01\nfirst = 2\nuntil = 40").people(5)
    gate = street.gate()
    one, other = admitted(street, gate, 0)
    street.answer(gate, one, Temporary("450 later"), street.now)
    street.answer(gate, other, Unavailable("421 closing"), street.now)
    with street.engine.begin() as db:
        assert db.scalar(sa.select(bucket.c.spent)) == 1
