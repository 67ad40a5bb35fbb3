"""After erasing, no byte of the person: in the database's files, in the project's folders, in what it prints."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.unit.contacts.test_person import CANARY, _whole_life
from vinculo import consent, contacts, project
from vinculo.contacts.erasure import erasing
from vinculo.contacts.erasure.naming import Naming
from vinculo.db.tables import address, contact, inbound, merging, metadata, webhook
from vinculo.errors import NotReady
from vinculo.signing import Signer
from vinculo.testing.project import COMPANY, write_project


def _all_of(folder: Path) -> dict[str, int]:
    """How often the canary sings, by file."""
    found = {str(path.relative_to(folder)): path.read_bytes().count(CANARY.encode()) for path in _files(folder)}
    return {name: number for name, number in found.items() if number}


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _requests(db: sa.Connection, now: datetime, who: int) -> None:
    """Two requests of a provider: one that an event of the contact came in, and one that nobody could be found for."""
    body = json.dumps({"to": f"{CANARY}@example.com"}).encode()
    ids = []
    for digest in "ab":
        row = {"channel": "email", "digest": digest, "received_at": now, "body": body, "outcome": "kept"}
        ids.append(db.scalar(sa.insert(webhook).values(row).returning(webhook.c.id)))
    db.execute(sa.update(inbound).where(inbound.c.contact_id == who).values(webhook_id=ids[0]))
    stray = {"source": "email", "event_id": f"{CANARY}@example.com", "received_at": now, "kind": "unknown", "raw": body}
    db.execute(sa.insert(inbound), stray)


def test_what_came_in_about_the_person_is_emptied_also_what_named_nobody(
    engine: sa.Engine, signer: Signer, now: datetime
) -> None:
    with engine.begin() as db:
        who = _whole_life(db, signer, now)
        _requests(db, now, who)
        other = {"channel": "email", "digest": "c", "received_at": now, "body": b"of another", "outcome": "read"}
        db.execute(sa.insert(webhook), other)
        contacts.erase(db, who, now)
        assert db.scalars(sa.select(webhook.c.body).order_by(webhook.c.id)).all() == [b"", b"", b"of another"]
        assert set(db.scalars(sa.select(inbound.c.raw))) == {b""}


def test_what_names_the_person_in_other_letters_or_encodings_is_emptied_and_no_one_elses(
    engine: sa.Engine, signer: Signer, now: datetime
) -> None:
    mail = EmailMessage()
    mail.set_content(f"Não entregue: {CANARY.upper()}@Example.com", cte="base64")
    forms = [
        f"to={CANARY}%40example.com".encode(),
        f"to: {CANARY}=40example.com".encode(),
        f'{{"to": "{CANARY.title()}@EXAMPLE.com"}}'.encode(),
        mail.as_bytes(),
        b"of another@example.com",
    ]
    with engine.begin() as db:
        who = _whole_life(db, signer, now)
        db.execute(sa.delete(webhook))
        before = db.scalar(sa.select(sa.func.max(inbound.c.id)))
        for number, raw in enumerate(forms):
            row = {"channel": "email", "digest": f"{number}", "received_at": now, "body": raw, "outcome": "kept"}
            db.execute(sa.insert(webhook), row)
            stray = {"source": "smtp", "event_id": f"{number}", "received_at": now, "kind": "unknown", "raw": raw}
            db.execute(sa.insert(inbound), stray)
        contacts.erase(db, who, now)
        left = [b"", b"", b"", b"", forms[-1]]
        assert db.scalars(sa.select(webhook.c.body).order_by(webhook.c.id)).all() == left
        assert db.scalars(sa.select(inbound.c.raw).where(inbound.c.id > before).order_by(inbound.c.id)).all() == left


def _strays(db: sa.Connection, now: datetime, numbers: range, body: bytes) -> None:
    """Requests, and events of nobody, with *body*."""
    for number in numbers:
        row = {"channel": "email", "digest": f"{number}", "received_at": now, "body": body, "outcome": "kept"}
        db.execute(sa.insert(webhook).values(row))
        stray = {"source": "smtp", "event_id": f"{number}", "received_at": now, "kind": "unknown", "raw": body}
        db.execute(sa.insert(inbound).values(stray))


def _named(db: sa.Connection) -> int:
    raw = [*db.scalars(sa.select(webhook.c.body)), *db.scalars(sa.select(inbound.c.raw))]
    return sum(CANARY.encode() in each for each in raw)


def test_what_came_in_is_read_in_steps_that_let_others_write_and_what_comes_meanwhile_is_emptied_too(
    engine: sa.Engine, signer: Signer, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "_STEP", 3)
    monkeypatch.setattr(erasing, "_BACK", 0)
    body = f"{CANARY}@example.com".encode()
    with engine.begin() as db:
        who = _whole_life(db, signer, now)
        _strays(db, now, range(10), body)
        _strays(db, now, range(10, 20), b"of another")
        _strays(db, now, range(20, 30), body)
    reading, empty = Naming.in_, erasing._empty

    def read(self: Naming, raw: bytes) -> bool:
        if raw == b"of another":  # whoever writes meanwhile waits for nobody
            with engine.begin() as other:
                other.execute(sa.update(contact).where(contact.c.id == who).values(updated_at=now))
        return reading(self, raw)

    with monkeypatch.context() as patched:
        patched.setattr(Naming, "in_", read)
        seen = contacts.forget_raw(engine, [who])
    with engine.begin() as db:
        assert db.scalar(sa.select(contact.c.erased_at).where(contact.c.id == who)) is None
        _strays(db, now, range(30, 33), body)
    asked: list[int] = []
    monkeypatch.setattr(erasing, "_empty", lambda db, table, ids: (asked.extend(ids), empty(db, table, ids)))
    with engine.begin() as db:
        contacts.erase(db, who, now, seen)
        assert _named(db) == 0
    assert len(asked) == 6  # only what came since was read again


def test_an_erase_that_was_stopped_is_completed_by_the_next(
    engine: sa.Engine, signer: Signer, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "_STEP", 3)
    with engine.begin() as db:
        who = _whole_life(db, signer, now)
        _strays(db, now, range(10), f"{CANARY}@example.com".encode())
    reading, left = Naming.in_, [8]

    def read(self: Naming, raw: bytes) -> bool:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return reading(self, raw)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Naming, "in_", read)
        contacts.forget_raw(engine, [who])
    with engine.begin() as db:
        assert 0 < _named(db) < 23
        assert contacts.find(db, f"{CANARY}@example.com") == who
    seen = contacts.forget_raw(engine, [who])
    with engine.begin() as db:
        contacts.erase(db, who, now, seen)
        assert _named(db) == 0


def test_no_row_of_any_table_holds_a_word_of_the_erased(engine: sa.Engine, signer: Signer, now: datetime) -> None:
    with engine.begin() as db:
        who = _whole_life(db, signer, now)
        _requests(db, now, who)
        twin = _whole_life_of_a_twin(db, signer, now)
        contacts.merge(db, who, twin, now, f"{CANARY} said so")
        contacts.part(db, f"#{twin}", now, CANARY)
        contacts.merge(db, who, twin, now, CANARY)
        contacts.erase(db, who, now)
        for table in metadata.sorted_tables:
            for row in db.execute(sa.select(table)):
                assert CANARY not in repr(tuple(row)), table.name
        hashed = consent.address_hash(signer, "email", f"{CANARY}@example.com")
        assert consent.suppressed(db, "email", [hashed]) == {hashed: "erasure"}


def _whole_life_of_a_twin(db: sa.Connection, signer: Signer, now: datetime) -> int:
    from tests.unit.contacts.test_person import _person

    return _person(db, signer, now, key=f"twin-{CANARY}", email=f"twin@{CANARY}.example", city=CANARY)


def test_postgresql_written_anew_keeps_no_byte_in_its_tables_and_its_journal(
    postgres_engine: sa.Engine, signer: Signer, now: datetime
) -> None:
    with postgres_engine.begin() as db:
        who = _whole_life(db, signer, now)
        _requests(db, now, who)
        folder = Path(db.scalar(sa.text("SHOW data_directory")) or "")
        number = db.scalar(sa.text("SELECT oid FROM pg_database WHERE datname = current_database()"))
    with postgres_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(sa.text("ANALYZE"))  # the planner's samples are values of columns, too
        db.execute(sa.text("CHECKPOINT"))
    mine, journal = folder / "base" / str(number), folder / "pg_wal"
    assert sum(_all_of(mine).values()) > 10
    assert _all_of(journal)
    with postgres_engine.begin() as db:
        contacts.erase(db, who, now)
    assert not contacts.scrub(postgres_engine)
    assert contacts.scrub(postgres_engine, rewrite=True)
    assert (_all_of(mine), _all_of(journal)) == ({}, {})


def test_a_journal_that_a_replica_is_yet_to_read_is_not_called_clear(
    postgres_engine: sa.Engine, signer: Signer, now: datetime
) -> None:
    with postgres_engine.begin() as db:
        who = _whole_life(db, signer, now)
        journal = Path(db.scalar(sa.text("SHOW data_directory")) or "") / "pg_wal"
        contacts.erase(db, who, now)
    with postgres_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(sa.text("SELECT pg_create_physical_replication_slot('replica', true)"))
        try:
            assert not contacts.scrub(postgres_engine, rewrite=True)
            assert _all_of(journal)
        finally:
            db.execute(sa.text("SELECT pg_drop_replication_slot('replica')"))
    assert contacts.scrub(postgres_engine, rewrite=True)
    assert _all_of(journal) == {}


def test_on_sqlite_somebody_at_work_is_named_and_the_next_erase_completes_it(
    sqlite_engine: sa.Engine, tmp_path: Path, signer: Signer, now: datetime
) -> None:
    with sqlite_engine.begin() as db:
        who = _whole_life(db, signer, now)
    sa.event.listen(sqlite_engine, "checkout", lambda raw, *_: raw.execute("PRAGMA busy_timeout = 20"))
    reader = sqlite_engine.connect().execution_options(read_only=True)
    reader.execute(sa.select(contact)).all()
    with sqlite_engine.begin() as db:
        contacts.erase(db, who, now)
    with pytest.raises(NotReady, match="somebody else is at the database"):
        contacts.scrub(sqlite_engine)
    reader.close()
    with sqlite_engine.begin() as db:
        contacts.erase(db, who, now)
    contacts.scrub(sqlite_engine)
    assert _all_of(tmp_path) == {}


def test_the_projects_own_folders_forget_the_person_and_nobody_else(
    sqlite_engine: sa.Engine, tmp_path: Path, signer: Signer, now: datetime
) -> None:
    channels = "".join(f'{name} = "connectors.outbox:Outbox"\n' for name in ("email", "sms"))
    listen = f'{COMPANY}\n[channels]\n{channels}[outbox]\nfolder = "sent"\n[listen]\nmaildir = "mail"\n'
    root = tmp_path / "project"
    root.mkdir()
    write_project(root, **{"vinculo.toml": listen})
    person, other = f"To: <{CANARY}@example.com>\n", "To: <ana@example.com>\n"
    for name in ("sent/one.eml", "mail/cur/one", "mail/new/two"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(person.upper() if name == "mail/new/two" else person)
        path.with_name("other").write_text(other)
    (root / "var/answers").mkdir(parents=True)
    waiting = root / "var/answers/batch.jsonl"
    waiting.write_text(json.dumps({"key": 1, "response": f"250 {CANARY}@example.com taken"}) + "\n")
    errors = root / "people.csv.errors.csv"
    rows = [["line", "value", "reason", "email", "celular"], ["2", "x", "wrong", f"'{CANARY}@example.com", ""]]
    rows += [["3", "x", "wrong", "", "(11) 91234-5678"], ["4", "x", "wrong", "ana@example.com", "+55 11 98888-7777"]]
    with errors.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)
    with sqlite_engine.begin() as db:
        who = _whole_life(db, signer, now)
        row = {"contact_id": who, "channel": "sms", "value": "+5511912345678", "hash": "h", "added_at": now}
        db.execute(sa.insert(address).values(row))
        traces = contacts.traces(db, [who])
        contacts.erase(db, who, now)
    assert contacts.sweep(project.load(root), traces) == 5
    assert _all_of(root) == {}
    assert sorted(path.name for path in _files(root / "mail")) == ["other", "other"]
    assert json.loads(waiting.read_text())["response"].endswith("xxx taken")
    with errors.open(encoding="utf-8-sig", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["line", "4"]
    assert contacts.sweep(project.load(root), traces) == 0


def _company(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    channels = "".join(f'{name} = "connectors.outbox:Outbox"\n' for name in ("email", "sms"))
    write_project(root, **{"vinculo.toml": f"{COMPANY}\n[channels]\n{channels}"})
    return root


def test_a_database_in_the_projects_folder_is_not_written_past(tmp_path: Path) -> None:
    """Another contact may have the address, and its index would no longer find it."""
    root = _company(tmp_path)
    (root / "var").mkdir(exist_ok=True)
    path = root / "var" / "vinculo.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE address (value TEXT PRIMARY KEY)")
        db.execute("PRAGMA wal_checkpoint")
        db.execute("INSERT INTO address VALUES ('house@example.com')")
        db.commit()
        found = contacts.Traces(frozenset({"house@example.com"}), frozenset(), ())
        assert contacts.sweep(project.load(root), found) == 0
        assert db.execute("SELECT * FROM address").fetchall() == [("house@example.com",)]
    assert contacts.sweep(project.load(root), found) == 0
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT * FROM address").fetchall() == [("house@example.com",)]


def test_a_file_of_errors_is_cleared_whatever_a_spreadsheet_made_of_it(tmp_path: Path) -> None:
    root = _company(tmp_path)
    path = root / "people.csv.errors.csv"
    long = "x" * 200_000
    path.write_bytes(f"line,value,reason\n2,ana@example.com,wrong\n3,{long},Jo\xe3o\n".encode("latin-1"))
    found = contacts.Traces(frozenset({"ana@example.com"}), frozenset(), ())
    assert contacts.sweep(project.load(root), found) == 1
    assert b"ana@" not in path.read_bytes()
    assert f"3,{long},Jo\xe3o".encode("latin-1") in path.read_bytes()


def test_erasing_again_and_merges_of_the_erased_change_nothing(
    engine: sa.Engine, signer: Signer, now: datetime
) -> None:
    with engine.begin() as db:
        who = _whole_life(db, signer, now)
        contacts.erase(db, who, now)
        before = db.execute(sa.select(contact)).all()
        contacts.erase(db, who, now)
        assert db.execute(sa.select(contact)).all() == before
        assert db.scalar(sa.select(sa.func.count()).select_from(merging)) == 0
