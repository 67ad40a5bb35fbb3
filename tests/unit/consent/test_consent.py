"""The live answer is the newest row of consent, however the rows arrive; a withdrawal stands against every import."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vinculo import consent
from vinculo.consent import Consent
from vinculo.db.tables import consent as consent_table
from vinculo.db.tables import contact, permission
from vinculo.errors import UsageError

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_yes_and_a_later_no(engine: sa.Engine, people: list[int], now: datetime) -> None:
    ana, bruno, _ = people
    with engine.begin() as db:
        consent.grant(db, ana, "email", "news", now, source="form", text_hash="abc", legal_basis="consent")
        consent.grant(db, bruno, "email", "news", now, source="form")
        assert consent.live(db, ana, now) == {("email", "news"): True}
        consent.withdraw(db, ana, "email", "news", now + timedelta(days=1), source="web")
        assert consent.live(db, ana, now) == {("email", "news"): False}
        assert consent.live(db, bruno, now) == {("email", "news"): True}


def test_an_older_record_never_overwrites_a_newer(engine: sa.Engine, people: list[int], now: datetime) -> None:
    ana = people[0]
    with engine.begin() as db:
        consent.withdraw(db, ana, "email", "news", now, source="web")
        consent.grant(db, ana, "email", "news", now - timedelta(seconds=1), source="form")
        assert consent.live(db, ana, now) == {("email", "news"): False}
        assert db.scalar(sa.select(sa.func.count()).select_from(consent_table)) == 2


def test_a_yes_expires(engine: sa.Engine, people: list[int], now: datetime) -> None:
    ana, end = people[0], now + timedelta(days=180)
    with engine.begin() as db:
        consent.grant(db, ana, "email", "offers", now, source="inquiry", expires_at=end)
        assert consent.live(db, ana, end - timedelta(seconds=1))[("email", "offers")]
        assert not consent.live(db, ana, end)[("email", "offers")]


def test_a_no_to_everything_covers_topics_spoken_of_before_and_after(
    engine: sa.Engine, people: list[int], now: datetime
) -> None:
    ana = people[0]
    with engine.begin() as db:
        consent.grant(db, ana, "email", "news", now - timedelta(days=9), source="form")
        consent.grant(db, ana, "sms", "news", now - timedelta(days=9), source="form")
        consent.withdraw(db, ana, "email", "", now, source="web")
        consent.grant(db, ana, "email", "offers", now - timedelta(days=1), source="late")
        consent.grant(db, ana, "email", "service", now + timedelta(days=1), source="form")
        assert consent.live(db, ana, now) == {
            ("email", "news"): False,
            ("email", "offers"): False,
            ("email", "service"): True,
            ("sms", "news"): True,
        }


def test_a_yes_to_everything_is_refused(engine: sa.Engine, people: list[int], now: datetime) -> None:
    with engine.begin() as db, pytest.raises(UsageError, match="needs a topic"):
        consent.grant(db, people[0], "email", "", now, source="form")


def test_a_row_without_a_date_needs_to_know_the_present(engine: sa.Engine, people: list[int]) -> None:
    with engine.begin() as db, pytest.raises(ValueError, match="now"):
        consent.record_many(db, [Consent(people[0], "email", "news", True, None, "import")])


_rows = st.lists(
    st.builds(
        dict,
        person=st.integers(0, 1),
        channel=st.sampled_from(["email", "sms"]),
        topic=st.sampled_from(["news", "offers", ""]),
        granted=st.booleans(),
        day=st.integers(0, 4),
        days=st.sampled_from([None, 2]),
    ).filter(lambda row: row["topic"] or not row["granted"]),
    max_size=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(_rows, min_size=1, max_size=4))
def test_the_live_answer_equals_a_recomputation_from_consent(
    engine: sa.Engine, people: list[int], batches: list[list[dict[str, Any]]]
) -> None:
    with engine.connect() as db, db.begin() as transaction:
        for batch in batches:
            consent.record_many(db, [_consent(row, people) for row in batch])
        kept = {
            (row.contact_id, row.channel, row.topic): (row.granted, row.at, row.expires_at, row.consent_id)
            for row in db.execute(sa.select(permission))
        }
        assert kept == _recomputed(db)
        transaction.rollback()


def _consent(row: dict[str, Any], people: list[int]) -> Consent:
    at = START + timedelta(days=row["day"])
    ends = at + timedelta(days=row["days"]) if row["days"] else None
    return Consent(people[row["person"]], row["channel"], row["topic"], row["granted"], at, "test", expires_at=ends)


def _recomputed(db: sa.Connection) -> dict[tuple[int, str, str], tuple[Any, ...]]:
    rows = db.execute(sa.select(consent_table).order_by(consent_table.c.at, consent_table.c.id)).all()
    answer = {}
    for said, about in itertools.product(rows, rows):
        if (said.contact_id, said.channel) == (about.contact_id, about.channel) and about.topic in (said.topic, ""):
            key = (said.contact_id, said.channel, said.topic)
            best = max(answer.get(key, (0, START)), (about.id, about.at), key=lambda pair: (pair[1], pair[0]))
            answer[key] = best
    by_id = {row.id: row for row in rows}
    return {
        key: (by_id[number].granted, by_id[number].at, by_id[number].expires_at, number)
        for key, (number, _) in answer.items()
    }


def test_twenty_thousand_rows_are_recorded_in_a_few_statements(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        numbers = range(1, 10_001)
        db.execute(
            sa.insert(contact), [{"id": n, "key": str(n), "first_seen": now, "updated_at": now} for n in numbers]
        )
        rows = [Consent(n, "email", topic, True, now, "import") for n in numbers for topic in ("news", "offers")]
        started = time.perf_counter()
        consent.record_many(db, rows)
        took = time.perf_counter() - started
        assert db.scalar(sa.select(sa.func.count()).select_from(permission)) == 20_000
    assert took < 15  # about one second; row by row it takes a minute


def test_of_answers_that_are_told_together_only_those_just_said_are_taken_for_the_newest(
    engine: sa.Engine, people: list[int], now: datetime
) -> None:
    """Else a yes of long ago, told with the no that took it back, would stand."""
    ana, bruno, _ = people
    ahead = {ana: now + timedelta(days=9), bruno: now + timedelta(days=20)}
    with engine.begin() as db:
        for who, at in ahead.items():
            consent.grant(db, who, "email", "news", at, source="a clock that was ahead")
        noes = [Consent(who, "email", "", False, now, "web") for who in ahead]
        before = Consent(ana, "email", "news", True, now - timedelta(days=3), "web")
        consent.record_many(db, [*noes, before], heard=now)
        assert consent.live(db, ana, now) == consent.live(db, bruno, now) == {("email", "news"): False}
        c = consent_table.c
        said = sa.select(c.contact_id, c.at).where(~c.granted)
        assert dict(db.execute(said).all()) == ahead


def test_two_transactions_at_once_see_each_other(postgres_engine: sa.Engine, now: datetime) -> None:
    with postgres_engine.begin() as db:
        row = sa.insert(contact).values(key="ana", first_seen=now, updated_at=now).returning(contact.c.id)
        ana = db.scalar(row)

    def subscribe() -> None:
        with postgres_engine.begin() as db:
            consent.grant(db, ana, "email", "news", now - timedelta(days=1), source="form")

    with ThreadPoolExecutor(1) as other, postgres_engine.begin() as db:
        consent.withdraw(db, ana, "email", "", now, source="web")
        waiting = other.submit(subscribe)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.3)
        db.commit()
        waiting.result(timeout=10)
    with postgres_engine.begin() as db:
        assert consent.live(db, ana, now) == {("email", "news"): False}
