"""Suppressions keep their first cause; preferences the newest choice."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from vinculo import consent
from vinculo.errors import UsageError


def test_the_first_cause_of_a_suppression_stays_whichever_arrives_first(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        consent.suppress(db, "email", "h1", "complaint", "arf", now)
        consent.suppress(db, "email", "h1", "hard_bounce", "dsn", now - timedelta(days=1))
        consent.suppress(db, "email", "h1", "manual", "cli", now)
        assert consent.suppressed(db, "email", {"h1", "h2"}) == {"h1": "hard_bounce"}
        assert consent.suppressed(db, "sms", {"h1"}) == {}


def test_only_soft_bounces_are_lifted_and_every_other_cause_takes_their_place(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        consent.suppress(db, "email", "h1", consent.SOFT_BOUNCES, "dsn", now - timedelta(days=9))
        consent.suppress(db, "email", "h2", consent.SOFT_BOUNCES, "dsn", now)
        consent.suppress(db, "email", "h1", "complaint", "arf", now)
        consent.suppress(db, "email", "h1", consent.SOFT_BOUNCES, "dsn", now - timedelta(days=20))
        consent.lift_soft_bounces(db, "email", "h1")
        consent.lift_soft_bounces(db, "email", "h2")
        assert consent.suppressed(db, "email", {"h1", "h2"}) == {"h1": "complaint"}


def test_the_newest_choice_stays_and_an_empty_one_takes_it_back(
    engine: sa.Engine, people: list[int], now: datetime
) -> None:
    ana = people[0]
    with engine.begin() as db:
        consent.set_preference(db, ana, "language", "pt", now)
        consent.set_preference(db, ana, "language", "es", now - timedelta(days=1))
        consent.set_preference(db, ana, "pause_until", "2026-12-24T00:00:00+00:00", now)
        assert consent.preferences(db, ana) == {"language": "pt", "pause_until": "2026-12-24T00:00:00+00:00"}
        consent.set_preference(db, ana, "pause_until", "", now + timedelta(days=1))
        assert consent.preferences(db, ana) == {"language": "pt"}


def test_a_wrong_preference_is_refused_with_what_to_write(engine: sa.Engine, people: list[int], now: datetime) -> None:
    with engine.begin() as db:
        with pytest.raises(UsageError, match="Did you mean `frequency`"):
            consent.set_preference(db, people[0], "frequence", "1", now)
        with pytest.raises(UsageError, match="how often"):
            consent.set_preference(db, people[0], "frequency", "often", now)
        with pytest.raises(UsageError, match="no instant"):
            consent.set_preference(db, people[0], "pause_until", "tomorrow", now)


def test_the_channels_of_a_contact_are_those_it_spoke_of(engine: sa.Engine, people: list[int], now: datetime) -> None:
    with engine.begin() as db:
        consent.grant(db, people[0], "sms", "news", now, source="form")
        assert consent.channels(db, people[0]) == ["sms"]
