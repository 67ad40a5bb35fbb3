"""Files of contacts that are there: what is the same is not written, and all is as if each row were joined alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.contacts.conftest import Take, one
from tests.unit.contacts.test_wholesale import _CELLS, _held, _take
from vinculo import consent
from vinculo.contacts import batch, find, merge
from vinculo.contacts.known import Held
from vinculo.db import metadata
from vinculo.db.tables import address, contact
from vinculo.signing import Signer

_TABLES = list(reversed(metadata.sorted_tables))
_WRONG = frozenset({
    *("erased-7", "#8", "nobody", "ç@x.org", "a|b@x.org", "123", "XX", "klingon!", "31/02/1980", "2999-01-01"),
    *("perhaps", "none", "2020-01-01"),
})  # fmt: skip
_GOOD = {name: [cell for cell in cells if cell not in _WRONG] for name, cells in _CELLS.items()}


@st.composite
def _files(draw: st.DrawFn) -> list[str]:
    """Files about the same few contacts, most of whose rows are right."""
    files = []
    for _ in range(draw(st.integers(2, 4))):
        names = draw(st.lists(st.sampled_from(sorted(_CELLS)), unique=True, min_size=2))
        names += [name for name in ("id", "email") if not {"id", "email"} & set(names)][:1]
        cells = _GOOD if draw(st.integers(0, 3)) else _CELLS
        rows = draw(st.lists(st.tuples(*(st.sampled_from(cells[name]) for name in names)), max_size=7))
        files.append("\n".join([",".join(names), *(",".join(f'"{cell}"' for cell in row) for row in rows)]) + "\n")
    return [*files, files[draw(st.integers(0, len(files) - 1))]]


def _alone(_db: object, _drafts: object, there: Held, _unusual: object) -> set[str]:
    return set(there)


def _between(engine: sa.Engine, now: datetime) -> None:
    """What happens between two files: somebody leaves, two contacts become one, places are swapped."""
    with engine.begin() as db:
        who = [find(db, key) for key in ("1", "2", "3")]
        if who[0]:
            consent.withdraw(db, who[0], "email", "", now - timedelta(days=1), source="page")
        if who[1] and who[2]:
            merge(db, who[1], who[2], now)
        db.execute(sa.update(address).where(address.c.value == "b@x.org").values(position=2))


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=_files(), size=st.integers(1, 6), between=st.booleans())
def test_rows_of_known_contacts_change_what_they_change_when_each_is_joined_alone(  # noqa: PLR0917 - what pytest gives
    sqlite_engine: sa.Engine, tmp_path: Path, signer: Signer, now: datetime, files: list[str], size: int, between: bool
) -> None:
    found: list[Any] = []
    for alone in (False, True):
        told = []
        with pytest.MonkeyPatch.context() as patch:
            if alone:
                patch.setattr(batch, "_shared", _alone)
            for days, text in enumerate(files):
                told.append(_take(sqlite_engine, tmp_path, text, signer, now + timedelta(days=days), size))
                if between and not days:
                    _between(sqlite_engine, now)
        found.append((told, _held(sqlite_engine)))
        with sqlite_engine.begin() as db:
            for table in _TABLES:
                db.execute(sa.delete(table))
            db.execute(sa.text("DELETE FROM sqlite_sequence"))  # merged contacts have keys with their numbers
    assert found[0] == found[1]


def test_who_is_named_again_and_has_not_changed_stays_as_it_was_and_the_others_are_as_of_now(
    engine: sa.Engine, take: Take, tmp_path: Path, signer: Signer, now: datetime
) -> None:
    head = "id,nome,email,tags,id.crm,tamanho,consent.news\n"
    rows = [f"{n},Ana {n},a{n}@x.org,x,k{n},4.5,sim\n" for n in range(6)]
    take(head + "".join(rows))
    rows[1] = rows[1].replace("Ana", "Bia")
    rows[2] = rows[2].replace("a2@", "b2@")
    rows[3] = rows[3].replace(",x,", ",y,")
    rows[4] = rows[4].replace("4.5", "5")
    rows[5] = rows[5].replace("k5", "")
    later = now + timedelta(days=7)
    done, _ = _take(engine, tmp_path, head + "".join(rows), signer, later, 10)
    assert (done.created, done.updated, done.failed) == (0, 6, 0)
    with engine.connect() as db:
        at = dict(db.execute(sa.select(contact.c.key, contact.c.updated_at)).tuples().all())
    assert at == {"0": now, "1": later, "2": later, "3": later, "4": later, "5": now}
    assert [each.value for each in one(engine, "2").addresses] == ["b2@x.org", "a2@x.org"]
    assert (one(engine, "3").tags, one(engine, "4").traits) == ({"x", "y"}, {"tamanho": 5})


def test_a_kind_and_a_source_that_a_row_leaves_out_stay_and_a_new_contact_has_the_usual(
    engine: sa.Engine, take: Take
) -> None:
    take("id,tipo,origem\n1,staff,feira\n")
    take("id,tipo,origem,cidade\n1,,,Natal\n2,,,Natal\n", name="more.csv")
    with engine.connect() as db:
        rows = db.execute(sa.select(contact.c.kind, contact.c.source, contact.c.city).order_by(contact.c.key)).all()
    assert [tuple(row) for row in rows] == [("staff", "feira", "Natal"), ("customer", "import more.csv", "Natal")]
