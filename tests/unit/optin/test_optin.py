"""Double opt-in: nobody is written to about a topic before the yes to it is confirmed."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import consent, contacts, ledger, optin
from vinculo.connector import InDoubt, Outcome, Receipt
from vinculo.db.tables import confirmation, delivery
from vinculo.errors import UsageError
from vinculo.optin import Asked
from vinculo.project.schema import Policy
from vinculo.testing import store

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def project(**confirm: Any) -> Any:
    titles = {name: {"title": {"en": name}} for name in ("news", "offers")}
    policy = Policy.model_validate({"topics": titles, "confirm": {"topics": ["news"], **confirm}})
    settings = SimpleNamespace(company=SimpleNamespace(timezone="UTC"))
    return SimpleNamespace(policy=policy, settings=settings, asks=frozenset({"email"}))


class Desk:
    def __init__(self, engine: sa.Engine, now: datetime) -> None:
        self.engine, self.now = engine, now
        with engine.begin() as db:
            self.ana = store.add_contact(db, key="ana", email="ana@e.org")

    def ask(self, at: datetime | None = None, who: int = 0, **confirm: Any) -> Asked:
        with self.engine.begin() as db:
            asked = project(**confirm), who or self.ana, "email", "news", at or self.now
            return optin.ask(db, *asked, source="form", text_hash="abc")

    def send(self, at: datetime, outcome: Outcome | None = None) -> set[int]:
        """Claim and hand over what is due."""
        with self.engine.begin() as db:
            claims = ledger.claim(db, "w", 10, at, timedelta(minutes=5))
            gone = ledger.submit(db, claims, at)
            ledger.settle(db, [ledger.Settlement(one, outcome or Receipt()) for one in claims if one.id in gone], at)
        return gone

    def live(self) -> dict[tuple[str, str], bool]:
        with self.engine.begin() as db:
            return consent.live(db, self.ana, self.now)


@pytest.fixture
def desk(engine: sa.Engine, now: datetime) -> Desk:
    return Desk(engine, now)


def test_a_request_is_a_delivery_like_any_other_and_no_consent(desk: Desk) -> None:
    assert desk.ask() is Asked.ASKED
    assert desk.live() == {}
    (number,) = desk.send(desk.now)
    with desk.engine.begin() as db:
        row = db.execute(sa.select(delivery).where(delivery.c.id == number)).one()
        assert (row.campaign, row.state, row.basis, row.topic) == ("confirm-news", "accepted", "request", "news")
        asked = optin.request(db, number)
        assert asked is not None
        assert (asked.contact_id, asked.topic, asked.text_hash) == (desk.ana, "news", "abc")
    news = store.campaign()
    with desk.engine.begin() as db:
        ledger.plan(db, news, store.occurrence(news, desk.now), store.allocation(desk.now), desk.now)
        assert ledger.counts(db, "weekly") == {("skipped", "no_consent"): 1}


def test_whoever_left_may_ask_to_come_back(desk: Desk) -> None:
    with desk.engine.begin() as db:
        consent.withdraw(db, desk.ana, "email", "", desk.now - DAY, source="web")
    assert desk.ask() is Asked.ASKED
    assert len(desk.send(desk.now)) == 1


@pytest.mark.parametrize("topic", ["news", ""])
def test_whoever_leaves_after_having_asked_is_not_written_to(desk: Desk, topic: str) -> None:
    assert desk.ask() is Asked.ASKED
    with desk.engine.begin() as db:
        consent.withdraw(db, desk.ana, "email", topic, desk.now + MINUTE, source="web")
    assert desk.send(desk.now + 2 * MINUTE) == set()
    with desk.engine.begin() as db:
        row = db.execute(sa.select(delivery.c.state, delivery.c.reason)).one()
    assert tuple(row) == ("skipped", "no_consent")
    assert desk.ask(desk.now + DAY) is Asked.ASKED
    assert len(desk.send(desk.now + DAY)) == 1  # it has asked anew


@pytest.mark.parametrize("topic", ["news", ""])
def test_whoever_asks_again_on_the_day_on_which_its_no_kept_the_message_back_gets_one(desk: Desk, topic: str) -> None:
    for turn in range(2):
        at = desk.now + 10 * turn * MINUTE
        assert desk.ask(at) is Asked.ASKED
        with desk.engine.begin() as db:
            consent.withdraw(db, desk.ana, "email", topic, at + MINUTE, source="web")
        assert desk.send(at + 2 * MINUTE) == set()
    at = desk.now + 20 * MINUTE
    assert desk.ask(at) is Asked.ASKED
    (number,) = desk.send(at + MINUTE)
    with desk.engine.begin() as db:
        asked = optin.request(db, number)
    assert asked is not None
    assert asked.asked_at == at
    assert desk.ask(at + 2 * MINUTE, at_most=9) is Asked.LIMITED  # one has left
    assert desk.send(at + 3 * MINUTE) == set()


def test_a_message_that_may_have_arrived_is_followed_by_no_other_on_its_day(desk: Desk) -> None:
    assert desk.ask() is Asked.ASKED
    (number,) = desk.send(desk.now, InDoubt("no answer"))
    assert desk.ask(desk.now + MINUTE, at_most=9) is Asked.LIMITED
    with desk.engine.begin() as db:
        assert ledger.resolve(db, [number], "write_off", desk.now + 2 * MINUTE)
    assert desk.ask(desk.now + 3 * MINUTE, at_most=9) is Asked.LIMITED
    assert desk.ask(desk.now + DAY, at_most=9) is Asked.ASKED


def test_whoever_asks_again_before_the_message_has_left_gets_it(desk: Desk) -> None:
    """Ticked, cleared and ticked again in the preference centre: the last word counts, and one message is enough."""
    assert desk.ask() is Asked.ASKED
    with desk.engine.begin() as db:
        consent.withdraw(db, desk.ana, "email", "news", desk.now + MINUTE, source="web")
    assert desk.ask(desk.now + 2 * MINUTE) is Asked.LIMITED  # it is on its way
    (number,) = desk.send(desk.now + 3 * MINUTE)
    with desk.engine.begin() as db:
        asked = optin.request(db, number)
    assert asked is not None
    assert asked.asked_at == desk.now + 2 * MINUTE
    assert asked.confirmed_at is None


def test_a_no_to_something_else_leaves_what_was_asked_for(desk: Desk) -> None:
    assert desk.ask() is Asked.ASKED
    with desk.engine.begin() as db:
        consent.withdraw(db, desk.ana, "email", "offers", desk.now + MINUTE, source="web")
        consent.withdraw(db, desk.ana, "sms", "news", desk.now + MINUTE, source="web")
    assert len(desk.send(desk.now + 2 * MINUTE)) == 1


def test_what_one_asked_for_goes_to_whom_it_became_part_of(desk: Desk) -> None:
    """Somebody said that both are one: who asked is asked to confirm."""
    assert desk.ask() is Asked.ASKED
    with desk.engine.begin() as db:
        bea = store.add_contact(db, key="bea", email="bea@e.org")
        contacts.merge(db, bea, desk.ana, desk.now + MINUTE)
    assert desk.send(desk.now + 2 * MINUTE) == {1}
    with desk.engine.begin() as db:
        row = db.execute(sa.select(delivery.c.contact_id, delivery.c.state, delivery.c.basis)).one()
    assert tuple(row) == (bea, "accepted", "request")


def test_a_request_ends_by_time_alone(desk: Desk) -> None:
    assert desk.ask(expires="2 days") is Asked.ASKED
    assert desk.send(desk.now + 2 * DAY) == set()
    with desk.engine.begin() as db:
        (state,) = db.scalars(sa.select(delivery.c.state))
    assert state in {"expired", "skipped"}


def test_asking_again_and_again_sends_no_more_than_the_policy_allows(desk: Desk) -> None:
    told = [
        desk.ask(desk.now + hours * timedelta(hours=1), at_most=2, within="30 days") for hours in (0, 1, 24, 48, 72)
    ]
    assert told == [Asked.ASKED, Asked.LIMITED, Asked.ASKED, Asked.LIMITED, Asked.LIMITED]
    assert desk.ask(desk.now + 31 * DAY, at_most=2, within="30 days") is Asked.ASKED


def test_suppression_beats_a_request_also_after_it_was_planned(desk: Desk) -> None:
    assert desk.ask() is Asked.ASKED
    with desk.engine.begin() as db:
        store.suppress(db, "email", "ana@e.org")
    assert desk.send(desk.now) == set()
    assert desk.ask(desk.now + DAY) is Asked.UNREACHABLE


def test_who_says_yes_already_is_not_asked(desk: Desk) -> None:
    with desk.engine.begin() as db:
        store.grant(db, desk.ana, "email", "news")
    assert desk.ask() is Asked.LIVE


def test_confirming_twice_changes_nothing_more(desk: Desk) -> None:
    desk.ask()
    with desk.engine.begin() as db:
        number = db.scalar(sa.select(confirmation.c.id))
        optin.confirmed(db, number, desk.now)
        optin.confirmed(db, number, desk.now + DAY)
        assert db.scalar(sa.select(confirmation.c.confirmed_at)) == desk.now


def test_a_topic_that_needs_no_confirmation_is_named(desk: Desk) -> None:
    with desk.engine.begin() as db, pytest.raises(UsageError, match="needs no confirmation"):
        optin.ask(db, project(), desk.ana, "email", "offers", desk.now, source="form")


def test_nobody_is_asked_on_a_channel_that_the_template_has_no_part_for(desk: Desk) -> None:
    with desk.engine.begin() as db:
        store.add_address(db, desk.ana, "sms", "+5511999990001")
        assert optin.ask(db, project(), desk.ana, "sms", "news", desk.now, source="form") is Asked.UNABLE
        for table in (confirmation, delivery):
            assert db.scalar(sa.select(sa.func.count()).select_from(table)) == 0
    assert [optin.possible(project(), *each) for each in (("email", "news"), ("sms", "news"), ("sms", "offers"))] == [
        True,
        False,
        True,
    ]
