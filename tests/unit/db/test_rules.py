"""No delivery without a live basis: the database refuses it, whoever writes, and however it is put."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import consent, ledger
from vinculo.db import micros
from vinculo.db.tables import confirmation, contact, delivery, permission
from vinculo.db.tables import consent as consents
from vinculo.testing import store

PLACE = {"campaign": "weekly", "occurrence": "2026-12-01T12:00[UTC]"}
DAY = timedelta(days=1)


class Books:
    """A database with an occurrence of a newsletter and two contacts, of whom the first has said yes to it."""

    def __init__(self, engine: sa.Engine, now: datetime) -> None:
        self.engine, self.now = engine, now
        with engine.begin() as db:
            self.ana = store.add_contact(db, key="ana", email="ana@e.org", consent=["news"])
            self.bia = store.add_contact(db, key="bia", email="bia@e.org")
            self.yes = db.scalar(sa.select(sa.func.max(consents.c.id)))
            row = {"state": "open", "due_at": now, "planned_at": now, "definition": {"kind": "newsletter"}}
            self.write("occurrence", {**PLACE, **row}, db)

    def write(self, table: str, row: dict[str, Any], db: sa.Connection) -> None:
        values = {name: micros(value) if isinstance(value, datetime) else value for name, value in row.items()}
        if "definition" in values:
            values["definition"] = '{"kind": "newsletter"}'
        names = ", ".join(values)
        db.execute(
            sa.text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(':' + name for name in values)})"), values
        )

    def put(self, **row: Any) -> None:
        """Insert a row of the ledger, in plain SQL."""
        usual = {"contact_id": self.ana, "state": "planned", "channel": "email", "topic": "news"}
        times = {"due_at": self.now, "expires_at": self.now + 3 * DAY}
        with self.engine.begin() as db:
            self.write("delivery", {**PLACE, **usual, **times, **row}, db)

    def sql(self, text: str, **values: Any) -> None:
        with self.engine.begin() as db:
            db.execute(sa.text(text), values)

    def row(self) -> sa.Row:
        with self.engine.begin() as db:
            return db.execute(sa.select(delivery)).one()

    def say(self, granted: bool, at: datetime, **proof: Any) -> int:
        with self.engine.begin() as db:
            consent.record(db, self.ana, "email", "news", granted, at, source="test", **proof)
            return db.scalar(sa.select(sa.func.max(consents.c.id)))


@pytest.fixture
def books(engine: sa.Engine, now: datetime) -> Books:
    return Books(engine, now)


def test_a_row_that_names_the_live_answer_is_taken(books: Books) -> None:
    books.put(basis="consent", consent_id=books.yes)
    assert books.row().consent_id == books.yes


@pytest.mark.parametrize("state", ["planned", "claimed", "submitting", "deferred", "in_doubt", "accepted"])
def test_no_row_that_is_or_was_to_be_sent_comes_in_without_a_basis(books: Books, state: str) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        books.put(state=state)


@pytest.mark.parametrize(
    "row",
    [
        {"basis": "consent"},
        {"basis": "consent", "consent_id": 999},
        {"basis": "consent", "consent_id": 1, "contact_id": 2},
        {"basis": "consent", "consent_id": 1, "topic": "offers"},
        {"basis": "consent", "consent_id": 1, "channel": "sms"},
        {"basis": "consent", "consent_id": 1, "lapses_at": 2**60},
        {"basis": "consent", "consent_id": 1, "state": "accepted", "topic": "offers"},
        {"basis": "service"},
        {"basis": "request"},
        {"basis": "request", "lapses_at": 2**60},
        {"basis": "earlier"},
        {"basis": "earlier", "lapses_at": 0},
        {"basis": "earlier", "state": "accepted"},
        {"basis": "earlier", "state": "accepted", "lapses_at": 2**60},
        {"basis": "consent", "consent_id": 1, "state": "skipped"},
        {"basis": "because"},
        {"basis": ""},
    ],
    ids=str,
)
def test_a_basis_that_is_not_there_or_is_for_another_is_refused(books: Books, row: dict[str, Any]) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        books.put(**row)


def test_a_no_an_expired_yes_and_an_older_yes_permit_nothing(books: Books) -> None:
    older, no = books.yes, books.say(False, books.now)
    for number in (older, no):
        with pytest.raises(sa.exc.IntegrityError):
            books.put(basis="consent", consent_id=number)
    newer = books.say(True, books.now + DAY, expires_at=books.now + 2 * DAY)
    with pytest.raises(sa.exc.IntegrityError):  # it would not say when it lapses
        books.put(basis="consent", consent_id=newer)
    books.put(basis="consent", consent_id=newer, lapses_at=books.now + 2 * DAY)
    with pytest.raises(sa.exc.IntegrityError):  # expiry takes effect by time alone
        books.sql("UPDATE delivery SET state = 'submitting', submitted_at = :at", at=micros(books.now + 2 * DAY))
    books.sql("UPDATE delivery SET state = 'submitting', submitted_at = :at", at=micros(books.now + DAY))


def test_what_was_left_out_and_what_was_sent_before_need_none(books: Books) -> None:
    books.put(state="skipped", reason="no_consent")
    with pytest.raises(sa.exc.IntegrityError):
        books.sql("UPDATE delivery SET state = 'planned'")
    books.put(state="accepted", basis="earlier", submitted_at=1, lapses_at=2, contact_id=books.bia)


@pytest.mark.parametrize("state", ["submitting", "in_doubt", "accepted", "rejected"])
def test_nothing_is_or_was_handed_over_but_at_an_instant(books: Books, state: str) -> None:
    """Else its basis might have lapsed, and no rule would see it."""
    books.put(basis="consent", consent_id=books.yes)
    books.say(False, books.now)
    with pytest.raises(sa.exc.IntegrityError):
        books.sql("UPDATE delivery SET state = :state", state=state)
    with pytest.raises(sa.exc.IntegrityError):
        books.put(state=state, basis="earlier", lapses_at=0, contact_id=books.bia)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE delivery SET basis = ''",
        "UPDATE delivery SET basis = 'earlier'",
        "UPDATE delivery SET basis = 'service'",
        "UPDATE delivery SET consent_id = 999",
        "UPDATE delivery SET consent_id = NULL",
        "UPDATE delivery SET lapses_at = 4000000000000000",
    ],
)
def test_a_waiting_row_cannot_be_given_another_basis(books: Books, change: str) -> None:
    books.put(basis="consent", consent_id=books.yes, lapses_at=None)
    if "lapses_at" in change:
        books.say(False, books.now)
    with pytest.raises(sa.exc.IntegrityError):
        books.sql(change)


def test_a_withdrawal_takes_the_basis_from_every_row_that_waits(books: Books) -> None:
    books.put(basis="consent", consent_id=books.yes)
    books.say(False, books.now)
    assert books.row().lapses_at == books.now
    with pytest.raises(sa.exc.IntegrityError):
        books.sql("UPDATE delivery SET state = 'submitting', submitted_at = :at", at=micros(books.now))


def test_whoever_says_yes_again_gets_what_still_waits_on_the_new_answer(books: Books) -> None:
    books.put(basis="consent", consent_id=books.yes)
    books.say(False, books.now)
    again = books.say(True, books.now + DAY, expires_at=books.now + 9 * DAY)
    assert (books.row().consent_id, books.row().lapses_at) == (again, books.now + 9 * DAY)


def test_an_answer_that_comes_late_never_hinders_a_row_that_was_handed_over_since(books: Books) -> None:
    """An event may be told hours later: the withdrawal must be kept whatever the row's own history is."""
    books.put(basis="consent", consent_id=books.yes)
    handed = micros(books.now + timedelta(hours=2))
    books.sql("UPDATE delivery SET state = 'deferred', submitted_at = :at", at=handed)
    books.say(False, books.now + timedelta(hours=1))
    assert micros(books.row().lapses_at) == handed + 1
    books.say(True, books.now + timedelta(hours=3), expires_at=books.now + timedelta(hours=1))
    books.say(False, books.now + timedelta(hours=4))
    assert micros(books.row().lapses_at) == handed + 1


