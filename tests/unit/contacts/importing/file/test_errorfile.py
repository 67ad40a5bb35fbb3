"""A dry run leaves its file of errors, too; whoever is erased goes from it, wherever it lies."""

from __future__ import annotations

import errno
import json
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from vinculo import contacts, project
from vinculo.contacts.importing.file.errorfile import ErrorFile, remember, remembered
from vinculo.db.note import keep_note
from vinculo.errors import UsageError
from vinculo.signing import Signer
from vinculo.testing.project import write_project


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("what", ["contacts", "events"])
def test_a_file_of_errors_is_remembered_and_cleared_of_who_is_erased(
    engine: sa.Engine, signer: Signer, now: datetime, tmp_path: Path, what: str, dry_run: bool
) -> None:
    people, wrong = tmp_path / "people.csv", tmp_path / "elsewhere" / "wrong.csv"
    wrong.parent.mkdir()
    people.write_text("key;email\nana;ana@example.com\n")
    contacts.import_file(engine, people, signer=signer, now=now, options=contacts.Options())
    if what == "contacts":
        wrong.write_text("key;email;birthdate\nx;Ana@Example.com;nonsense\ny;b@example.com;nonsense\n")
        done = contacts.import_file(engine, wrong, signer=signer, now=now, options=contacts.Options(dry_run=dry_run))
        errors = done.errors_file
    else:
        wrong.write_text("contact;date;amount\nana@example.com;nonsense;1\nb@example.com;nonsense;1\n")
        rules = contacts.EventRules(currency="BRL", zone="UTC", now=now, dry_run=dry_run)
        errors = contacts.import_events(engine, wrong, rules).errors_file
    assert "b@example.com" in Path(errors).read_text(encoding="utf-8-sig")
    with engine.begin() as db:
        found = contacts.traces(db, [contacts.require(db, "ana")])
    files = project.load(write_project(tmp_path / "shop"), {"VINCULO__SECRET_KEY": "a secret for tests alone"})
    assert contacts.sweep(files, found) == 1
    left = Path(errors).read_text(encoding="utf-8-sig").lower()
    assert ("ana@example.com" in left, "b@example.com" in left) == (False, True)


@pytest.mark.parametrize("what", ["contacts", "events"])
def test_what_an_import_leaves_that_is_ended_is_remembered_too(
    engine: sa.Engine, signer: Signer, now: datetime, tmp_path: Path, what: str
) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("key;at\nana@example.com;nonsense\nb;nonsense\n")

    def end(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        if what == "contacts":
            options = contacts.Options(mapping={"at": "birthdate"}, batch=1, progress=end)
            contacts.import_file(engine, wrong, signer=signer, now=now, options=options)
        else:
            contacts.import_events(engine, wrong, contacts.EventRules(now, "BRL", batch=1, progress=end))
    left = wrong.with_name("wrong.csv.errors.csv")
    assert left.exists()
    with engine.connect() as db:
        assert list(remembered(db)) == [left.resolve()]


def test_of_an_import_without_errors_no_note_is_left(
    engine: sa.Engine, signer: Signer, now: datetime, tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    people.write_text("key;email\nana;ana@example.com\n")
    contacts.import_file(engine, people, signer=signer, now=now, options=contacts.Options())
    people.write_text("contact;date;amount\nana;2026-01-01;1\n")
    contacts.import_events(engine, people, contacts.EventRules(now, "BRL"))
    with engine.connect() as db:
        assert list(remembered(db)) == []


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("what", ["contacts", "events"])
def test_errors_of_an_earlier_run_do_not_pass_for_those_of_this_one(
    engine: sa.Engine, signer: Signer, now: datetime, tmp_path: Path, what: str, ended: bool
) -> None:
    """Also of one that was ended before it found any."""
    people = tmp_path / "people.csv"

    def end(_: int) -> None:
        if ended:
            raise KeyboardInterrupt

    def run(cell: str) -> None:
        people.write_text(f"key;at;amount\nana;{cell};1\n")
        with suppress(KeyboardInterrupt):
            if what == "contacts":
                options = contacts.Options(mapping={"at": "birthdate"}, progress=end)
                contacts.import_file(engine, people, signer=signer, now=now, options=options)
            else:
                contacts.import_events(engine, people, contacts.EventRules(now, "BRL", progress=end))

    people.write_text("key\nana\n")
    contacts.import_file(engine, people, signer=signer, now=now, options=contacts.Options())
    left = tmp_path / "people.csv.errors.csv"
    run("nonsense")
    assert left.exists()
    run("2001-02-03")
    assert not left.exists()
    with engine.connect() as db:
        assert list(remembered(db)) == ([left.resolve()] if ended else [])


@pytest.mark.parametrize("what", ["contacts", "events"])
def test_a_file_of_somebody_s_that_has_the_name_is_not_removed(
    engine: sa.Engine, signer: Signer, now: datetime, tmp_path: Path, what: str
) -> None:
    people, own = tmp_path / "people.csv", tmp_path / "people.csv.errors.csv"
    people.write_text("key;at;amount\nana;2001-02-03;1\n")
    own.write_text("whom to ask;why\nana;birthday\n")
    with pytest.raises(UsageError, match="in the way"):
        if what == "contacts":
            contacts.import_file(engine, people, signer=signer, now=now, options=contacts.Options())
        else:
            contacts.import_events(engine, people, contacts.EventRules(now, "BRL"))
    assert own.read_text() == "whom to ask;why\nana;birthday\n"
    with engine.connect() as db:
        assert list(remembered(db)) == []  # an erasure clears what is noted


def test_an_import_forgets_the_file_of_errors_of_no_other_that_has_found_none_yet(
    engine: sa.Engine, signer: Signer, now: datetime, tmp_path: Path
) -> None:
    one, other, before = tmp_path / "one.errors.csv", tmp_path / "other.csv", tmp_path / "before.errors.csv"
    with engine.begin() as db:  # as an earlier Vinculo noted all
        keep_note(db, "errors", json.dumps([str(before)]))
    remember(engine, one)
    other.write_text("key;email\nana;nonsense\n")
    contacts.import_file(engine, other, signer=signer, now=now, options=contacts.Options())
    with engine.connect() as db:
        assert set(remembered(db)) == {before, one.resolve(), (tmp_path / "other.csv.errors.csv").resolve()}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
def test_where_its_disk_is_full_it_says_which_file(tmp_path: Path) -> None:
    left = tmp_path / "people.csv.errors.csv"
    left.symlink_to("/dev/full")
    for rows in (1, 10_000):  # found as it is closed, and before
        with pytest.raises(OSError, match="No space left") as full, ErrorFile(tmp_path / "people.csv", ["key"]) as file:
            for _ in range(rows):
                file.add(2, "x", "wrong", {"key": "x"})
        assert full.value.filename == str(left)


def test_of_a_file_without_errors_nothing_is_removed_where_nothing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that can only be read refuses also that."""

    def refused(_: Path, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refused)
    ErrorFile(tmp_path / "people.csv", ["key"]).begin()
    assert not list(tmp_path.iterdir())
