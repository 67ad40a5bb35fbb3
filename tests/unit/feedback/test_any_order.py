"""Webhooks come twice, late and in any order: the state after all of them is the same."""

import random
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.feedback.conftest import Shop
from vinculo.db.tables import inbound, interaction, permission, suppression
from vinculo.feedback import receive
from vinculo.model import Event, EventKind

_KINDS = st.sampled_from(
    [
        EventKind.DELIVERED,
        EventKind.BOUNCED,
        EventKind.BOUNCED,
        EventKind.BOUNCED,
        EventKind.COMPLAINED,
        EventKind.OPENED,
        EventKind.UNSUBSCRIBED,
        EventKind.SUBSCRIBED,
        EventKind.REPLIED,
        EventKind.UNKNOWN,
    ]
)
_EVENT = st.tuples(_KINDS, st.booleans(), st.sampled_from(["", "news", "offers"]), st.booleans())


def _events(shop: Shop, drawn: list[tuple[EventKind, bool, str, bool]]) -> list[Event]:
    return [
        Event(
            kind,
            "test",
            str(number),
            shop.now - timedelta(days=20) + timedelta(hours=number),
            channel="email",
            delivery=shop.ana_delivery if ana else shop.bruno_delivery,
            hard=hard and number % 3 == 0,
            topic=topic,
        )
        for number, (kind, hard, topic, ana) in enumerate(drawn)
    ]


def _state(db: sa.Connection) -> dict[str, Any]:
    """Everything but the ids, which tell the order of arrival."""
    ids = {"id", "consent_id"}
    tables = (interaction, permission, suppression, inbound)
    return {
        table.name: sorted(
            str({name: value for name, value in row.items() if name not in ids})
            for row in db.execute(sa.select(table)).mappings()
        )
        for table in tables
    }


def _after(shop: Shop, events: list[Event]) -> dict[str, Any]:
    with shop.engine.connect() as db, db.begin() as transaction:
        for event in events:
            receive(db, event, signer=shop.signer, now=shop.now)
        state = _state(db)
        transaction.rollback()
    return state


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(_EVENT, min_size=1, max_size=12), seed=st.integers(0, 2**16))
def test_shuffled_duplicates_leave_the_same_rows(
    shop: Shop, drawn: list[tuple[EventKind, bool, str, bool]], seed: int
) -> None:
    events = _events(shop, drawn)
    shuffled = events * 2
    random.Random(seed).shuffle(shuffled)
    assert _after(shop, shuffled) == _after(shop, events)


def test_forty_six_times_in_another_order_each_is_as_good_as_once(shop: Shop) -> None:
    drawn = [
        *[(EventKind.BOUNCED, False, "", True)] * 5,
        (EventKind.DELIVERED, False, "", True),
        (EventKind.UNSUBSCRIBED, False, "news", False),
        (EventKind.SUBSCRIBED, False, "news", False),
        (EventKind.COMPLAINED, False, "", False),
    ]
    events = _events(shop, drawn)
    dice = random.Random(46)
    many = [event for _ in range(46) for event in dice.sample(events, len(events))]
    assert _after(shop, many) == _after(shop, events)


@pytest.mark.parametrize("first", [True, False])
def test_a_hard_cause_outlives_soft_bounces_in_either_order(shop: Shop, first: bool) -> None:
    soft = _events(shop, [(EventKind.BOUNCED, False, "", True)] * 5)
    late = Event(EventKind.COMPLAINED, "test", "c", shop.now, channel="email", delivery=shop.ana_delivery)
    good = Event(EventKind.DELIVERED, "test", "d", shop.now, channel="email", delivery=shop.ana_delivery)
    with shop.engine.begin() as db:
        for event in [late, *soft, good] if first else [*soft, late, good]:
            receive(db, event, signer=shop.signer, now=shop.now)
        assert db.scalars(sa.select(suppression.c.reason)).all() == ["complaint"]
