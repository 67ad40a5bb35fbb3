"""What a database would refuse stands in the file of errors with a remedy, and the other rows are kept."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.unit.contacts.conftest import Take, count, errors
from vinculo.contacts import EventRules, ImportedEvents, import_events
from vinculo.contacts.importing import reading
from vinculo.contacts.importing.row.columns import FAMILIES, PLACES
from vinculo.contacts.importing.writing import laying
from vinculo.db import image
from vinculo.db.image import Image, Rows, drawn
from vinculo.db.tables import address, consent, contact, interaction

#: Hardly to be compressed, as an index would.
_LONG = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(9_000))


def _nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


_ODD: dict[str, Any] = {
    "long": _LONG,
    "words": ";".join(_LONG[at : at + 900] for at in range(0, 3_600, 900)),
    "deep": _nested("x", 700),
    "huge": 10**4_000,
    "64 bits": 2**63,
    "sum": "R$ " + "9" * 5_000,
    "null": "a\0b",
    "nulls": ["a\0b", None, {"x\0": "\0"}],
    "large": 1e308,
    "first day": "0001-01-01T00:00:00+14:00",
    "last day": "9999-12-31T23:59:59-11:00",
}
_PLACES = [*PLACES, *(name.replace("TOPIC", "news").replace("CHANNEL", "push") for name in FAMILIES)]


@pytest.mark.parametrize("value", list(_ODD))
def test_whatever_a_row_says_the_others_are_kept(engine: sa.Engine, take: Take, value: str) -> None:
    rows = [{"key": f"k{n}", "email": f"k{n}@x.org"} | {place: _ODD[value]} for n, place in enumerate(_PLACES)]
    good = [{"key": f"good{n}", "email": f"good{n}@x.org"} for n, _ in enumerate(rows)]
    lines = [json.dumps(row) for pair in zip(good, rows, strict=True) for row in pair if len(json.dumps(row)) > 2]
    done = take("\n".join(lines) + "\n", name="people.jsonl", currency="BRL")
    assert done.created + done.failed == done.rows == len(lines)
    with engine.connect() as db:
        kept = set(db.scalars(sa.select(contact.c.key).where(contact.c.key.startswith("good"))))
    assert kept == {row["key"] for row in good}


def test_what_is_wrong_with_such_rows_is_said_with_what_to_write_instead(take: Take) -> None:
    rows = [{"key": "1", "tags": [_LONG]}, {"key": "2", "size": _ODD["deep"]}, {"key": "3", "tags": "a" * 200}]
    done = take("\n".join(map(json.dumps, rows)) + "\n", name="people.jsonl")
    assert (done.created, done.failed) == (1, 2)
    assert [(row["line"], row["reason"]) for row in errors(done.errors_file)] == [
        ("1", "tags: a tag is up to 200 characters; between two tags write `;`"),
        ("2", "lists or objects stand in each other hundreds deep: write them side by side"),
    ]


def test_a_file_whose_name_is_in_another_encoding_is_imported(engine: sa.Engine, take: Take) -> None:
    assert take("key,email\na,a@x.org\n", name="pre\udce7os.csv").created == 1
    with engine.connect() as db:
        assert db.scalar(sa.select(contact.c.source)) == "import pre?os.csv"


def _events(engine: sa.Engine, folder: Path, now: datetime, rows: list[dict[str, Any]]) -> ImportedEvents:
    path = folder / "orders.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return import_events(engine, path, EventRules(now, "BRL"))


@pytest.mark.parametrize("value", list(_ODD))
def test_whatever_an_event_says_the_others_are_kept(
    engine: sa.Engine, take: Take, tmp_path: Path, now: datetime, value: str
) -> None:
    take("key\na\n")
    row = {"contact": "a", "at": "2025-01-10", "amount": 3}
    places = ["contact", "kind", "at", "amount", "currency", "id", "channel", "summary", "size", "a\0b"]
    odd = [row | {place: _ODD[value]} for place in places]
    good = [row | {"id": f"good{n}"} for n, _ in enumerate(odd)]
    done = _events(engine, tmp_path, now, [each for pair in zip(good, odd, strict=True) for each in pair])
    assert done.added + done.known + done.failed == done.rows == 2 * len(odd)
    assert count(engine, interaction) == done.added >= len(good)


def test_the_number_of_an_order_has_an_end(engine: sa.Engine, take: Take, tmp_path: Path, now: datetime) -> None:
    take("key\na\n")
    rows = [{"contact": "a", "at": "2025-01-10", "amount": 3, "id": "é" * length} for length in (500, 501)]
    done = _events(engine, tmp_path, now, rows)
    assert (done.added, done.failed) == (1, 1)
    assert errors(done.errors_file)[0]["reason"] == "the number of an event or order is up to 500 characters"


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("refused", [{0, 1, 2, 3}, {0, 2}, {1}])
def test_rows_are_written_though_there_is_no_room_for_their_image(
    engine: sa.Engine, take: Take, monkeypatch: pytest.MonkeyPatch, refused: set[int]
) -> None:
    """For nothing, too, the driver finds no room."""
    monkeypatch.setattr(reading, "_LARGE", 0)
    monkeypatch.setattr(reading, "_MEANWHILE", 0)
    whole, asked = image.unroll, list[bool]()

    def unroll(db: sa.Connection, made: Image, left: Sequence[int]) -> bool:
        asked.append(whole(db, Image(b"", made.parts) if len(asked) in refused else made, left))
        return asked[-1]

    monkeypatch.setattr(laying, "unroll", unroll)
    done = take("key,email,consent.news\n" + "".join(f"{n},a{n}@x.org,yes\n" for n in range(64)), batch=16)
    assert done.created == 64
    assert [count(engine, table) for table in (contact, address, consent)] == [64, 64, 64]
    assert asked[:4] == [n not in refused for n in range(4)]


def test_there_is_no_image_where_there_is_no_room_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = sqlite3.connect

    def small(*args: Any, **named: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = opened(*args, **named)
        db.execute("PRAGMA max_page_count = 2")
        return db

    monkeypatch.setattr(sqlite3, "connect", small)
    assert drawn([Rows(contact, {"key": ["a"]})])
    assert drawn([Rows(contact, {"key": ["a" * 9_000]})]) is None


def test_no_date_lies_before_1900(engine: sa.Engine, take: Take, tmp_path: Path, now: datetime) -> None:
    """The first day of all is what some programs write that know none."""
    done = take("key;created;consent_date\na;0001-01-01 00:00;\nb;;31/12/1899\nc;1900-01-01;1970-01-01\n")
    assert (done.created, [row["line"] for row in errors(done.errors_file)]) == (1, ["2", "3"])
    assert "created: no date lies before 1900: leave it empty" in errors(done.errors_file)[0]["reason"]
    events = _events(engine, tmp_path, now, [{"contact": "c", "at": "0001-01-01", "amount": 3}])
    assert (events.added, events.failed) == (0, 1)
    assert errors(events.errors_file)[0]["reason"] == "no date lies before 1900: write when it was"
