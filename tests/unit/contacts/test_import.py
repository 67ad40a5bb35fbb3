"""A file becomes contacts: whatever wrote it, once, in whole batches, and nobody who left comes back."""

from __future__ import annotations

import contextlib
import csv
import json
import threading
import tracemalloc
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vinculo import consent
from vinculo.contacts import Options, find, import_file, load
from vinculo.contacts.sheet import clean, guarded
from vinculo.db.tables import address, contact, note, permission
from vinculo.db.tables import consent as consents
from vinculo.errors import UsageError
from vinculo.model import Address, Contact, ContactKind
from vinculo.signing import Signer

Take = Callable[..., Any]


def _one(engine: sa.Engine, key: str) -> Contact:
    with engine.connect() as db:
        found = find(db, key)
        assert found is not None, key
        return load(db, [found])[found]


def _count(engine: sa.Engine, table: sa.Table) -> int:
    with engine.connect() as db:
        return db.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def _errors(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_brazilian_spreadsheet_needs_no_mapping(engine: sa.Engine, take: Take, now: datetime) -> None:
    done = take(
        "Código;Nome;E-mail;Celular;UF;Cidade;Data de Nascimento;Etiquetas;Tamanho;CEP\n"
        "c1;Ana Lúcia Prado;Ana@Example.COM;(11) 91234-5678;SP;São Paulo;03/02/1980;vip; loja;\n".replace(
            "vip; loja;", '"vip; loja";42;01310'
        )
    )
    assert (done.created, done.updated, done.failed) == (1, 0, 0)
    ana = _one(engine, "c1")
    assert (ana.given_name, ana.family_name) == ("Ana", "Lúcia Prado")
    assert ana.addresses == (Address("email", "ana@example.com"), Address("sms", "+5511912345678"))
    assert ana.birthdate == date(1980, 2, 3)
    assert ana.tags == {"vip", "loja"}
    assert ana.traits == {"tamanho": 42, "cep": "01310"}
    assert (ana.country, ana.language, ana.timezone, ana.region) == ("BR", "pt", "America/Sao_Paulo", "SP")
    assert (ana.kind, ana.first_seen) == (ContactKind.CUSTOMER, now)


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
    jose = _one(sqlite_engine, "jose@example.com")
    assert (jose.given_name, jose.family_name) == ("José", "da Silva")
    assert _one(sqlite_engine, "c@example.com").given_name == "Conceição"


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
    found = _one(engine, "j1")
    assert [each.value for each in found.addresses] == ["a@example.com", "b@example.com"]
    assert found.traits == {"size": 42, "likes": ["tea"]}
    assert found.tags == {"x", "y"}
    assert [(e["line"], e["reason"][:10]) for e in _errors(done.errors_file)] == [
        ("3", "not JSON: "),
        ("4", "not an obj"),
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("NaN", "NaN is no number"),
        ("1e999", "1e999 is no number"),
        ('"\\ud800"', "surrogates not allowed"),
        ("[" * 5_000 + "]" * 5_000, "recursion"),
    ],
    ids=["nan", "infinity", "surrogate", "deep"],
)
def test_json_that_no_database_keeps_is_one_wrong_row(engine: sa.Engine, take: Take, value: str, reason: str) -> None:
    rows = f'{{"id": "2", "traits": {{"x": ["a\\u0000b"]}}}}\n{{"id": "1", "traits": {{"x": {value}}}}}\n'
    done = take(rows, name="people.jsonl")
    assert (done.created, done.failed) == (1, 1)
    assert reason in _errors(done.errors_file)[0]["reason"]
    assert _one(engine, "2").traits == {"x": ["ab"]}


def test_a_date_at_the_end_of_all_dates_is_a_wrong_row(take: Take) -> None:
    """What other programs write for "never"."""
    done = take("id;email;consent.news;consent_expires\n1;a@example.com;sim;9999-12-31T23:59:59\n")
    assert (done.created, done.failed) == (0, 1)
    assert "leave it empty" in _errors(done.errors_file)[0]["reason"]


