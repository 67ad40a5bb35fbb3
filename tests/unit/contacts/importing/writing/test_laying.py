"""What another process draws is of use while most contacts are new."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.unit.contacts.conftest import Take
from tests.unit.contacts.importing.row.test_wholesale import _held
from vinculo.consent import LIVE
from vinculo.contacts.importing import reading
from vinculo.contacts.importing.row.columns import assign
from vinculo.contacts.importing.row.reader import Reader
from vinculo.contacts.importing.writing.laying import draw
from vinculo.db.tables import address, consent, contact, identifier, permission, tag
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
    monkeypatch.setattr(reading, "_MEANWHILE", 0)
    reader = Reader(assign(["id", "nome", "email"], {}, [], []), now, "BR")
    for vain in (False, True):
        with reading.batches(reading.Task(path, reader, "import", 16, partial(draw, signer.hashing))) as read:
            drawn = []
            for batch in read:
                drawn.append(batch.drawn is not None)
                batch.vain = vain
        assert drawn[0]
        assert drawn[-2] is not vain


_SIGNS = ["", "\\", "\\N", "a\tb", "\\.", "\\t\\", "'{}'", "%s", "\u2028x", "\U00010437" * 50, "a\\\tb", "é" * 999]


def _told(number: int) -> dict[str, str]:
    """A row that says something else in every column than those about it, in whatever signs."""
    text, answers = _SIGNS[number % len(_SIGNS)], ("", "yes", "no")
    return {
        "nome": f"Ana {text}",
        "cidade": text,
        "origem": _SIGNS[number // 2 % len(_SIGNS)],
        "nascimento": ("", "1980-02-03")[number % 2],
        "cadastro": ("", "2024-05-06")[number % 5 < 2],
        "email": f"a{number}@x.org" if number % 3 else "",
        "celular": f"+5511912345{number:03}" if number % 4 else "",
        "id.crm": f"\\{number}" if number % 5 else "",
        "tags": ("", "a;b", "c\\d")[number % 3],
        "tamanho": ("", "4.50", "true", "\\")[number % 4],
        "consent.email.news": answers[number % 3],
        "consent.sms.offers": answers[number // 3 % 3],
        "consent_date": ("", "2025-01-10")[number % 2],
        "consent_expires": ("", "2030-01-01")[number % 7 == 1],
        "consent_text": text,
    }


def _file(numbers: Iterable[int], kinds: int) -> str:
    """Rows of contacts with these numbers, which say *kinds* of things."""
    text = StringIO()
    rows = [{"id": f"k{number}", **_told(number % kinds)} for number in numbers]
    writer = csv.DictWriter(text, list(rows[0]), quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize("kinds", [1, 2, 96])
def test_whoever_prepares_rows_the_database_holds_the_same_whatever_they_say(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, kinds: int, take: Take
) -> None:
    """A few of the contacts are there, or named twice."""
    found = []
    for large in (1 << 30, 0):
        monkeypatch.setattr(reading, "_LARGE", large)
        take(_file(range(0, 96, 7), kinds))
        done = take(_file([*range(96), 0, 1, 2], kinds), batch=33)
        assert (done.created, done.updated, done.failed) == (82, 14, 0)
        found.append(_held(engine))
        with engine.begin() as db:
            same = [permission.c[name] == consent.c[name] for name in LIVE if name != "expires_at"]
            repeated = sa.select(sa.func.count()).join_from(
                permission, consent, permission.c.consent_id == consent.c.id
            )
            assert db.scalar(repeated.where(*same)) == len(found[-1][5])
            for table in (permission, consent, address, identifier, tag, contact):
                db.execute(sa.delete(table))
    assert found[0] == found[1]
