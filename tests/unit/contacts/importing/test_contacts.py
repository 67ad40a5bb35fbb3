"""A file becomes contacts: whatever wrote it, once, and in whole batches."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.unit.contacts.conftest import Take, count, errors, one
from vinculo import consent
from vinculo.contacts import Options, import_file
from vinculo.contacts.importing import reading
from vinculo.db.tables import address, contact, note, permission
from vinculo.db.tables import consent as consents
from vinculo.model import Address, ContactKind
from vinculo.signing import Signer


def test_a_brazilian_spreadsheet_needs_no_mapping(engine: sa.Engine, take: Take, now: datetime) -> None:
    done = take(
        "Código;Nome;E-mail;Celular;UF;Cidade;Data de Nascimento;Etiquetas;Tamanho;CEP\n"
        "c1;Ana Lúcia Prado;Ana@Example.COM;(11) 91234-5678;SP;São Paulo;03/02/1980;vip; loja;\n".replace(
            "vip; loja;", '"vip; loja";42;01310'
        )
    )
    assert (done.created, done.updated, done.failed) == (1, 0, 0)
    ana = one(engine, "c1")
    assert (ana.given_name, ana.family_name) == ("Ana", "Lúcia Prado")
    assert ana.addresses == (Address("email", "ana@example.com"), Address("sms", "+5511912345678"))
    assert ana.birthdate == date(1980, 2, 3)
    assert ana.tags == {"vip", "loja"}
    assert ana.traits == {"tamanho": 42, "cep": "01310"}
    assert (ana.country, ana.language, ana.timezone, ana.region) == ("BR", "pt", "America/Sao_Paulo", "SP")
    assert (ana.kind, ana.first_seen) == (ContactKind.CUSTOMER, now)


@pytest.mark.parametrize("large", [0, 5_000_000])
@pytest.mark.parametrize("name", ["people.csv", "people.jsonl"])
def test_an_amount_that_could_mean_two_numbers_is_told(
    engine: sa.Engine, take: Take, monkeypatch: pytest.MonkeyPatch, large: int, name: str
) -> None:
    monkeypatch.setattr(reading, "_LARGE", large)
    limits, incomes = ["R$ 1.500", "R$ 2.750", "R$ 900", "R$ 5,899"], ["R$ 5.00", "R$ 1.234,00", "R$ 1.234,56", "R$ 7"]
    rows = [{"id": f"c{at}", "limite": limit, "renda": incomes[at]} for at, limit in enumerate(limits)]
    csv = "id;limite;renda\n" + "".join(f"{';'.join(row.values())}\n" for row in rows)
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    done = take(csv if name.endswith("csv") else lines, name, currency="BRL", batch=2)
    assert [one(engine, f"c{at}").traits["limite"] for at in range(4)] == [1500, 2750, 900, "R$ 5,899"]
    assert done.thousands == {"limite": {"R$ 1.500": 1500}}


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("cp1252"),
        lambda text: text.replace(";", "\t").encode(),
        lambda text: text.replace(";", ",").encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: ("sep=;\n" + text).encode(),
        lambda text: text.replace("l\n", "l;;;\n").replace("m\n", "m;;;\n").encode(),
        lambda text: ("\n\n" + text.replace("\n", "\n\n")).encode(),
        lambda text: text.replace("José", "Jo\0sé").encode(),
    ],
    ids=["utf-8", "bom", "utf-16", "utf-16-le", "cp1252", "tabs", "commas", "crlf", "sep", "trailing", "blank", "nul"],
)
def test_the_oddities_of_spreadsheets_do_not_matter(
    sqlite_engine: sa.Engine, tmp_path: Path, signer: Signer, now: datetime, encode: Callable[[str], bytes]
) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(encode('nome;email\n"José\nda Silva";jose@example.com\nConceição;c@example.com\n'))
    done = import_file(sqlite_engine, path, signer=signer, now=now, options=Options(country="BR"))
    assert (done.created, done.failed) == (2, 0)
    jose = one(sqlite_engine, "jose@example.com")
    assert (jose.given_name, jose.family_name) == ("José", "da Silva")
    assert one(sqlite_engine, "c@example.com").given_name == "Conceição"


def test_the_encoding_is_named(take: Take) -> None:
    assert "cp1252" in take("nome;email\nConceição;c@example.com\n".encode("cp1252")).read_as
    assert take("nome;email\nConceição;c@example.com\n").read_as == "CSV, semicolon, UTF-8"


def test_json_lines_bring_nested_facts(engine: sa.Engine, take: Take) -> None:
    done = take(
        '{"id": "j1", "email": ["a@example.com", "b@example.com"], "traits": {"size": 42, "likes": ["tea"]}, '
        '"tags": ["x", "y"], "consent": {"news": true}}\n\nnonsense\n[1]\n',
        name="people.jsonl",
    )
    assert (done.created, done.failed) == (1, 2)
    found = one(engine, "j1")
    assert [each.value for each in found.addresses] == ["a@example.com", "b@example.com"]
    assert found.traits == {"size": 42, "likes": ["tea"]}
    assert found.tags == {"x", "y"}
    assert [(e["line"], e["reason"][:10]) for e in errors(done.errors_file)] == [
        ("3", "not JSON: "),
        ("4", "not an obj"),
    ]


def test_a_name_has_no_control_characters_which_no_header_takes(engine: sa.Engine, take: Take) -> None:
    take("key,email,given_name,owner\na,a@x.org,Ana\x07 \x1b[31mLu\x7f,x\u2028y\x00\n")
    ana = one(engine, "a")
    assert (ana.given_name, ana.owner) == ("Ana [31mLu", "x y")


def test_dates_are_read_as_the_country_writes_them(engine: sa.Engine, take: Take) -> None:
    take("id,country,born\n1,US,02/03/1980\n2,BR,02/03/1980\n3,US,1980-02-03\n", mapping={"born": "birthdate"})
    found = [one(engine, key).birthdate for key in "123"]
    assert found == [date(1980, 2, 3), date(1980, 3, 2), date(1980, 2, 3)]


def test_an_import_again_changes_nothing(engine: sa.Engine, take: Take) -> None:
    text = "id;email;consent.news\n1;a@example.com;sim\n2;b@example.com;não\n"
    take(text)
    before = [count(engine, table) for table in (contact, address, consents, permission)]
    assert (again := take(text)).updated == 2
    assert again.created == 0
    assert [count(engine, table) for table in (contact, address, consents, permission)] == before


def test_what_the_file_does_not_say_stays(engine: sa.Engine, take: Take) -> None:
    take("id;nome;pais;idioma;tamanho;cor;tipo\n1;Ana Prado;PT;en;4;azul;staff\n")
    take("id;nome;tamanho;celular\n1;;5;+5511912345678\n")
    found = one(engine, "1")
    assert (found.name, found.country, found.language, found.kind) == ("Ana Prado", "PT", "en", ContactKind.STAFF)
    assert found.traits == {"tamanho": 5, "cor": "azul"}


def test_a_new_address_comes_before_the_old_one(engine: sa.Engine, take: Take) -> None:
    take("id;email\n1;old@example.com\n")
    take("id;email\n1;new@example.com\n")
    assert [each.value for each in one(engine, "1").addresses] == ["new@example.com", "old@example.com"]


def test_without_a_key_the_address_tells_who_it_is(engine: sa.Engine, take: Take) -> None:
    take("id;email\n1;ana@example.com\n")
    done = take("email;cidade\nANA@example.com;Recife\nnew@example.com;Natal\n")
    assert (done.created, done.updated) == (1, 1)
    assert one(engine, "1").city == "Recife"
    assert take("telefone;cidade\n+5511912345678;Belém\n").created == 1
    assert one(engine, "+55 11 91234-5678").city == "Belém"


def test_a_contact_named_twice_in_the_file_is_one(engine: sa.Engine, take: Take) -> None:
    text = "id;email;cidade;consent.news\n1;a@example.com;Natal;sim\n2;;;\n1;b@example.com;Recife;não\n1;;;\n"
    done = take(text)
    assert (done.created, done.updated, done.repeated) == (2, 0, 2)
    ana = one(engine, "1")
    assert ana.city == "Recife"
    assert len(ana.addresses) == 2
    with engine.connect() as db:
        assert not any(consent.live(db, ana.id, datetime.max.replace(tzinfo=ana.first_seen.tzinfo)).values())


def test_a_contact_named_twice_in_two_batches_is_one(engine: sa.Engine, take: Take) -> None:
    done = take("id;cidade\n1;Natal\n2;\n1;Recife\n", batch=1)
    assert (done.created, done.updated, done.repeated) == (2, 0, 1)
    assert one(engine, "1").city == "Recife"


def test_a_dry_run_tells_all_and_changes_nothing(engine: sa.Engine, take: Take) -> None:
    done = take("id;email\n1;a@example.com\n2;nonsense\n", dry_run=True, mapping={"id": "key"})
    assert (done.created, done.failed, done.dry_run) == (1, 1, True)
    assert [count(engine, table) for table in (contact, address)] == [0, 0]
    with engine.connect() as db:
        noted = db.scalars(sa.select(note.c.value)).all()
    assert [json.loads(value) for value in noted] == [str(Path(done.errors_file).resolve())]


def test_a_mapping_is_remembered_for_files_with_the_same_columns(engine: sa.Engine, take: Take) -> None:
    take("x;y\n1;a@example.com\n", mapping={"x": "key", "y": "email"})
    assert take("x;y\n2;b@example.com\n").places == {"x": "key", "y": "email"}
    assert one(engine, "2").addresses == (Address("email", "b@example.com"),)


def test_two_imports_at_once_make_no_twins(engine: sa.Engine, tmp_path: Path, signer: Signer, now: datetime) -> None:
    lines = [f"{i};a{i}@example.com;x{i % 7}" for i in range(300)]
    failures: list[BaseException] = []

    def work(name: str, rows: list[str]) -> None:
        path = tmp_path / name
        path.write_text("id;email;tags\n" + "\n".join(rows))
        try:
            import_file(engine, path, signer=signer, now=now, options=Options(batch=50))
        except Exception as error:  # noqa: BLE001 - shown below
            failures.append(error)

    threads = [threading.Thread(target=work, args=args) for args in (("a.csv", lines), ("b.csv", lines[::-1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (count(engine, contact), count(engine, address)) == (300, 300)


def test_an_interrupted_import_leaves_whole_batches_and_the_next_completes_it(
    engine: sa.Engine, take: Take, now: datetime
) -> None:
    text = "id;email\n" + "\n".join(f"{i};a{i}@example.com" for i in range(95))

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(text, batch=20, progress=stop)
    assert (count(engine, contact), count(engine, address)) == (20, 20)
    done = take(text, batch=20)
    assert (done.created, done.updated) == (75, 20)


def _people(rows: int) -> str:
    return "id;email;nome\n" + "".join(f"{i};p{i}@example.com;Nome {i}\n" for i in range(rows))


def test_memory_does_not_grow_with_the_file(
    sqlite_engine: sa.Engine, tmp_path: Path, signer: Signer, now: datetime
) -> None:
    peaks, heard = [], [0]
    for rows in (500, 500, 4_000):  # the first warms up what is kept for good
        path = tmp_path / f"{rows}.csv"
        path.write_text(_people(rows))
        tracemalloc.start()
        options = Options(batch=250, progress=heard.append)
        assert import_file(sqlite_engine, path, signer=signer, now=now, options=options).failed == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.5 * peaks[1]
    assert heard[-1] == path.stat().st_size  # what the bar is told, whole at the end