def test_a_contact_can_leave_and_come_back_whatever_the_clock_said(books: Books) -> None:
    """Clocks jump: a row was handed over, its yes expires and the no comes at any times, in any order."""
    books.put(basis="consent", consent_id=books.yes)
    hours = [None, *(books.now + timedelta(hours=each) for each in (-48, 0, 48))]
    d, p = delivery.c, permission.c
    for state, handed, expires, left in product(["deferred", "submitting"], hours, hours, hours[1:]):
        if (handed and expires and handed >= expires) or (state == "submitting" and not handed):
            continue
        with books.engine.connect() as db:
            yes = {"granted": True, "expires_at": expires}
            db.execute(sa.update(permission).values(yes))
            db.execute(sa.update(delivery).values(state=state, submitted_at=handed, lapses_at=expires))
            for granted, ends in ((False, None), (True, None), (False, None), (True, expires), (False, expires)):
                db.execute(sa.update(permission).values(granted=granted, at=left, expires_at=ends))
            assert not db.scalar(sa.select(p.granted))
            lapses = db.scalar(sa.select(d.lapses_at))
            if state == "deferred":
                assert lapses in (left, handed and handed + timedelta(microseconds=1), expires)
            db.rollback()


def test_who_leaves_and_who_sends_never_wait_in_a_circle(postgres_engine: sa.Engine, now: datetime) -> None:
    """Whoever sends locks in the order of numbers; so must a withdrawal from everything, whatever topic comes first."""
    books = Books(postgres_engine, now)
    topics = "offers", "news", "events", "zebra"
    with books.engine.begin() as db:
        for topic in topics:
            store.grant(db, books.ana, "email", topic)
            yes = db.scalar(sa.select(sa.func.max(consents.c.id)))
            place = PLACE | {"occurrence": topic, "state": "open", "due_at": now, "planned_at": now, "definition": {}}
            books.write("occurrence", place, db)
            row = {"contact_id": books.ana, "channel": "email", "topic": topic, "basis": "consent", "consent_id": yes}
            row |= {"state": "planned", "due_at": now, "expires_at": now + DAY}
            books.write("delivery", {**PLACE, "occurrence": topic, **row}, db)
    ids = sa.select(delivery.c.id).order_by(delivery.c.id)
    with ThreadPoolExecutor() as pool, books.engine.begin() as sender, books.engine.begin() as other:
        first = sender.scalars(ids.limit(1).with_for_update()).one()
        leaving = pool.submit(_leave, books)
        while not other.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            assert not leaving.done()
        free = other.scalars(ids.with_for_update(skip_locked=True)).all()
        sender.rollback()
        other.rollback()
        leaving.result()
    assert [first, *free] == list(range(first, first + len(topics)))


