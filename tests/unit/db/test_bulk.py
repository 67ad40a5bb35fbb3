"""Many rows at once."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from vinculo.db.bulk import Intake, add, among, gather
from vinculo.db.tables import address, consent, contact, permission

_ADDRESS = ("contact_id", "channel", "value", "hash", "added_at")
_CONSENT = ("id", "contact_id", "channel", "topic", "granted", "at")
_PERMISSION = ("contact_id", "channel", "topic", "granted", "at", "consent_id")


def _one(db: sa.Connection, whose: int = 1, consent_id: int = 1) -> None:
    add(db, contact, ("id", "key", "first_seen", "updated_at"), [(1, "one", 0, 0)])
    add(db, address, _ADDRESS, [(whose, "email", "a@example.com", "h", 0)])
    add(db, consent, _CONSENT, [(1, 1, "email", "news", True, 0)])
    add(db, permission, _PERMISSION, [(1, "email", "news", True, 0, consent_id)])


@pytest.mark.parametrize("wrong", [{"whose": 2}, {"consent_id": 2}])
def test_a_row_that_names_another_that_is_not_there_never_gets_in(engine: sa.Engine, wrong: dict[str, int]) -> None:
    def take() -> None:
        with Intake(engine, [address, consent, permission], 1_000) as intake:
            intake.begin()
            _one(intake.db, **wrong)
            intake.commit()

    with pytest.raises(sa.exc.IntegrityError):
        take()
    with engine.connect() as db:
        assert [db.scalar(sa.select(sa.func.count()).select_from(t)) for t in (contact, address, permission)] == [0] * 3


def test_of_several_transactions_those_before_a_wrong_one_stay_and_between_them_others_write(engine: sa.Engine) -> None:
    with Intake(engine, [address, consent, permission], 1_000) as intake:
        intake.begin()
        _one(intake.db)
        intake.commit()
        with engine.begin() as db:
            add(db, contact, ("id", "key", "first_seen", "updated_at"), [(2, "two", 0, 0)])
            add(db, address, _ADDRESS, [(2, "email", "b@example.com", "h", 0)])
        intake.begin()
        with pytest.raises(sa.exc.IntegrityError):
            _last(intake)
        intake.db.rollback()
    with engine.connect() as db:
        assert set(db.scalars(sa.select(address.c.contact_id))) == {1, 2}


def _last(intake: Intake) -> None:
    add(intake.db, address, _ADDRESS, [(2, "email", "c@example.com", "h", 0), (3, "email", "d@example.com", "h", 0)])
    intake.commit()


def test_whoever_comes_after_a_great_intake_is_asked_row_by_row_again(sqlite_engine: sa.Engine) -> None:
    with Intake(sqlite_engine, [address, consent, permission], 1_000) as intake:
        intake.begin()
        _one(intake.db)
        intake.commit()
    with sqlite_engine.connect() as db:
        assert db.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert db.scalar(sa.select(sa.func.count()).select_from(permission)) == 1


def test_a_row_that_is_there_already_is_refused(engine: sa.Engine) -> None:
    def twice() -> None:
        with Intake(engine, [address], 1_000) as intake:
            intake.begin()
            _one(intake.db)
            _one(intake.db)

    with pytest.raises(sa.exc.IntegrityError):
        twice()


def test_rows_are_found_by_many_texts_at_once(engine: sa.Engine) -> None:
    odd = ["ç", 'a "b"', "{c,d}", "NULL", ""]
    with engine.begin() as db:
        lines = [(n, key, 0, 0) for n, key in enumerate([*odd, "e"], 1)]
        add(db, contact, ("id", "key", "first_seen", "updated_at"), lines)
        ask = sa.select(contact.c.id).where(among(db, contact.c.key)).order_by(contact.c.id)
        assert gather(db, ask, [*odd, "ç", "nobody"]) == [[1], [2], [3], [4], [5]]
        assert gather(db, ask, []) == []
