"""What the tests of contacts share: a signer, and an import in one call."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo.contacts import Imported, Options, find, import_file, load
from vinculo.model import Contact
from vinculo.signing import Signer


@pytest.fixture
def signer() -> Signer:
    return Signer("a secret for tests only")


Take = Callable[..., Imported]


@pytest.fixture
def take(engine: sa.Engine, tmp_path: Path, signer: Signer, now: datetime) -> Take:
    """Import a text (or bytes) as a file, for a Brazilian company."""

    def take(content: str | bytes, name: str = "people.csv", **options: Any) -> Imported:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        chosen = Options(**{"country": "BR", "zone": "America/Sao_Paulo"} | options)
        return import_file(engine, path, signer=signer, now=now, options=chosen)

    return take


def one(engine: sa.Engine, key: str) -> Contact:
    with engine.connect() as db:
        found = find(db, key)
        assert found is not None, key
        return load(db, [found])[found]


def count(engine: sa.Engine, table: sa.Table) -> int:
    with engine.connect() as db:
        return db.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def errors(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        delimiter = ";" if file.readline().startswith("line;") else ","
        file.seek(0)
        return list(csv.DictReader(file, delimiter=delimiter))
