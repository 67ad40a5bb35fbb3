"""An address, a consent and a permission are of a contact that is there, whichever way the database asks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo.db.tables import address, consent, contact, permission
from vinculo.testing import store

Run = Callable[[str], None]
_NOBODY = 999


@pytest.fixture
def run(engine: sa.Engine, now: datetime) -> Run:
    """Runs SQL where contact 1 has an address and has said yes, by consent 1, and contact 2 has nothing."""
    with engine.begin() as db:
        store.add_contact(db, key="ana", email="ana@e.org", consent=["news"])
        db.execute(sa.insert(contact).values(key="bia", first_seen=now, updated_at=now))

    def run(text: str) -> None:
        with engine.begin() as db:
            db.execute(sa.text(text))

    return run


def _rows(table: sa.Table, whose: list[int], named: int, channel: str = "sms") -> list[dict[str, Any]]:
    row: dict[str, Any] = {"channel": channel}
    if table is address:
        row |= {"value": "+5511912345678", "hash": "h", "added_at": 0}
    else:
        row |= {"topic": "news", "granted": True, "at": 0} | ({"consent_id": named} if table is permission else {})
    return [{**row, "contact_id": one} for one in whose]


@pytest.mark.parametrize("table", [address, consent, permission], ids=str)
@pytest.mark.usefixtures("run")
def test_one_row_of_many_that_is_of_nobody_keeps_all_of_them_out(engine: sa.Engine, table: sa.Table) -> None:
    wrong = [([1, 2, _NOBODY], 1)] + ([([1, 2], _NOBODY)] if table is permission else [])
    for whose, named in wrong:
        with pytest.raises(sa.exc.IntegrityError), engine.begin() as db:
            db.execute(sa.insert(table).values(_rows(table, whose, named)))
    with engine.begin() as db:
        db.execute(sa.insert(table).values(_rows(table, [1, 2], 1)))


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE address SET contact_id = {_NOBODY}",
        f"UPDATE consent SET contact_id = {_NOBODY}",
        f"UPDATE permission SET contact_id = {_NOBODY}",
        f"UPDATE permission SET consent_id = {_NOBODY}",
        "DELETE FROM contact",
        "UPDATE contact SET id = 998 WHERE id = 1",
        "DELETE FROM consent",
        "UPDATE consent SET id = 998",
    ],
)
def test_nothing_that_another_row_names_goes(run: Run, change: str) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        run(change)


@pytest.mark.parametrize("last", ["address", "permission", "consent"])
def test_each_of_them_alone_keeps_a_contact(run: Run, last: str) -> None:
    for table in ("address", "permission", "consent"):
        if table != last and (last, table) != ("permission", "consent"):
            run(f"DELETE FROM {table}")
    with pytest.raises(sa.exc.IntegrityError):
        run("DELETE FROM contact")
    for table in ("address", "permission", "consent", "contact"):
        run(f"DELETE FROM {table}")


def test_what_is_written_anew_or_moved_to_another_who_is_there_is_taken(engine: sa.Engine, run: Run) -> None:
    for table in ("address", "consent", "permission"):
        run(f"UPDATE {table} SET contact_id = 2")
    for table in ("contact", "consent"):
        run(f"UPDATE {table} SET id = id")
    run("UPDATE permission SET consent_id = consent_id")
    with engine.begin() as db:
        assert {db.scalar(sa.select(table.c.contact_id)) for table in (address, consent, permission)} == {2}


#: From so many rows in a statement on, PostgreSQL asks first whether the transaction has made what they name.
_MANY = 100


@pytest.mark.parametrize("gone", [2, _MANY // 2, _MANY])
@pytest.mark.parametrize("table", [address, consent, permission], ids=str)
def test_one_row_of_many_that_is_of_nobody_keeps_out_those_of_who_was_just_made(
    engine: sa.Engine, now: datetime, table: sa.Table, gone: int
) -> None:
    whose = list(range(1, _MANY + 1))
    made = [{"id": n, "key": str(n), "first_seen": now, "updated_at": now} for n in whose]
    said = [{"id": n, "channel": "email", "topic": "news", "granted": True, "at": 0, "contact_id": 1} for n in whose]

    def lay(there: list[int], named: list[int]) -> None:
        with engine.begin() as db:
            db.execute(sa.insert(contact), [row for row in made if row["id"] in there])
            if table is permission:
                db.execute(sa.insert(consent), [row for row in said if row["id"] in named])
            rows = [row for n in whose for row in _rows(table, [n], n)]
            db.execute(sa.insert(table).values(rows))
            db.rollback()

    wrong = [([n for n in whose if n != gone], whose)]
    if table is permission:
        wrong.append((whose, [n for n in whose if n != gone]))
    for there, named in wrong:
        with pytest.raises(sa.exc.IntegrityError):
            lay(there, named)
    lay(whose, whose)


@pytest.mark.parametrize(("many", "changed"), [(1, False), (_MANY, False), (_MANY, True)])
@pytest.mark.parametrize("table", [address, consent, permission], ids=str)
def test_a_contact_that_goes_while_a_row_of_it_comes_in_waits_and_stays(
    postgres_engine: sa.Engine, now: datetime, table: sa.Table, many: int, *, changed: bool
) -> None:
    """Also of one that the transaction has written anew, which looks as if it had made it."""
    with postgres_engine.begin() as db:
        store.add_contact(db, key="ana", email="ana@e.org", consent=["news"])
        db.execute(sa.insert(contact).values(key="bia", first_seen=now, updated_at=now))

    def leave() -> None:
        with postgres_engine.begin() as db:
            db.execute(sa.delete(contact).where(contact.c.key == "bia"))

    with ThreadPoolExecutor() as pool, postgres_engine.begin() as writer, postgres_engine.begin() as other:
        if changed:
            writer.execute(sa.update(contact).where(contact.c.key == "bia").values(city="Natal"))
        writer.execute(sa.insert(table).values([row for n in range(many) for row in _rows(table, [2], 1, f"c{n}")]))
        going = pool.submit(leave)
        while not other.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            assert not going.done()
        writer.commit()
        with pytest.raises(sa.exc.IntegrityError):
            going.result()


def test_a_row_that_comes_in_while_its_contact_goes_waits_and_is_refused(
    postgres_engine: sa.Engine, now: datetime
) -> None:
    with postgres_engine.begin() as db:
        db.execute(sa.insert(contact).values(key="ana", first_seen=now, updated_at=now))

    def add() -> None:
        with postgres_engine.begin() as db:
            db.execute(sa.insert(address).values(_rows(address, [1], 1)))

    with ThreadPoolExecutor() as pool, postgres_engine.begin() as leaver, postgres_engine.begin() as other:
        leaver.execute(sa.delete(contact))
        adding = pool.submit(add)
        while not other.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            assert not adding.done()
        leaver.commit()
        with pytest.raises(sa.exc.IntegrityError):
            adding.result()
