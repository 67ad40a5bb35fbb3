"""A dry run says what the import then does, however many batches the file has."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.contacts.conftest import Take
from tests.unit.contacts.importing.writing.test_known import _between, _files
from vinculo.contacts import erase
from vinculo.db.tables import metadata, note
from vinculo.signing import Signer

_HEAD = "id,email,sms,id.shop,consent.news,consent_date,tags\n"
_THERE = (
    "k1,a@example.com,,s1,yes,2026-01-02,\nk2,b@example.com,,,no,,x\nk3,c@example.com,+5511912345678,,yes,,\n"
    "gone,d@example.com,,,,,\n"
)


def everything(engine: sa.Engine) -> list[list[str]]:
    with engine.connect() as db:
        return [
            sorted(map(repr, db.execute(sa.select(table)))) for table in metadata.sorted_tables if table is not note
        ]


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite, too, each batch is a transaction: what is written in a second would be one."""
    monkeypatch.setattr("vinculo.contacts.importing.contacts._Writer._TOGETHER", 0.0)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    "rows",
    [
        "n1,,,,,,\nn2,,,,,,\nn1,,,,,,\n",
        "n1,n@example.com,,,,,\n,n@example.com,,,,,\n,n@example.com,,,,,y\n",
        ",n@example.com,,,,,\nn1,n@example.com,,,,,\n,n@example.com,,,,,\n",
        ",,,s9,,,\n,,,s9,,,\nn1,,,s9,,,\n",
        "n1,n@example.com,,,no,,\nn2,n@example.com,,,yes,,\nn1,n@example.com,,,yes,,\n",
        "n1,n@example.com,,,yes,,\nn2,n@example.com,,,no,,\nn3,n@example.com,,,yes,2001-02-03,\n",
        "k1,b@example.com,,,,,\nk2,a@example.com,,,yes,,\nk1,a@example.com,,,no,,\n",
        "k1,nonsense,,,no,,\nk1,a@example.com,,,yes,,\nn1,nonsense,,,no,,\nn1,n@example.com,,,yes,,\n",
        "gone,d@example.com,,,yes,,\nn1,d@example.com,,,,,\ngone,d@example.com,,,,,\n",
    ],
    ids=["key", "address", "key-later", "identifier", "no-first", "no-later", "contradicts", "wrong", "erased"],
)
def test_a_dry_run_says_of_rows_in_several_batches_what_the_import_does(
    engine: sa.Engine, take: Take, signer: Signer, now: datetime, rows: str, batch: int
) -> None:
    take(_HEAD + _THERE)
    with engine.begin() as db:
        erase(db, 4, now)
    before = everything(engine)
    told = take(_HEAD + rows, batch=batch, dry_run=True)
    assert everything(engine) == before
    assert told == replace(take(_HEAD + rows, batch=batch), dry_run=True)


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=_files(), size=st.integers(1, 4), between=st.booleans())
def test_a_dry_run_says_of_any_file_what_the_import_does(
    engine: sa.Engine, take: Take, now: datetime, files: list[str], size: int, between: bool
) -> None:
    take(files[0])
    if between:
        _between(engine, now)
    for text in files[1:]:
        told = take(text, batch=size, dry_run=True)
        assert told == replace(take(text, batch=size), dry_run=True)
    _empty(engine)


def _empty(engine: sa.Engine) -> None:
    tables = [table.name for table in reversed(metadata.sorted_tables)]
    with engine.begin() as db:
        if engine.dialect.name == "postgresql":
            db.execute(sa.text(f"TRUNCATE {','.join(tables)} RESTART IDENTITY CASCADE"))
            return
        for name in (*tables, "sqlite_sequence"):
            db.execute(sa.text(f"DELETE FROM {name}"))
