"""What a contact said, as of any moment; and what it implied, which ends by time alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import consent, history, ledger, proof
from vinculo.db.tables import delivery
from vinculo.history import Interaction
from vinculo.model import Direction
from vinculo.project.schema import Policy
from vinculo.testing import store

DAY = timedelta(days=1)


def policy(*rules: dict[str, Any]) -> Policy:
    return Policy.model_validate({"topics": {"news": {"title": {"en": "News"}}}, "implied": list(rules)})


BUYING = {"after": "purchased", "months": 24, "topics": ["news"], "channels": ["email"]}
ASKING = {"after": "inbound", "months": 6, "topics": ["news"], "channels": ["email"], "countries": ["CA"]}


class Shop:
    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        with engine.begin() as db:
            self.ana = store.add_contact(db, key="ana", email="ana@e.org", country="CA")

    def did(self, kind: str, at: datetime, amount: int | None = None) -> None:
        with self.engine.begin() as db:
            history.record(db, [Interaction(self.ana, at, Direction.IN, kind, amount=amount, currency="BRL")])

    def imply(self, at: datetime, *rules: dict[str, Any]) -> int:
        with self.engine.begin() as db:
            return proof.imply(db, policy(*rules), at)

    def answers(self, at: datetime) -> dict[str, bool]:
        with self.engine.begin() as db:
            return {f"{one.channel}/{one.topic}": one.live for one in proof.answers(db, self.ana, at)}

    def planned(self, at: datetime) -> list[tuple[str, str]]:
        """What becomes of a newsletter of that moment."""
        campaign = store.campaign()
        with self.engine.begin() as db:
            ledger.plan(db, campaign, store.occurrence(campaign, at), store.allocation(at), at)
            claims = ledger.claim(db, "w", 10, at, timedelta(minutes=5))
            ledger.submit(db, claims, at)
            rows = db.execute(sa.select(delivery.c.state, delivery.c.reason).order_by(delivery.c.id))
            return [(row.state, row.reason) for row in rows][-1:]


@pytest.fixture
def shop(engine: sa.Engine) -> Shop:
    return Shop(engine)


def test_the_answer_of_any_moment_is_known_with_its_proof(shop: Shop, now: datetime) -> None:
    with shop.engine.begin() as db:
        consent.grant(db, shop.ana, "email", "news", now, source="form", legal_basis="consent", text_hash="f00")
        consent.grant(db, shop.ana, "email", "offers", now, source="form", expires_at=now + 5 * DAY)
        consent.withdraw(db, shop.ana, "email", "", now + 10 * DAY, source="web")
        consent.grant(db, shop.ana, "email", "news", now + 20 * DAY, source="preferences")
    assert shop.answers(now - DAY) == {}
    assert shop.answers(now) == {"email/news": True, "email/offers": True}
    assert shop.answers(now + 5 * DAY) == {"email/news": True, "email/offers": False}
    assert shop.answers(now + 10 * DAY) == {"email/": False, "email/news": False, "email/offers": False}
    assert shop.answers(now + 20 * DAY) == {"email/": False, "email/news": True, "email/offers": False}
    with shop.engine.begin() as db:
        first = next(proof.records(db, shop.ana, now))
        assert (first.topic, first.source, first.legal_basis, first.text_hash) == ("news", "form", "consent", "f00")
        for at in (now, now + 5 * DAY, now + 10 * DAY, now + 20 * DAY):  # the live answers are the last of these
            held = {
                (one.channel, one.topic): one.live for one in proof.answers(db, shop.ana, now + 20 * DAY) if one.topic
            }
            assert consent.live(db, shop.ana, now + 20 * DAY) == held, at


def test_a_purchase_permits_for_twenty_four_months_and_not_a_moment_longer(shop: Shop) -> None:
    bought = datetime(2024, 8, 31, 12, tzinfo=UTC)
    end = datetime(2026, 8, 31, 12, tzinfo=UTC)
    shop.did("purchased", bought)
    assert shop.imply(bought + DAY, BUYING) == 1
    assert shop.imply(bought + 2 * DAY, BUYING) == 0  # nothing new
    assert shop.answers(end - timedelta(microseconds=1)) == {"email/news": True}
    assert shop.answers(end) == {"email/news": False}
    assert shop.planned(end - timedelta(seconds=1)) == [("submitting", "")]


def test_what_was_planned_before_the_expiry_is_not_handed_over_after_it(shop: Shop, now: datetime) -> None:
    shop.did("inbound", now)
    assert shop.imply(now, ASKING) == 1
    campaign, end = store.campaign(expires="100 days"), datetime(2027, 6, 1, 12, tzinfo=UTC)
    with shop.engine.begin() as db:
        rows = store.allocation(end - DAY, expires=timedelta(days=100))
        ledger.plan(db, campaign, store.occurrence(campaign, end), rows, end - DAY)
        claims = ledger.claim(db, "w", 10, end - DAY, 9 * DAY)
        assert ledger.submit(db, claims, end) == set()
        assert ledger.counts(db, "weekly") == {("skipped", "no_consent"): 1}


def test_a_newer_purchase_prolongs_and_an_older_one_that_comes_late_does_not(shop: Shop, now: datetime) -> None:
    shop.did("purchased", now)
    shop.imply(now, BUYING)
    shop.did("purchased", now - 30 * DAY)
    assert shop.imply(now + DAY, BUYING) == 0
    shop.did("purchased", now + 40 * DAY)
    assert shop.imply(now + 41 * DAY, BUYING) == 1
    with shop.engine.begin() as db:
        (answer,) = proof.answers(db, shop.ana, now + 41 * DAY)
    assert (answer.at, answer.expires_at) == (now + 40 * DAY, datetime(2029, 1, 10, 12, tzinfo=UTC))
    assert (answer.legal_basis, answer.source) == ("implied", "purchased")


@pytest.mark.parametrize("topic", ["news", ""])
def test_who_said_no_is_implied_nothing_and_who_said_yes_keeps_it(shop: Shop, now: datetime, topic: str) -> None:
    with shop.engine.begin() as db:
        consent.withdraw(db, shop.ana, "email", topic, now, source="web")
    shop.did("purchased", now + DAY)
    assert shop.imply(now + DAY, BUYING) == 0
    with shop.engine.begin() as db:
        consent.grant(db, shop.ana, "email", "news", now + 2 * DAY, source="form")
    shop.did("purchased", now + 3 * DAY)
    assert shop.imply(now + 3 * DAY, BUYING) == 0
    assert shop.answers(now + 4000 * DAY)["email/news"]


def test_a_yes_in_words_that_lasts_longer_than_what_is_implied_stays(shop: Shop, now: datetime) -> None:
    ends = now + timedelta(days=3650)
    with shop.engine.begin() as db:
        consent.grant(db, shop.ana, "email", "news", now - 9 * DAY, source="form", expires_at=ends)
    shop.did("purchased", now - DAY)
    assert shop.imply(now, BUYING) == 0
    with shop.engine.begin() as db:
        assert [(one.source, one.expires_at) for one in proof.answers(db, shop.ana, now)] == [("form", ends)]


def test_a_rule_is_for_its_countries_and_its_months_alone(shop: Shop, now: datetime) -> None:
    shop.did("inbound", now)
    elsewhere = ASKING | {"countries": ["BR"]}
    assert shop.imply(now, elsewhere) == 0
    assert shop.imply(now + 190 * DAY, ASKING) == 0
    assert shop.imply(now + 100 * DAY, ASKING) == 1


def test_a_refund_is_no_purchase_and_neither_begins_nor_prolongs_what_was_implied(shop: Shop) -> None:
    bought = datetime(2026, 1, 31, 12, tzinfo=UTC)
    shop.did("purchased", bought, -9_900)
    assert shop.imply(bought + DAY, BUYING) == 0
    shop.did("purchased", bought + DAY, 9_900)
    shop.did("purchased", bought + 300 * DAY, -9_900)
    assert shop.imply(bought + 301 * DAY, BUYING) == 1
    assert shop.imply(bought + 302 * DAY, BUYING) == 0
    assert shop.answers(datetime(2028, 1, 31, 12, tzinfo=UTC)) == {"email/news": True}
    assert shop.answers(datetime(2028, 2, 2, 12, tzinfo=UTC)) == {"email/news": False}
