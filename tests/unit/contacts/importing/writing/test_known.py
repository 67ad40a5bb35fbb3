"""Files of contacts that are there: what is the same is not written, and all is as if each row were joined alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.contacts.conftest import Take, one
from tests.unit.contacts.importing.row.test_wholesale import _CELLS, _held, _take
from vinculo import consent
from vinculo.consent import address_hash
from vinculo.contacts import erase, find, merge
from vinculo.contacts.importing import batch
from vinculo.contacts.importing.writing import drafts, known
from vinculo.contacts.importing.writing.known import Held
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


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


#: Columns that depend on each other, and what each may say.
_STATES: dict[tuple[str, ...], list[list[str]]] = {
    ("nome", "cidade"): [["", "Ana", "ana", "Ana Silva"], ["", "Natal"]],
    ("tipo", "nascimento"): [["", "staff"], ["", "1980-02-03", "1980-02-04"]],
    ("celular", "pais", "idioma"): [["", "+5511912345678", "+12125550100"], ["", "PT", "US"], ["", "pt", "en"]],
    ("cadastro", "origem"): [["", "2024-05-06", "2023-01-01"], ["", "feira", "loja"]],
    ("tamanho", "cor"): [["", "1", "1.0", "true", "0.1"], ["", "azul", "Azul"]],
    ("email", "tags", "id.crm"): [["", "a{0}@x.org", "b{0}@x.org"], ["", "a", "a;b"], ["", "k{0}"]],
    ("consent.email.offers", "consent_date"): [["", "yes", "no"], ["", "2025-01-10", "2025-01-11"]],
}


def _after_each_other() -> list[str]:
    """Two files about the same contacts: what the first says of each, the second says after it, whatever it is."""
    columns, rows, number = ["id", *(name for names in _STATES for name in names)], list[list[str]](), 0
    for names, cells in _STATES.items():
        for pair in product(product(*cells), repeat=2):
            number += 1
            said = [{"id": "{0}", **dict(zip(names, state, strict=True))} for state in pair]
            rows.append([",".join(each.get(name, "") for name in columns).format(number) for each in said])
    return ["\n".join([",".join(columns), *(row[at] for row in rows)]) + "\n" for at in (0, 1)]


def _of_each(found: list[Any]) -> dict[str, Any]:
    """By the key: what is held besides consents and `updated_at`, as it is written (1 is not 1.0), and then that."""
    rest: dict[str, list[Any]] = {row[0]: [] for row in found[0]}
    for row in (row for table in found[1:4] for row in table):
        rest[row[0]].append(row)
    told = {}
    for *said, traits, seen, at in found[0]:
        known_traits = json.loads(traits) if isinstance(traits, str) else traits
        told[said[0]] = (said, json.dumps(known_traits, sort_keys=True), seen, rest[said[0]]), at
    return told


def _but_consents(found: list[Any]) -> list[Any]:
    return [*found[:4], *found[5:]]


def test_whatever_is_said_after_whatever_is_held_as_if_all_was_written_and_only_a_change_is_dated(
    engine: sa.Engine, tmp_path: Path, signer: Signer, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = _after_each_other()
    days = [now + timedelta(days=each) for each in range(3)]
    found = []
    for text, at in ((first, days[0]), (second, days[1]), (second, days[2])):
        assert _take(engine, tmp_path, text, signer, at, 10_000)[0].failed == 0
        found.append(_held(engine))
    was, became, _ = map(_of_each, found)
    moved = {key for key in was if was[key][0] != became[key][0]}
    assert {key for key in was if was[key][1] != became[key][1]} == moved
    assert len(moved) > len(was) / 3
    assert _but_consents(found[1]) == _but_consents(found[2])  # an answer that is older than the live one is kept again
    with engine.begin() as db:
        for table in _TABLES:
            db.execute(sa.delete(table))
    monkeypatch.setattr(known, "_changed", lambda _, old: range(len(old["id"])))
    for text, at in ((first, days[0]), (second, days[1])):
        _take(engine, tmp_path, text, signer, at, 10_000)
    written = _held(engine)
    assert {key: each[0] for key, each in _of_each(written).items()} == {key: each[0] for key, each in became.items()}
    assert written[4:] == found[1][4:]


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


def test_who_is_erased_while_a_file_names_it_again_has_nothing_of_that_file_afterwards(
    postgres_engine: sa.Engine, tmp_path: Path, signer: Signer, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take(postgres_engine, tmp_path, "id,email\n1,ana@x.org\n", signer, now, 10)
    looked = batch._there

    def goes() -> None:
        with postgres_engine.begin() as db:
            erase(db, find(db, "1") or 0, now)

    with ThreadPoolExecutor() as pool, postgres_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as eye:
        going: list[Future[None]] = []

        def meanwhile(*args: Any, **named: Any) -> Held:
            found = looked(*args, **named)
            going.append(pool.submit(goes))
            while not going[0].done() and not eye.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                pass
            return found

        monkeypatch.setattr(batch, "_there", meanwhile)
        _take(postgres_engine, tmp_path, "id,email,tags\n1,bia@x.org,x\n", signer, now, 10)
        going[0].result()
    assert [len(rows) for rows in _held(postgres_engine)] == [1, 0, 0, 0, 0, 0]
    with postgres_engine.connect() as db:
        gone = {address_hash(signer, "email", value) for value in ("ana@x.org", "bia@x.org")}
        assert set(consent.suppressed(db, "email", gone)) == gone


@pytest.mark.parametrize(
    "goes", [lambda db, two, one, now: merge(db, one, two, now), lambda db, two, _, now: erase(db, two, now)]
)
@pytest.mark.parametrize("rows", [1, 2], ids=["as it is", "named twice"])
def test_who_goes_while_a_batch_looks_for_it_does_not_come_back_beside_it(  # noqa: PLR0917 - what pytest gives
    postgres_engine: sa.Engine, tmp_path: Path, signer: Signer, now: datetime, monkeypatch: pytest.MonkeyPatch,
    goes: Callable[..., None], rows: int,
) -> None:  # fmt: skip
    """After it was asked for former keys, and before it is asked for keys."""
    _take(postgres_engine, tmp_path, "id,email\n1,ana@x.org\n2,bia@x.org\n", signer, now, 10)
    looked, going = batch.held, list[Future[None]]()

    def other() -> None:
        with postgres_engine.begin() as db:
            goes(db, find(db, "2"), find(db, "1"), now)

    with ThreadPoolExecutor() as pool, postgres_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as eye:

        def meanwhile(*args: Any) -> Held:
            going[:] = going or [pool.submit(other)]
            while not going[0].done() and not eye.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                pass
            return looked(*args)

        for module in (batch, drafts):
            monkeypatch.setattr(module, "held", meanwhile)
        _take(postgres_engine, tmp_path, "id,email\n" + "2,bia@x.org\n" * rows, signer, now, 10)
        going[0].result()
    with postgres_engine.connect() as db:
        assert db.scalars(sa.select(contact.c.key).where(contact.c.erased_at.is_(None))).all() == ["1"]
        assert set(db.scalars(sa.select(address.c.contact_id))) == {find(db, "1")}