def test_every_wrong_row_is_told_with_line_value_and_reason(engine: sa.Engine, take: Take) -> None:
    done = take(
        "id,email,phone,birthdate,country,consent.news,kind\n"
        "1,nonsense,,,,,\n"
        "2,ok@example.com,123,,,,\n"
        "3,,,31/02/1990,,,\n"
        "4,,,,Atlantis,,\n"
        "5,e@example.com,,,,perhaps,\n"
        "6,,,,,yes,\n"
        "#7,,,,,,\n"
        ",,,,US,,\n"
        "9,,,,,,,,surplus\n"
        "10,,,01/02/2090,,,\n"
        "11,,,,,,boss\n"
        "12,good@example.com,,,,,\n"
        "erased-1,back@example.com,,,,,\n"
    )
    assert (done.rows, done.created, done.failed) == (13, 1, 12)
    told = {int(error["line"]): error for error in _errors(done.errors_file)}
    assert sorted(told) == [*range(2, 13), 14]
    assert told[2]["value"] == "nonsense"
    assert "no e-mail address" in told[2]["reason"]
    assert told[4]["reason"] == "there is no such day: write the date as yyyy-mm-dd or dd/mm/yyyy"
    assert "two-letter code" in told[5]["reason"]
    assert told[6]["reason"] == "write yes or no"
    assert "consent.email.news" in told[7]["reason"]
    assert "neither a key nor an address" in told[9]["reason"]
    assert told[10]["value"] == "surplus"
    assert told[2]["email"] == "nonsense"


def test_the_mended_errors_file_is_imported_as_it_is(engine: sa.Engine, take: Take, tmp_path: Path) -> None:
    errors = Path(take("id;email;size\n1;nonsense;4\n").errors_file)
    mended = errors.read_text(encoding="utf-8-sig").replace("1,nonsense", "1,ana@example.com")
    assert take(mended, name="mended.csv").created == 1
    assert _one(engine, "1").traits == {"size": 4}


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_a_no_in_a_wrong_row_counts_at_once_and_a_yes_does_not(
    engine: sa.Engine, take: Take, now: datetime, batch: int
) -> None:
    take("key,email,consent.news\na,a@x.org,yes\nb,b@x.org,yes\nc,c@x.org,\nd,d@x.org,yes\ne,e@x.org,yes\n")
    done = take(
        "key,email,birthdate,consent.news\n"
        "a,a@x.org,31/02/1980,no\n"  # no such day
        ",b@x.org,soon,não\n"  # known by its address
        "c,c@x.org,31/02/1980,yes\n"
        "d,d@x.org,,no,more\n"  # shifted, perhaps
        "e,e@x.org,31/02/1980,maybe\n"
        "nobody,n@x.org,31/02/1980,no\n",
        batch=batch,
    )
    assert (done.rows, done.failed, done.created, done.updated, done.left) == (6, 6, 0, 0, 2)
    with engine.connect() as db:
        said = {key: consent.live(db, find(db, key) or 0, now).get(("email", "news")) for key in "abcde"}
        assert find(db, "nobody") is None
    assert said == {"a": False, "b": False, "c": None, "d": True, "e": True}


def test_a_no_in_a_wrong_row_beats_a_yes_of_the_same_file_and_a_dry_run_records_none(
    engine: sa.Engine, take: Take, now: datetime
) -> None:
    text = "key,email,birthdate,consent.news\na,a@x.org,,yes\na,a@x.org,31/02/1980,no\na,a@x.org,,yes\n"
    assert take(text, dry_run=True).left == 1
    assert _count(engine, consents) == 0
    take(text)
    with engine.connect() as db:
        assert consent.live(db, find(db, "a") or 0, now) == {("email", "news"): False}


def test_a_name_has_no_control_characters_which_no_header_takes(engine: sa.Engine, take: Take) -> None:
    take("key,email,given_name,owner\na,a@x.org,Ana\x07 \x1b[31mLu\x7f,x\u2028y\x00\n")
    ana = _one(engine, "a")
    assert (ana.given_name, ana.owner) == ("Ana [31mLu", "x y")


@pytest.mark.parametrize(
    ("column", "cell", "several"),
    [
        ("email", "a@x.org, b@x.org", True),
        ("email", "a@x.org / b@x.org", True),
        ("email", "a@x", False),
        ("phone", "11 91111-1111 / 11 92222-2222", True),
        ("phone", "123", False),
    ],
)
def test_several_addresses_in_a_cell_are_told_how_to_be_written(
    take: Take, column: str, cell: str, several: bool
) -> None:
    [wrong] = _errors(take(f"key;{column}\na;{cell}\n").errors_file)
    assert ("Write several with `;`" in wrong["reason"]) is several


def test_a_file_that_does_not_name_its_columns_is_told_to(take: Take) -> None:
    with pytest.raises(UsageError, match=r"Write a first line that names the columns\."):
        take("a@x.org,Ana\nb@x.org,Bia\n")


