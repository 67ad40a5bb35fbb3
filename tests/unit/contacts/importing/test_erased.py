"""Who was erased and comes in again is told by line: nobody who asked to be forgotten comes back unnoticed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.unit.contacts.conftest import Take
from vinculo import consent
from vinculo.contacts import erase, find
from vinculo.contacts.importing.contacts import _Writer
from vinculo.db.tables import contact
from vinculo.signing import Signer

_FILE = "id,email,phone\n1,ana@example.com,+5511912345678\n2,bia@example.com,+5511912345679\n3,cris@example.com,\n"


def _erase(engine: sa.Engine, key: str, now: datetime) -> None:
    with engine.begin() as db:
        number = find(db, key)
        assert number is not None
        erase(db, number, now)


@pytest.mark.parametrize("batch", [1, 10_000])
def test_the_lines_of_who_was_erased_are_told_each_time(
    engine: sa.Engine, take: Take, now: datetime, batch: int
) -> None:
    assert take(_FILE, batch=batch).erased_before == ()
    _erase(engine, "2", now)
    _erase(engine, "3", now)
    back = (
        "id,email,phone\n1,ana@example.com,\n\n7,new@example.com,11912345679\n8,CRIS@example.com,\n9,x@example.com,\n"
    )
    assert take(back, batch=batch, dry_run=True).erased_before == (4, 5)
    done = take(back, batch=batch)
    assert (done.created, done.failed, done.erased_before) == (3, 0, (4, 5))
    assert take(back, batch=batch).erased_before == (4, 5)
    assert take("id,email\n2,other@example.com\n", batch=batch).erased_before == ()


def test_each_row_of_a_contact_named_twice_is_told_for_its_own_address(
    engine: sa.Engine, take: Take, now: datetime
) -> None:
    take(_FILE)
    _erase(engine, "2", now)
    done = take("id,email\n5,dani@example.com\n5,bia@example.com\n5,dani@example.com\n")
    assert (done.created, done.erased_before) == (1, (3,))


def test_json_lines_and_rows_without_keys_are_told_too(engine: sa.Engine, take: Take, now: datetime) -> None:
    take(_FILE)
    _erase(engine, "2", now)
    assert take('{"email": "ana@example.com"}\n{"email": "bia@example.com"}\n', name="p.jsonl").erased_before == (2,)


def test_who_had_complained_before_the_erasure_is_told_too(
    engine: sa.Engine, take: Take, signer: Signer, now: datetime
) -> None:
    take(_FILE)
    hashed = consent.address_hash(signer, "email", "cris@example.com")
    for at, first in ((now - timedelta(days=1), True), (now + timedelta(days=1), False)):
        if not first:
            _erase(engine, "3", now)
        with engine.begin() as db:
            consent.suppress(db, "email", hashed, "complaint", "mail", at)
    assert take(_FILE).erased_before == (4,)


def test_who_is_erased_while_a_file_is_read_is_told(
    engine: sa.Engine, take: Take, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Writer, "_TOGETHER", 0.0)  # else nobody erases on SQLite before the end
    take(_FILE)
    _erase(engine, "2", now)

    def erase_once(_: int) -> None:
        with engine.connect() as db:
            left = db.scalar(sa.select(contact.c.id).where(contact.c.key == "3"))
        if left:
            _erase(engine, "3", now)

    rows = "id,email\n1,ana@example.com\n2,bia@example.com\n3,cris@example.com\n"
    assert take(rows, batch=1, progress=erase_once).erased_before == (3, 4)
