"""Facts are at every moment what the history gives when it is worked out anew, whatever came in whichever order."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import NOW
from vinculo import contacts, facts, history
from vinculo.db.tables import contact, fact, interaction, merging, metadata
from vinculo.errors import VinculoError
from vinculo.history import Interaction
from vinculo.model import Direction
from vinculo.testing import store

AT = st.sampled_from([NOW + timedelta(days=days) for days in (-900, -400, -91, -90, -90, -30, -2, -1, 0, 1, 40)])
AT |= st.just(datetime(1900, 1, 1, tzinfo=UTC))
LINES = st.builds(
    Interaction,
    contact_id=st.integers(1, 3),
    at=AT,
    direction=st.just(Direction.IN),
    kind=st.sampled_from(["opened", "purchased", "sent", "scored"]),
    amount=st.none() | st.integers(-500, 500),
    currency=st.sampled_from(["", "BRL", "BRL", "USD"]),
    source=st.just("shop"),
    # Some are replays of one another.
    event_id=st.sampled_from(["", "", "1", "2", "3"]),
)


def lay(db: sa.Connection, number: int) -> None:
    for table in reversed(metadata.sorted_tables):
        db.execute(table.delete())
    rows = [{"id": n, "key": f"k{n}", "first_seen": NOW, "updated_at": NOW} for n in range(1, number + 1)]
    db.execute(sa.insert(contact), rows)


def kept(db: sa.Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for row in db.execute(sa.select(fact).order_by(fact.c.contact_id, fact.c.kind))]


@given(batches=st.lists(st.lists(LINES, max_size=8), max_size=6), erased=st.sampled_from([0, 2]))
@settings(
    max_examples=60,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_is_added_batch_by_batch_equals_what_the_history_gives(
    engine: sa.Engine, batches: list[list[Interaction]], erased: int
) -> None:
    with engine.begin() as db:
        lay(db, 3)
        db.execute(sa.update(contact).where(contact.c.id == erased).values(erased_at=NOW))
        for batch in batches:
            history.record(db, batch)
            assert list(facts.differing(db)) == []
        before = kept(db)
        assert all(row[0] != erased for row in before)
        facts.rebuild(db)
        assert kept(db) == before


WHO = st.integers(1, 3)
ACTS = st.one_of(
    st.tuples(st.just("record"), st.lists(LINES, min_size=1, max_size=4)),
    st.tuples(st.just("merge"), WHO, WHO),
    st.tuples(st.just("part")),
    st.tuples(st.just("merge"), WHO, WHO),
    st.tuples(st.just("record"), st.lists(LINES, min_size=1, max_size=4)),
    st.tuples(st.just("part")),
    st.tuples(st.just("erase"), st.just(3)),
)


def _act(db: sa.Connection, what: str, *about: Any) -> None:
    match what:
        case "record":
            history.record(db, *about)
        case "merge":
            contacts.merge(db, *about, NOW)
        case "part":
            last = sa.select(merging.c.joined_id).where(merging.c.undone_at.is_(None)).order_by(merging.c.id.desc())
            contacts.part(db, f"#{db.scalar(last)}", NOW)
        case "erase":
            contacts.erase(db, *about, NOW)


@given(acts=st.lists(ACTS, min_size=4, max_size=12))
@settings(
    max_examples=40,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_facts_equal_the_history_after_every_merge_parting_and_erasure(
    engine: sa.Engine, acts: list[tuple[Any, ...]]
) -> None:
    with engine.begin() as db:
        lay(db, 3)
        for act in acts:
            with suppress(VinculoError):  # merged with itself, or nothing to part
                _act(db, *act)
            assert list(facts.differing(db)) == []


def test_a_fact_says_how_often_for_how_much_and_when(engine: sa.Engine) -> None:
    days = [NOW - timedelta(days=n) for n in (5, 1, 9, 3, 2, 7)]
    with engine.begin() as db:
        lay(db, 1)
        for at in days:
            line = Interaction(1, at, Direction.IN, "purchased", amount=1000, currency="BRL")
            history.record(db, [line])
        [row] = db.execute(sa.select(fact)).all()
    newest = [int(at.timestamp()) * 1_000_000 for at in sorted(days, reverse=True)[:5]]
    assert tuple(row) == (1, "purchased", 6, 6000, "BRL", *newest)


def test_what_is_wrong_is_named_and_rebuilding_mends_it(engine: sa.Engine) -> None:
    with engine.begin() as db:
        lay(db, 3)
        for number in (1, 2):
            history.record(db, [Interaction(number, NOW, Direction.IN, "opened")])
        right = kept(db)
        db.execute(sa.update(fact).where(fact.c.contact_id == 1).values(count=7))
        db.execute(sa.delete(fact).where(fact.c.contact_id == 2))
        values = {"contact_id": 3, "kind": "opened", "count": 1, "amount": 0}
        db.execute(sa.insert(fact).values(values | {f"at_{n}": facts.NEVER for n in range(1, 6)}))
        assert list(facts.differing(db)) == [(1, "opened"), (2, "opened"), (3, "opened")]
        assert facts.rebuild(db) == 2
        assert kept(db) == right


def test_history_that_has_moved_is_counted_where_it_is(engine: sa.Engine) -> None:
    with engine.begin() as db:
        lay(db, 3)
        for number in (1, 2, 3):
            history.record(db, [Interaction(number, NOW, Direction.IN, "opened")])
        db.execute(sa.update(interaction).where(interaction.c.contact_id == 2).values(contact_id=1))
        facts.renew(db, [1, 2])
        assert [(row[0], row[2]) for row in kept(db)] == [(1, 2), (3, 1)]


def test_merging_parting_and_erasing_keep_the_facts_right(engine: sa.Engine) -> None:
    with engine.begin() as db:
        ana, bea, caio = (store.add_contact(db, key=key, email=f"{key}@example.org") for key in ("ana", "bea", "caio"))
        for who, days in ((ana, 3), (bea, 2), (bea, 1), (caio, 9)):
            history.record(db, [Interaction(who, NOW - timedelta(days=days), Direction.IN, "purchased", amount=500)])
        before = kept(db)
        contacts.merge(db, ana, bea, NOW)
        assert [(row[0], row[2], row[3]) for row in kept(db)] == [(ana, 3, 1500), (caio, 1, 500)]
        assert list(facts.differing(db)) == []
        contacts.part(db, "bea", NOW)
        assert kept(db) == before
        contacts.erase(db, bea, NOW)
        assert [row[0] for row in kept(db)] == [ana, caio]
        assert list(facts.differing(db)) == []
