"""A dry run leaves its file of errors, too; whoever is erased goes from it, wherever it lies."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from vinculo import contacts, project
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