def _leave(books: Books) -> None:
    with books.engine.begin() as db:
        consent.withdraw(db, books.ana, "email", "", books.now, source="test")


@pytest.mark.parametrize("expires", [None, DAY])
def test_a_row_that_is_moved_to_somebody_who_said_nothing_rests_on_nothing(
    books: Books, expires: timedelta | None
) -> None:
    ends = expires and books.now + expires
    books.yes = books.say(True, books.now, expires_at=ends)
    books.put(basis="consent", consent_id=books.yes, lapses_at=ends)
    books.sql("UPDATE delivery SET contact_id = :bia", bia=books.bia)
    with pytest.raises(sa.exc.IntegrityError):
        books.sql("UPDATE delivery SET state = 'submitting', submitted_at = :at", at=micros(books.now))


@pytest.mark.parametrize("nowhere", [{"contact_id": 999}, {"occurrence": "never"}, {"campaign": "none"}], ids=str)
def test_a_row_is_of_a_contact_and_an_occurrence_that_are_there(books: Books, nowhere: dict[str, Any]) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        books.put(state="skipped", **nowhere)
    books.put(state="skipped")
    (name, value), *_ = nowhere.items()
    with pytest.raises(sa.exc.IntegrityError):
        books.sql(f"UPDATE delivery SET {name} = :value", value=value)