def test_a_cell_that_is_too_long_is_told_as_such(take: Take) -> None:
    with pytest.raises(UsageError, match=r"people\.csv:2: a cell has more than 131,072 characters"):
        take(f"key,email,nome\na,a@x.org,{'A' * 200_000}\n")
    with pytest.raises(UsageError, match=r"people\.csv:2: a quote"):
        take(f'key,email,nome\na,a@x.org,"{"A" * 200_000}\n')


def test_an_old_errors_file_goes_when_nothing_is_wrong(take: Take) -> None:
    errors = Path(take("id;email\n1;nonsense\n").errors_file)
    assert errors.exists()
    take("id;email\n1;ana@example.com\n")
    assert not errors.exists()


def test_dates_are_read_as_the_country_writes_them(engine: sa.Engine, take: Take) -> None:
    take("id,country,born\n1,US,02/03/1980\n2,BR,02/03/1980\n3,US,1980-02-03\n", mapping={"born": "birthdate"})
    found = [_one(engine, key).birthdate for key in "123"]
    assert found == [date(1980, 2, 3), date(1980, 3, 2), date(1980, 2, 3)]


def test_an_import_again_changes_nothing(engine: sa.Engine, take: Take) -> None:
    text = "id;email;consent.news\n1;a@example.com;sim\n2;b@example.com;não\n"
    take(text)
    before = [_count(engine, table) for table in (contact, address, consents, permission)]
    assert (again := take(text)).updated == 2
    assert again.created == 0
    assert [_count(engine, table) for table in (contact, address, consents, permission)] == before


def test_what_the_file_does_not_say_stays(engine: sa.Engine, take: Take) -> None:
    take("id;nome;pais;idioma;tamanho;cor;tipo\n1;Ana Prado;PT;en;4;azul;staff\n")
    take("id;nome;tamanho;celular\n1;;5;+5511912345678\n")
    found = _one(engine, "1")
    assert (found.name, found.country, found.language, found.kind) == ("Ana Prado", "PT", "en", ContactKind.STAFF)
    assert found.traits == {"tamanho": 5, "cor": "azul"}


def test_a_new_address_comes_before_the_old_one(engine: sa.Engine, take: Take) -> None:
    take("id;email\n1;old@example.com\n")
    take("id;email\n1;new@example.com\n")
    assert [each.value for each in _one(engine, "1").addresses] == ["new@example.com", "old@example.com"]


def test_without_a_key_the_address_tells_who_it_is(engine: sa.Engine, take: Take) -> None:
    take("id;email\n1;ana@example.com\n")
    done = take("email;cidade\nANA@example.com;Recife\nnew@example.com;Natal\n")
    assert (done.created, done.updated) == (1, 1)
    assert _one(engine, "1").city == "Recife"
    assert take("telefone;cidade\n+5511912345678;Belém\n").created == 1
    assert _one(engine, "+55 11 91234-5678").city == "Belém"


def test_a_contact_named_twice_in_the_file_is_one(engine: sa.Engine, take: Take) -> None:
    text = "id;email;cidade;consent.news\n1;a@example.com;Natal;sim\n2;;;\n1;b@example.com;Recife;não\n1;;;\n"
    done = take(text)
    assert (done.created, done.updated, done.repeated) == (2, 0, 2)
    ana = _one(engine, "1")
    assert ana.city == "Recife"
    assert len(ana.addresses) == 2
    with engine.connect() as db:
        assert not any(consent.live(db, ana.id, datetime.max.replace(tzinfo=ana.first_seen.tzinfo)).values())


def test_a_contact_named_twice_in_two_batches_is_one(engine: sa.Engine, take: Take) -> None:
    done = take("id;cidade\n1;Natal\n2;\n1;Recife\n", batch=1)
    assert (done.created, done.updated, done.repeated) == (2, 0, 1)
    assert _one(engine, "1").city == "Recife"


def test_nobody_who_left_comes_back(engine: sa.Engine, take: Take, now: datetime) -> None:
    take("id;email;consent.news\n1;a@example.com;sim\n")
    who = _one(engine, "1").id
    with engine.begin() as db:
        consent.withdraw(db, who, "email", "news", now - timedelta(days=1) + timedelta(days=1), source="page")
    done = take("id;email;consent.news;consent_date\n1;a@example.com;sim;2020-01-01\n")
    assert done.refused == 1
    assert take("id;email;consent.news\n1;a@example.com;sim\n").refused == 1
    with engine.connect() as db:
        assert consent.live(db, who, now) == {("email", "news"): False}


