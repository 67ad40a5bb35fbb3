"""New rows from a database in memory."""

from __future__ import annotations

import sqlalchemy as sa

from vinculo.db.bulk import Intake
from vinculo.db.image import Alike, Image, Rows, drawn, move, unroll
from vinculo.db.tables import address, contact


def _people(first: int, number: int) -> Image:
    """Contacts whose keys are numbers from *first*, longer ones in every second image: their pages lie elsewhere."""
    keys = [f"{at:0{20 + first % 2 * 60}}" for at in range(first, first + number)]
    people = {"key": keys, "first_seen": Alike(0, number), "updated_at": Alike(0, number)}
    reached = {
        "contact_id": range(1, number + 1),
        "channel": Alike("email", number),
        "value": [f"{key}@example.com" for key in keys],
        "hash": keys,
        "added_at": Alike(0, number),
    }
    return drawn([Rows(contact, people), Rows(address, reached)])


def _pour(db: sa.Connection, image: Image, first: int, left: list[int]) -> None:
    unroll(db, image, left)
    for n, (part, number) in enumerate(zip(image.parts, ({"id": "rowid"}, {"contact_id": "contact_id"}), strict=True)):
        values = {**dict(zip(part.names, part.names, strict=True)), **number}
        moved = {name: f"{value} + {first - 1}" if name in number else value for name, value in values.items()}
        move(db, n, part.table, moved, part.alike)


def test_one_image_after_another_is_poured_in_whole_but_for_whom_it_leaves_out(sqlite_engine: sa.Engine) -> None:
    numbers, first, expected = [300, 2_000, 45, 1_701, 900, 3_333], 1, set[int]()
    with Intake(sqlite_engine, [address], 1_000) as intake:
        intake.begin()
        for number in numbers:
            left = [at for at in range(1, number + 1) if at % 3]
            _pour(intake.db, _people(first, number), first, left)
            expected |= {first + at - 1 for at in range(1, number + 1)} - {first + at - 1 for at in left}
            first += number
        intake.commit()
    with sqlite_engine.connect() as db:
        assert set(db.scalars(sa.select(contact.c.id))) == expected
        reached = db.execute(sa.select(address.c.contact_id, sa.cast(address.c.hash, sa.Integer)))
        assert {(who, number) for who, number in reached} == {(who, who) for who in expected}