def test_one_row_of_many_that_is_of_nobody_keeps_all_of_them_out(books: Books) -> None:
    row = {**PLACE, "state": "skipped", "due_at": books.now, "expires_at": books.now}
    rows = [{**row, "contact_id": one} for one in (books.ana, books.bia, 999)]
    with pytest.raises(sa.exc.IntegrityError), books.engine.begin() as db:
        db.execute(sa.insert(delivery).values(rows))
    with books.engine.begin() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(delivery)) == 0


@pytest.mark.parametrize("topic", ["offers", "news"])
def test_rows_of_several_topics_come_in_together_if_each_rests_on_its_own_answer(books: Books, topic: str) -> None:
    with books.engine.begin() as db:
        consent.record(db, books.bia, "email", "offers", True, books.now, source="test")
        other = db.scalar(sa.select(sa.func.max(consents.c.id)))
    row = {**PLACE, "state": "planned", "channel": "email", "due_at": books.now, "expires_at": books.now + DAY}
    row |= {"basis": "consent"}
    rows = [row | {"contact_id": books.ana, "topic": "news", "consent_id": books.yes},
            row | {"contact_id": books.bia, "topic": topic, "consent_id": other}]  # fmt: skip
    with nullcontext() if topic == "offers" else pytest.raises(sa.exc.IntegrityError), books.engine.begin() as db:
        db.execute(sa.insert(delivery).values(rows))
    with books.engine.begin() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(delivery)) == (2 if topic == "offers" else 0)


#: So many rows in a statement that a database joins them to the answers otherwise than a few.
_MANY = 1_000


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {"consent_id": 1},
        {"lapses_at": 2**60},
        {"topic": "offers"},
        {"basis": "service"},
        {"state": "skipped", "contact_id": 10 * _MANY},
    ],
    ids=str,
)
def test_one_row_of_many_that_rests_on_nothing_keeps_all_of_them_out(
    books: Books, wrong: dict[str, Any] | None
) -> None:
    said = {"channel": "email", "topic": "news", "granted": True, "at": 0}
    people = range(1_000, 1_000 + _MANY)
    with books.engine.begin() as db:
        db.execute(sa.insert(contact), [dict.fromkeys(("first_seen", "updated_at"), books.now) | {"id": n, "key": str(n)}
                                        for n in people])  # fmt: skip
        db.execute(sa.insert(consents), [{**said, "id": n, "contact_id": n} for n in people])
        db.execute(sa.insert(permission), [{**said, "contact_id": n, "consent_id": n} for n in people])
        db.execute(sa.text("CREATE TABLE draft AS SELECT * FROM delivery WHERE false"))
    row = {**PLACE, "channel": "email", "topic": "news", "due_at": micros(books.now), "expires_at": micros(books.now)}
    rows = [{**row, "contact_id": n, "consent_id": n, "state": "planned", "basis": "consent", "lapses_at": None}
            for n in people]  # fmt: skip
    rows[:: _MANY // 10] = [
        {**each, "state": "skipped", "basis": "", "consent_id": None} for each in rows[:: _MANY // 10]
    ]
    rows[_MANY // 2 + 1] |= wrong or {}
    names = ", ".join(rows[0])
    with books.engine.begin() as db:
        db.execute(sa.text(f"INSERT INTO draft ({names}) VALUES ({', '.join(':' + name for name in rows[0])})"), rows)
    put = sa.text(f"INSERT INTO delivery ({names}) SELECT {names} FROM draft")
    with pytest.raises(sa.exc.IntegrityError) if wrong else nullcontext(), books.engine.begin() as db:
        db.execute(put)
    with books.engine.begin() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(delivery)) == (0 if wrong else _MANY)
        db.execute(sa.text("DROP TABLE draft"))


@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET {} = {}"])
@pytest.mark.parametrize(("table", "key", "other"), [("contact", "id", "998"), ("occurrence", "campaign", "'other'")])
def test_what_has_deliveries_stays(books: Books, change: str, table: str, key: str, other: str) -> None:
    with books.engine.begin() as db:
        carl = db.execute(sa.insert(contact).values(key="carl", first_seen=books.now, updated_at=books.now))
        books.write("delivery", {**PLACE, "contact_id": carl.inserted_primary_key[0], "state": "skipped",
                                 "due_at": books.now, "expires_at": books.now}, db)  # fmt: skip
    where = " WHERE key = 'carl'" if table == "contact" else ""
    with pytest.raises(sa.exc.IntegrityError):
        books.sql(change.format(table, key, other) + where)
    books.sql("DELETE FROM delivery")
    books.sql(change.format(table, key, other) + where)


@pytest.mark.parametrize("same", ["contact SET id = id", "occurrence SET campaign = campaign"])
def test_what_is_written_anew_under_its_own_name_has_not_gone(books: Books, same: str) -> None:
    books.put(state="skipped")
    books.sql(f"UPDATE {same}")
    assert books.row().contact_id == books.ana


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize("table", ["contact", "occurrence"])
def test_what_goes_while_a_delivery_of_it_comes_in_waits_and_stays(books: Books, table: str) -> None:
    with books.engine.begin() as db:
        row = {"key": "carl", "first_seen": books.now, "updated_at": books.now}
        carl = db.execute(sa.insert(contact).values(row)).inserted_primary_key[0]
    gone = f"DELETE FROM {table}" + (" WHERE key = 'carl'" if table == "contact" else "")
    with ThreadPoolExecutor() as pool, books.engine.begin() as planner, books.engine.begin() as other:
        times = {"due_at": books.now, "expires_at": books.now}
        books.write("delivery", {**PLACE, "contact_id": carl, "state": "skipped", **times}, planner)
        going = pool.submit(books.sql, gone)
        while not other.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            assert not going.done()
        planner.commit()
        with pytest.raises(sa.exc.IntegrityError):
            going.result()


@pytest.mark.parametrize(
    "column", ["granted = NOT granted", "topic = 'offers'", "at = 0", "expires_at = 1", "source = ''"]
)
def test_a_consent_is_never_written_over(books: Books, column: str) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="never written over"):
        books.sql(f"UPDATE consent SET {column}")