@pytest.mark.parametrize("several", ["", ";c@example.com"], ids=["column by column", "row by row"])
@pytest.mark.parametrize(("dated", "live"), [("", False), ("2020-01-01", False), ("2026-01-01", True)])
def test_the_no_of_an_address_holds_for_whoever_comes_in_with_it(
    engine: sa.Engine, take: Take, now: datetime, several: str, dated: str, live: bool
) -> None:
    take("id;email\n1;a@example.com\n")
    first = _one(engine, "1").id
    with engine.begin() as db:
        consent.withdraw(db, first, "email", "", now.replace(year=2025), source="page")
    head = "id;email;consent.news;consent.offers;consent_date"
    done = take(f'{head}\n2;"a@example.com{several}";sim;;{dated}\n3;b@example.com;sim;sim;{dated}\n')
    assert (done.created, done.refused) == (2, 0 if live else 1)
    second, third = _one(engine, "2").id, _one(engine, "3").id
    with engine.connect() as db:
        assert consent.live(db, second, now) == ({("email", "news"): True} if live else {})
        assert consent.live(db, third, now) == {("email", "news"): True, ("email", "offers"): True}


@pytest.mark.parametrize("rows", [("1;a@x.com;sim", "2;a@x.com;não"), ("1;a@x.com;não", "2;a@x.com;sim")])
@pytest.mark.parametrize("between", [0, 3], ids=["one batch", "two batches"])
@pytest.mark.parametrize("several", ["", "|c@x.com"], ids=["column by column", "row by row"])
def test_of_two_with_one_address_in_a_file_the_no_of_one_holds_for_both(
    engine: sa.Engine, take: Take, now: datetime, rows: tuple[str, str], between: int, several: str
) -> None:
    others = "".join(f"9{n};b{n}@x.com;sim\n" for n in range(between))
    first, last = (row.replace("a@x.com", f"a@x.com{several}") for row in rows)
    done = take(f"id;email;consent.news\n{first}\n{others}{last}\n", batch=2)
    assert (done.created, done.refused) == (2 + between, 1)
    left, stayed = ([_one(engine, key).id for key in keys] for keys in (("1", "2"), [f"9{n}" for n in range(between)]))
    with engine.connect() as db:
        assert all(consent.live(db, who, now) in ({}, {("email", "news"): False}) for who in left)
        assert all(consent.live(db, who, now) == {("email", "news"): True} for who in stayed)


@pytest.mark.parametrize(("given", "live"), [("2024-06-01", False), ("2025-06-01", True)])
def test_a_no_of_a_file_holds_for_whoever_is_there_with_the_address_unless_the_yes_is_newer(
    engine: sa.Engine, take: Take, now: datetime, given: str, live: bool
) -> None:
    take(f"id;email;consent.news;consent_date\n1;a@example.com;sim;{given}\n")
    take("id;email;consent.news;consent_date\n2;a@example.com;não;2025-01-01\n")
    first = _one(engine, "1").id
    with engine.connect() as db:
        assert consent.live(db, first, now) == {("email", "news"): live}


def test_each_consent_of_a_contact_named_twice_keeps_its_own_date_and_proof(
    engine: sa.Engine, take: Take, now: datetime
) -> None:
    """A yes of 2020 must not borrow the date of another topic's, and so outlive the no that came between."""
    take("id;email;consent.news\n1;a@example.com;sim\n")
    who, left = _one(engine, "1").id, now.replace(year=2022)
    with engine.begin() as db:
        db.execute(sa.delete(permission))
        db.execute(sa.delete(consents))
        consent.withdraw(db, who, "email", "news", left, source="page")
    done = take(
        "id;email;consent.email.news;consent.email.offers;consent_date;consent_source\n"
        "1;a@example.com;sim;;2020-01-01;fair\n1;a@example.com;;sim;2024-01-01;shop\n"
    )
    assert done.refused == 1
    with engine.connect() as db:
        assert consent.live(db, who, now) == {("email", "news"): False, ("email", "offers"): True}
    take(
        "id;email;consent.email.news;consent_date;consent_source\n"
        "2;b@example.com;sim;2020-01-01;fair\n2;b@example.com;sim;2019-01-01;web\n"
        "3;c@example.com;nao;;fair\n3;c@example.com;sim;2024-01-01;shop\n"
    )
    two, three = _one(engine, "2").id, _one(engine, "3").id
    with engine.connect() as db:
        said = {row.contact_id: (row.granted, row.at.year, row.source) for row in db.execute(sa.select(consents))}
    assert said[two] == (True, 2020, "fair")
    assert said[three] == (False, now.year, "fair")


