"""What another process draws is of use while most contacts are new."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.unit.contacts.conftest import Take
from tests.unit.contacts.importing.row.test_wholesale import _held
from vinculo.contacts.importing import reading
from vinculo.contacts.importing.row.columns import assign
from vinculo.contacts.importing.row.reader import Reader
from vinculo.contacts.importing.writing.laying import draw
from vinculo.db.tables import address, consent, contact, permission
from vinculo.signing import Signer

_HEAD = "id;nome;email;celular;consent.news"


def _row(number: int) -> str:
    return f"{number};Ana {number};a{number}@b.example;+5511912345{number:03};sim"


@pytest.mark.parametrize("known", [16, 64, 112])
def test_known_and_new_contacts_are_written_whoever_has_read_them(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, known: int, take: Take
) -> None:
    before = "\n".join([_HEAD, *(_row(n) for n in range(128) if n % 16 * 8 < known)])
    after = "\n".join([_HEAD, *map(_row, range(256))])
    found = []
    for large in (1 << 30, 0):
        monkeypatch.setattr(reading, "_LARGE", large)
        take(before, batch=16)
        done = take(after, batch=16)
        assert (done.created, done.updated) == (256 - known, known)
        found.append(_held(engine))
        with engine.begin() as db:
            for table in (permission, consent, address, contact):
                db.execute(sa.delete(table))
    assert found[0] == found[1]


def test_nothing_more_is_drawn_once_it_was_in_vain(
    tmp_path: Path, now: datetime, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows so long that the process that reads cannot be ahead by many batches."""
    path, far = tmp_path / "people.csv", "x" * 20_000
    path.write_text("\n".join(["id;nome;email", *(f"{n};{far}{n};a{n}@b.example" for n in range(320))]))
    monkeypatch.setattr(reading, "_LARGE", 0)
    reader = Reader(assign(["id", "nome", "email"], {}, [], []), now, "BR")
    for vain in (False, True):
        with reading.batches(reading.Task(path, reader, "import", 16, partial(draw, signer.hashing))) as read:
            drawn = []
            for batch in read:
                drawn.append(batch.drawn is not None)
                batch.vain = vain
        assert drawn[0]
        assert drawn[-2] is not vain