def test_a_confirmation_may_be_asked_for_until_it_expires_or_is_given(books: Books) -> None:
    ends = books.now + DAY
    asked = {"contact_id": books.bia, "channel": "email", "topic": "news", "asked_at": books.now, "expires_at": ends}
    with books.engine.begin() as db:
        db.execute(sa.insert(confirmation).values(asked))
    for other in ({"contact_id": books.ana}, {"channel": "sms"}, {"topic": "offers"}, {"lapses_at": ends + DAY}):
        with pytest.raises(sa.exc.IntegrityError):
            books.put(**{"contact_id": books.bia, "basis": "request", "lapses_at": ends, **other})
    books.put(contact_id=books.bia, basis="request", lapses_at=ends)
    books.sql("DELETE FROM delivery")
    books.sql("UPDATE confirmation SET confirmed_at = 1")
    with pytest.raises(sa.exc.IntegrityError):
        books.put(contact_id=books.bia, basis="request", lapses_at=ends)


def test_the_ledger_leaves_out_whom_the_database_would_refuse(books: Books) -> None:
    campaign = store.campaign()
    with books.engine.begin() as db:
        assert (
            ledger.plan(
                db, campaign, store.occurrence(campaign, books.now + DAY), store.allocation(books.now), books.now
            )
            == 2
        )
        rows = db.execute(sa.select(delivery.c.contact_id, delivery.c.state, delivery.c.reason, delivery.c.basis))
        assert sorted(rows) == [(books.ana, "planned", "", "consent"), (books.bia, "skipped", "no_consent", "")]
        assert db.scalar(sa.select(sa.func.count()).select_from(permission)) == 1
        assert db.scalar(sa.select(sa.func.count()).select_from(contact)) == 2