def test_consent_keeps_its_proof(engine: sa.Engine, take: Take) -> None:
    take("id;email;consent.news;consent_date;consent_source;base legal\n1;a@example.com;sim;05/03/2024;shop;contract\n")
    with engine.connect() as db:
        row = db.execute(sa.select(consents)).one()
    assert (row.channel, row.topic, row.granted, row.source, row.legal_basis) == (
        "email",
        "news",
        True,
        "shop",
        "contract",
    )
    assert row.at.date() == date(2024, 3, 5)


def test_a_dry_run_tells_all_and_changes_nothing(engine: sa.Engine, take: Take) -> None:
    done = take("id;email\n1;a@example.com\n2;nonsense\n", dry_run=True, mapping={"id": "key"})
    assert (done.created, done.failed, done.dry_run) == (1, 1, True)
    assert [_count(engine, table) for table in (contact, address)] == [0, 0]
    with engine.connect() as db:
        noted = db.execute(sa.select(note.c.name, note.c.value)).all()
    assert [(name, json.loads(value)) for name, value in noted] == [("errors", [str(Path(done.errors_file).resolve())])]


def test_a_mapping_is_remembered_for_files_with_the_same_columns(engine: sa.Engine, take: Take) -> None:
    take("x;y\n1;a@example.com\n", mapping={"x": "key", "y": "email"})
    assert take("x;y\n2;b@example.com\n").places == {"x": "key", "y": "email"}
    assert _one(engine, "2").addresses == (Address("email", "b@example.com"),)


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("", {}, "has no rows"),
        ("id;email;e-mail\n", {}, "both go to `email`"),
        ("id;id\n", {}, "two columns are called `id`"),
        ("id;email\n", {"mapping": {"emial": "email"}}, "Did you mean `email`"),
        ("id;x\n", {"mapping": {"x": "emial"}}, "Did you mean `email`"),
        ("id;consent.nwes\n", {"topics": {"news"}}, "Did you mean `news`"),
        ("id;consent.sns.news\n", {"topics": {"news"}, "channels": {"sms"}}, "Did you mean `sms`"),
        ('[{"id": 1}]', {}, "JSON lines"),
        ('id;nome\n1;"never closed' + "\nx;y" * 200, {}, "people.csv:2: a quote"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_a_remedy(
    take: Take, content: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said.replace("`", ".")):
        take(content, **options)


def test_formulas_are_disarmed_and_armed_again(engine: sa.Engine, take: Take) -> None:
    take("id;telefone;nome\n1;'+5511912345678;'=SUM Silva\n")
    found = _one(engine, "1")
    assert found.addresses == (Address("sms", "+5511912345678"),)
    assert found.given_name == "=SUM"
    errors = _errors(take("id;email\n1;=cmd|calc\n").errors_file)
    assert errors[0]["email"].startswith("'=")


def test_a_column_called_like_a_formula_is_disarmed_too_and_mended_under_its_name(take: Take) -> None:
    done = take("id;email;=HYPERLINK(1)\n1;nobody;x\n")
    head = Path(done.errors_file).read_text(encoding="utf-8-sig").partition("\n")[0]
    assert head.split(",")[-1].strip() == "'=HYPERLINK(1)"
    mended = Path(done.errors_file).read_text(encoding="utf-8-sig").replace("nobody", "ana@example.com")
    assert take(mended).places.keys() >= {"=HYPERLINK(1)"}


@settings(deadline=None, max_examples=100)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\u00a0"), max_size=20).map(str.strip))
def test_a_guarded_cell_comes_back_as_it_was(cell: str) -> None:
    if not cell.startswith("'"):
        assert clean(guarded(cell)) == cell.strip()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400))
def test_no_file_whatever_is_in_it_makes_a_traceback(
    sqlite_engine: sa.Engine, tmp_path: Path, signer: Signer, now: datetime, content: bytes
) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(b"id;email;nome\n" + content)
    with contextlib.suppress(UsageError):
        import_file(sqlite_engine, path, signer=signer, now=now, options=Options())


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
    assert (_count(engine, contact), _count(engine, address)) == (300, 300)


def test_an_interrupted_import_leaves_whole_batches_and_the_next_completes_it(
    engine: sa.Engine, take: Take, now: datetime
) -> None:
    text = "id;email\n" + "\n".join(f"{i};a{i}@example.com" for i in range(95))

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(text, batch=20, progress=stop)
    assert (_count(engine, contact), _count(engine, address)) == (20, 20)
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
