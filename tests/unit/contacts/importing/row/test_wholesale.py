"""Rows read a column at a time: whatever a file says, the database holds what it holds when each row is read alone."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.contacts.conftest import Take
from vinculo.contacts import Imported, Options, erase, find, import_file
from vinculo.contacts.importing import batch, reading
from vinculo.contacts.importing.row.wholesale import Memo, Wholesale
from vinculo.db.tables import address, alias, consent, contact, identifier, permission, tag
from vinculo.signing import Signer

_SAME = (
    "key, kind, given_name, family_name, language, country, region, city, timezone, language_from, country_from, "
    "timezone_from, birthdate, birthday, owner, source, traits, first_seen, updated_at"
)
#: By column: what people write, and what is wrong.
_CELLS = {
    "id": ["1", "2", "3", "c 4", " 5 ", "'=6", "erased-7", "", "#8", "old"],
    "nome": ["Ana Silva", "Bia", "  José  da  Silva ", "'-x y", "", "D'Ávila\u00a0Costa"],
    "given_name": ["", "Eva"],
    "email": ["ana@example.com", "Ana@Example.com", "b@x.org", "a@x.org;b@x.org", "a|b@x.org", "nobody", "", "ç@x.org"],
    "email 2": ["", "", "second@example.com"],
    "celular": ["", "+5511912345678", "(11) 91234-5679", "+1 212 555 0100", "123"],
    "pais": ["BR", "Portugal", "", "US", "XX"],
    "idioma": ["", "pt", "en-US", "klingon!"],
    "nascimento": ["", "03/02/1980", "1980-02-03", "31/02/1980"],
    "cadastro": ["", "2024-05-06", "2999-01-01"],
    "tags": ["", "a;b", "b"],
    "tamanho": ["", "42", "4.50", "0131", "true"],
    "id.crm": ["", "k1", "k2"],
    "consent.news": ["", "sim", "não", "perhaps"],
    "consent.email.offers": ["", "yes", "no"],
    "consent_date": ["", "2025-01-10", "10/01/2025 12:00", "2999-01-01"],
    "consent_source": ["", "loja"],
    "consent_text": ["", "I agree"],
    "consent_text_hash": ["", "AB" * 32, "none"],
    "consent_expires": ["", "2030-01-01", "2020-01-01"],
}


@st.composite
def _files(draw: st.DrawFn) -> str:
    names = draw(st.lists(st.sampled_from(sorted(_CELLS)), unique=True, min_size=2))
    names += [name for name in ("id", "email") if not {"id", "email"} & set(names)][:1]
    rows = draw(st.lists(st.tuples(*(st.sampled_from(_CELLS[name]) for name in names)), max_size=8))
    lines = [",".join(f'"{cell}"' if draw(st.booleans()) or "," in cell else cell for cell in row) for row in rows]
    odd = ["", ",,,", "\0x,y", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22", '"a\nb@x.org",c', "\ufffd,1"]
    for line in draw(st.lists(st.sampled_from(odd), max_size=2)):
        lines.insert(draw(st.integers(0, len(lines))), line)
    return "\n".join([",".join(names), *lines]) + "\n"


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=_files(), again=_files(), size=st.integers(1, 5))
def test_whatever_a_file_says_it_means_the_same_row_by_row(  # noqa: PLR0917 - what pytest gives
    sqlite_engine: sa.Engine, tmp_path: Path, signer: Signer, now: datetime, text: str, again: str, size: int
) -> None:
    found = []
    for able in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not able:
                patch.setattr(Wholesale, "able", property(lambda _: False))
            told = [_take(sqlite_engine, tmp_path, each, signer, now, size) for each in (text, again)]
        found.append((told, _held(sqlite_engine)))
        with sqlite_engine.begin() as db:
            for table in (permission, consent, identifier, tag, address, alias, contact):
                db.execute(sa.delete(table))
    assert found[0] == found[1]


def _take(engine: sa.Engine, folder: Path, text: str, signer: Signer, now: datetime, size: int) -> Any:
    path = folder / "people.csv"
    path.write_bytes(text.encode())
    try:
        done: Imported = import_file(engine, path, signer=signer, now=now, options=Options(country="BR", batch=size))
    except Exception as error:  # noqa: BLE001 - compared
        return type(error), str(error)
    return done, path.with_name("people.csv.errors.csv").read_bytes() if done.errors_file else b""


def _held(engine: sa.Engine) -> list[Any]:
    asks = [f"SELECT {_SAME} FROM contact ORDER BY key"]
    whose = "JOIN contact c ON c.id = contact_id ORDER BY c.key"
    asks.append(f"SELECT c.key, channel, value, hash, position, added_at FROM address {whose}, channel, value")
    asks.append(f"SELECT c.key, system, value FROM identifier {whose}, system, value")
    asks.append(f"SELECT c.key, name FROM tag {whose}, name")
    asks.append(
        "SELECT c.key, channel, topic, granted, at, s.source, legal_basis, text_hash, expires_at FROM consent s "
        f"{whose}, channel, topic, at, granted"
    )
    asks.append(f"SELECT c.key, channel, topic, granted, at, expires_at FROM permission {whose}, channel, topic")
    with engine.connect() as db:
        return [list(map(tuple, db.execute(sa.text(ask)))) for ask in asks]


def test_of_a_text_and_its_hash_the_later_column_proves_the_consent(engine: sa.Engine, take: Take) -> None:
    take(f"id,consent_text_hash,consent_text,consent.email.news\n1,{'ab' * 32},I agree,yes\n")
    [(*_, proof, _)] = _held(engine)[4]
    assert proof == sha256(b"I agree").hexdigest()


def test_both_databases_hold_the_same_of_a_file_read_a_column_at_a_time(engine: sa.Engine, take: Take) -> None:
    rows = [f"c{n},Ana Silva,a{n}@example.com,+55119123456{n:02},BR,1980-02-03,sim,2025-01-10,x;y" for n in range(40)]
    done = take("id,nome,email,celular,pais,nascimento,consent.news,consent_date,tags\n" + "\n".join(rows), batch=16)
    assert (done.created, done.failed) == (40, 0)
    contacts, addresses, _, tags, consents, live = _held(engine)
    assert [len(each) for each in (contacts, addresses, tags, consents, live)] == [40, 80, 80, 80, 80]
    assert tuple(map(str, contacts[0][:4])) == ("c0", "customer", "Ana", "Silva")
    again = take("id,nome\n" + "\n".join(f"c{n},Bia {n}" for n in range(40)))
    assert (again.created, again.updated) == (0, 40)


@pytest.mark.parametrize("large", [1 << 30, 0], ids=["read here", "read and drawn by another process"])
def test_somebody_who_adds_a_contact_meanwhile_makes_no_twin(
    postgres_engine: sa.Engine,
    tmp_path: Path,
    signer: Signer,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    large: int,
) -> None:
    monkeypatch.setattr(reading, "_LARGE", large)
    asked = batch._there

    def meanwhile(*args: Any, **named: Any) -> set[str]:
        found = asked(*args, **named)
        with postgres_engine.begin() as other:
            other.execute(sa.insert(contact).values(key="2", first_seen=now, updated_at=now, city="Lisboa"))
        return found

    monkeypatch.setattr(batch, "_there", meanwhile)
    done, _ = _take(postgres_engine, tmp_path, "id,nome\n1,Ana\n2,Bia\n", signer, now, 10)
    assert (done.created, done.updated) == (1, 1)
    assert [(row[0], row[2], row[7]) for row in _held(postgres_engine)[0]] == [("1", "Ana", ""), ("2", "Bia", "Lisboa")]


def test_a_batch_that_is_written_again_counts_whose_no_stands_in_a_wrong_row_and_who_was_erased_once(
    postgres_engine: sa.Engine, tmp_path: Path, signer: Signer, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take(postgres_engine, tmp_path, "id,email\n9,old@example.com\n", signer, now, 10)
    with postgres_engine.begin() as db:
        erase(db, find(db, "9") or 0, now)
    asked = batch._there

    def meanwhile(*args: Any, **named: Any) -> set[str]:
        found = asked(*args, **named)
        with postgres_engine.begin() as other:
            other.execute(sa.insert(contact).values(key="2", first_seen=now, updated_at=now))
        return found

    monkeypatch.setattr(batch, "_there", meanwhile)
    rows = "1,a@example.com,31/02/1980,no\n1,a@example.com,,yes\n2,b@example.com,,yes\n3,c@example.com,,\n3,old@example.com,,\n"
    done, _ = _take(postgres_engine, tmp_path, f"id,email,birthdate,consent.news\n{rows}", signer, now, 10)
    assert (done.created, done.updated, done.failed, done.left, done.erased_before) == (2, 1, 1, 1, (6,))


def test_who_is_erased_before_a_batch_is_written_again_is_told(
    postgres_engine: sa.Engine, tmp_path: Path, signer: Signer, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take(postgres_engine, tmp_path, "id,email\n9,old@example.com\n", signer, now, 10)
    asked, apart = batch._there, batch.Way._apart

    def meanwhile(*args: Any, **named: Any) -> set[str]:
        found = asked(*args, **named)
        with postgres_engine.begin() as other:
            other.execute(sa.insert(contact).values(key="2", first_seen=now, updated_at=now))
        return found

    def goes(way: batch.Way, each: batch.Batch) -> batch.Batch:
        with postgres_engine.begin() as db:
            db.execute(sa.text("SET LOCAL lock_timeout = '9s'"))  # for a batch that holds on to its turn
            erase(db, find(db, "9") or 0, now)
        return apart(way, each)

    monkeypatch.setattr(batch, "_there", meanwhile)
    monkeypatch.setattr(batch.Way, "_apart", goes)
    done, _ = _take(postgres_engine, tmp_path, "id,email\n2,b@example.com\n9,old@example.com\n", signer, now, 10)
    assert (done.created, done.erased_before) == (1, (3,))


def test_what_is_remembered_of_values_stays_small() -> None:
    squares = Memo(lambda value: value * value)
    assert [squares[n] for n in range(50_000)][-1] == 49_999**2
    assert len(squares) <= 20_000


def test_a_mailbox_that_begins_like_a_number_is_no_number(take: Take) -> None:
    assert take("id,email\n1,+tag@example.com\n").failed == 0
