"""New rows as the text that PostgreSQL copies."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from vinculo.db.bulk import numbers, pour
from vinculo.db.image import Alike, Rows
from vinculo.db.lines import numbered, spelled
from vinculo.db.tables import contact

_TEXTS = st.text(st.sampled_from("aé\\\t\n\rN.%s{}\"'"), max_size=4)
#: Name, city, day of birth, first seen.
_CELLS = st.tuples(_TEXTS, _TEXTS, st.sampled_from([None, "1980-02-29"]), st.integers(0, 2))
_NAMES = ("given_name", "city", "birthdate", "first_seen")


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(parts=st.lists(st.lists(_CELLS, min_size=1, max_size=4), min_size=1, max_size=3))
@example(parts=[[("\\.", "", None, 0)], [("\\N", "", None, 0)]])
@example(parts=[[("a", "\\", "1980-02-29", 0), ("a", "\\", None, 0)]])
def test_whatever_texts_say_is_in_the_table_as_it_was(engine: sa.Engine, parts: list[list[tuple[Any, ...]]]) -> None:
    rows, at = [cells for part in parts for cells in part], 0
    laid = []
    for part in parts:
        columns = dict(zip(_NAMES, map(list, zip(*part, strict=True)), strict=True))
        keys = [f"{at + n}" for n in range(len(part))]
        laid.append(Rows(contact, {"key": keys, **columns, "updated_at": Alike(0, len(part))}))
        at += len(part)
    (lines,) = spelled(laid)
    _, texts = lines.but(())
    with engine.connect() as db:
        ids = numbers(db, contact, len(texts))
        pour(db, "contact", ("id", *lines.names), numbered(texts, ids))
        c = contact.c
        ask = sa.select(
            c.given_name, c.city, sa.cast(c.birthdate, sa.Text), sa.type_coerce(c.first_seen, sa.BigInteger)
        )
        assert [tuple(row) for row in db.execute(ask.order_by(c.id))] == rows
        assert db.scalars(sa.select(c.key).order_by(c.id)).all() == [str(n) for n in range(at)]
        db.rollback()
