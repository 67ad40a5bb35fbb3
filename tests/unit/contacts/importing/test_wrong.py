"""Wrong rows and wrong files: each told with its place, its reason and what to write instead."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.contacts.conftest import Take, errors, one
from vinculo import consent
from vinculo.contacts import Options, import_file
from vinculo.contacts.importing.file.sheet import clean, guarded
from vinculo.errors import UsageError
from vinculo.model import Address
from vinculo.signing import Signer


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("NaN", "NaN is no number"),
        ("1e999", "1e999 is no number"),
        ("9" * 400, "9999 is no number"),
        ('"\\ud800"', "surrogates not allowed"),
        ("[" * 5_000 + "]" * 5_000, "hundreds deep"),
    ],
    ids=["nan", "infinity", "huge", "surrogate", "deep"],
)
def test_json_that_no_database_keeps_is_one_wrong_row(engine: sa.Engine, take: Take, value: str, reason: str) -> None:
    rows = f'{{"id": "2", "traits": {{"x": ["a\\u0000b"]}}}}\n{{"id": "1", "traits": {{"x": {value}}}}}\n'
    done = take(rows, name="people.jsonl")
    assert (done.created, done.failed) == (1, 1)
    assert reason in errors(done.errors_file)[0]["reason"]
    assert one(engine, "2").traits == {"x": ["ab"]}


def test_a_date_at_the_end_of_all_dates_is_a_wrong_row(take: Take) -> None:
    """What other programs write for "never"."""
    done = take("id;email;consent.news;consent_expires\n1;a@example.com;sim;9999-12-31T23:59:59\n")
    assert (done.created, done.failed) == (0, 1)
    assert "leave it empty" in errors(done.errors_file)[0]["reason"]


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
    told = {int(error["line"]): error for error in errors(done.errors_file)}
    assert sorted(told) == [*range(2, 13), 14]
    assert told[2]["value"] == "nonsense"
    assert "no e-mail address" in told[2]["reason"]
    assert told[4]["reason"] == "birthdate: there is no such day: write the date as yyyy-mm-dd or dd/mm/yyyy"
    assert "two-letter code" in told[5]["reason"]
    assert told[6]["reason"] == "consent.news: write yes or no (sim ou não, sí o no)"
    assert "consent.email.news" in told[7]["reason"]
    assert "neither a key nor an address" in told[9]["reason"]
    assert told[10]["value"] == "surplus"
    assert told[2]["email"] == "nonsense"


def test_the_mended_errors_file_is_imported_as_it_is(engine: sa.Engine, take: Take, tmp_path: Path) -> None:
    errors = Path(take("id;email;size\n1;nonsense;4\n").errors_file)
    mended = errors.read_text(encoding="utf-8-sig").replace("1;nonsense", "1;ana@example.com")
    assert take(mended, name="mended.csv").created == 1
    assert one(engine, "1").traits == {"size": 4}


def test_what_was_said_of_the_columns_holds_for_the_mended_errors_too(engine: sa.Engine, take: Take) -> None:
    rows = "Nº;email;;Novidades\n1;nonsense;;sim\n2;b@example.com;;sim\n"
    wrong = Path(take(rows, mapping={"Nº": "key", "Novidades": "consent.news"}).errors_file)
    mended = wrong.read_text(encoding="utf-8-sig").replace("1;nonsense", "1;ana@example.com")
    again = take(mended, name="mended.csv")
    assert (again.created, again.places["Novidades"], again.places["value"]) == (1, "consent.news", "-")
    with engine.connect() as db:
        assert consent.live(db, 2, datetime(2030, 1, 1, tzinfo=UTC)) == {("email", "news"): True}


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_the_file_of_errors_is_written_as_the_file_was(take: Take, delimiter: str) -> None:
    """Else a spreadsheet of a country with decimal commas shows each of its rows in one cell."""
    wrong = Path(take("id;email;nome\n1;nonsense;Ana\n".replace(";", delimiter)).errors_file)
    assert wrong.read_text(encoding="utf-8-sig").splitlines()[0] == delimiter.join(
        ["line", "value", "reason", "id", "email", "nome"]
    )


def test_all_that_is_wrong_with_a_row_is_told_at_once_with_its_columns(take: Take) -> None:
    rows = "id;E-mail;Nascimento;consent.news\n1;nonsense;30/02/1990;talvez\n2;nonsense;;sim\n"
    first, second = errors(take(rows).errors_file)
    assert first["value"] == "30/02/1990"
    told = [each.partition(": ")[0] for each in first["reason"].split("; ")]
    assert told == ["Nascimento", "E-mail", "consent.news"]
    assert second["reason"].startswith("E-mail: ")  # not that a consent needs an address, which follows
    assert "consent" not in second["reason"]


def test_a_spreadsheets_number_of_a_day_is_told_as_such(take: Take) -> None:
    [wrong] = errors(take("id;nascimento\n1;44927\n").errors_file)
    assert "give the column the format of a date" in wrong["reason"]


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
    [wrong] = errors(take(f"key;{column}\na;{cell}\n").errors_file)
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
    found = one(engine, "1")
    assert found.addresses == (Address("sms", "+5511912345678"),)
    assert found.given_name == "=SUM"
    [wrong] = errors(take("id;email\n1;=cmd|calc\n").errors_file)
    assert wrong["email"].startswith("'=")


def test_a_column_called_like_a_formula_is_disarmed_too_and_mended_under_its_name(take: Take) -> None:
    done = take("id;email;=HYPERLINK(1)\n1;nobody;x\n")
    head = Path(done.errors_file).read_text(encoding="utf-8-sig").partition("\n")[0]
    assert head.split(";")[-1].strip() == "'=HYPERLINK(1)"
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
