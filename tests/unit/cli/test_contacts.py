"""`contacts`, `events`, `score`, `report`, `objectives` as a person types them."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import typer

from vinculo.cli import consent, contacts, events, output, project, report, score
from vinculo.contacts import erase
from vinculo.db import connect, metadata
from vinculo.db.tables import point
from vinculo.signing import Signer
from vinculo.testing.project import write_project
from vinculo.testing.store import suppress

PEOPLE = "id;nome;email;consent.news\nc1;Ana Prado;ana@example.com;sim\nc2;Rui;rui@example.com;não\nc3;X;nonsense;\n"


@pytest.fixture
def type_in(tmp_path, monkeypatch, capsys):
    """Type a command in a project with an empty database and two files; return exit code, output and notes."""
    objective = {"description": "d", "metric": "contacts", "baseline": 0, "target": 4, "deadline": "2027-01-01"}
    write_project(
        tmp_path,
        **{
            "plan/objectives.yaml": json.dumps({"keep-active": objective}),
            "plan/loyalty.yaml": "points_per_unit: 1\n",
            "people.csv": PEOPLE,
            "orders.csv": "cliente;data;valor\nc1;2026-01-02;199,90\nnobody;2026-01-02;1\n",
        },
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VINCULO__SECRET_KEY", "a secret for tests only")
    engine = connect(f"sqlite:///{tmp_path / 'vinculo.db'}")
    metadata.create_all(engine)
    engine.dispose()
    app = typer.Typer(pretty_exceptions_enable=False)
    for area in (consent, contacts, events, project, report, score):
        area.register(app)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vinculo", *words])
        code = output.guard(app)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_people_and_orders_come_in_whatever_else_of_the_plan_is_wrong(type_in) -> None:
    for file in ("plan/calendar/slip.yaml", "segments/slip.yaml"):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text("who: [\n")
    assert "3 rows: 2 new, 1 wrong" in type_in("contacts", "import", "people.csv")[1]
    assert "1 added, 1 wrong" in type_in("events", "import", "orders.csv")[1]
    assert type_in("contacts", "set", "c1", "owner=maria")[0] == 0
    assert "segments/slip.yaml" in type_in("score")[2]


def test_people_and_orders_come_in_and_are_shown(type_in) -> None:
    code, said, _ = type_in("contacts", "import", "people.csv")
    assert code == 1
    assert "3 rows: 2 new, 1 wrong" in said
    assert "people.csv.errors.csv" in said
    code, said, _ = type_in("events", "import", "orders.csv")
    assert (code, "1 added, 1 wrong" in said) == (1, True)
    code, said, _ = type_in("contacts", "show", "ana@example.com")
    assert code == 0
    assert "Ana Prado  #1" in said
    assert "may write  email/news" in said
    assert "← in" in said
    assert "199.90 BRL" in said
    shown = json.loads(type_in("contacts", "show", "c1", "--json")[1])
    assert shown["timeline"][0]["amount"] == 19990


def test_an_import_names_the_lines_of_who_was_erased(type_in) -> None:
    assert "erased" not in type_in("contacts", "import", "people.csv")[1]
    with connect("sqlite:///vinculo.db").begin() as db:
        erase(db, 1, datetime.now(UTC))
    told = type_in("contacts", "import", "people.csv")[1]
    assert "Rows with an address of somebody who was erased: 1 (lines 2). The address stays suppressed" in told
    assert json.loads(type_in("contacts", "import", "people.csv", "--json")[1])["erased_before"] == [2]
    Path("many.csv").write_text("id,email\n" + "\n".join(f"m{n},ana@example.com" for n in range(22)), encoding="utf-8")
    assert "22 (lines 2, 3, " in (many := type_in("contacts", "import", "many.csv")[1])
    assert " 20, 21 and 2 more)" in many


def test_an_import_tells_what_it_took_an_amount_for_that_could_mean_two(type_in) -> None:
    Path("limits.csv").write_text("id;limite\nc1;R$ 1.500\nc2;R$ 20.000\n", encoding="utf-8")
    told = type_in("contacts", "import", "limits.csv", "--dry-run")[1]
    assert "trait.limite: `R$ 1.500` was taken for 1,500, and its mark for one between thousands.\n" in told
    assert json.loads(type_in("contacts", "import", "limits.csv", "--json")[1])["thousands"] == {
        "limite": {"R$ 1.500": 1500}
    }
    Path("orders.csv").write_text("contact;at;amount\nc1;2026-02-03;R$ 1.500\n", encoding="utf-8")
    assert "\namount: `R$ 1.500` was taken for 1,500, and its mark" in type_in("events", "import", "orders.csv")[1]


def test_a_dry_run_changes_nothing(type_in) -> None:
    assert "Nothing was changed" in type_in("contacts", "import", "people.csv", "--dry-run")[1]
    assert type_in("contacts", "show", "c1")[0] == 1


def test_scores_points_and_objectives_are_told(type_in) -> None:
    type_in("contacts", "import", "people.csv")
    type_in("events", "import", "orders.csv")
    done = json.loads(type_in("score", "--at", "2026-02-01", "--json")[1])
    assert (done["fitted"]["stages"], done["points"]) == ({"conversion": 1, "awareness": 1}, 1)
    assert "Too few purchases" in type_in("score")[1]
    (standing,) = json.loads(type_in("objectives", "--json")[1])
    assert (standing["now"], standing["done"]) == (2.0, 0.5)
    assert "keep-active" in type_in("objectives")[1]


def test_a_contact_is_shown_with_its_points_and_tier(type_in) -> None:
    type_in("contacts", "import", "people.csv")
    assert "  points     0\n" in type_in("contacts", "show", "c1")[1]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with connect("sqlite:///vinculo.db").begin() as db:
        for at, number in ((tomorrow - timedelta(days=2), 1200), (tomorrow, 7), (tomorrow - timedelta(days=400), 9)):
            db.execute(
                sa.insert(point).values(contact_id=1, at=at, points=number, reason="gift", reference=f"{number}")
            )
    rules = "expires: 1 year\ntiers: [{name: green, from: 0}, {name: gold, from: 1000}]\n"
    Path("plan/loyalty.yaml").write_text(rules, encoding="utf-8")
    assert "  points     1,200, gold\n" in type_in("contacts", "show", "c1")[1]
    assert json.loads(type_in("contacts", "show", "c1", "--json")[1])["loyalty"] == {"points": 1200, "tier": "gold"}
    assert json.loads(type_in("contacts", "show", "c2", "--json")[1])["loyalty"] == {"points": 0, "tier": "green"}
    Path("plan/loyalty.yaml").unlink()
    assert "points" not in type_in("contacts", "show", "c1")[1]
    assert json.loads(type_in("contacts", "show", "c1", "--json")[1])["loyalty"] is None


def test_a_person_is_exported_joined_and_erased(type_in) -> None:
    type_in("contacts", "import", "people.csv")
    assert json.loads(type_in("contacts", "export", "c2")[1])["contact"]["given_name"] == "Rui"
    assert type_in("contacts", "merge", "c1", "c2", "--reason", "one")[:2] == (0, "#2 is now part of #1.\n")
    code, _, notes = type_in("contacts", "erase", "c1")
    assert (code, "Say --yes" in notes) == (2, True)
    code, out, notes = type_in("contacts", "erase", "c1", "--yes", "--rewrite")
    assert (code, out.startswith("Erased #1. Yours to clear"), notes) == (0, True, "")
    assert type_in("contacts", "show", "c1")[0] == 1


def test_who_rewrites_is_told_that_postgresqls_journal_still_holds_the_person(
    type_in, monkeypatch, postgres_engine
) -> None:
    monkeypatch.setenv("VINCULO__DATABASE__URL", postgres_engine.url.render_as_string(hide_password=False))
    type_in("contacts", "import", "people.csv")
    with postgres_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(sa.text("SELECT pg_create_physical_replication_slot('reader', true)"))
        try:
            code, out, notes = type_in("contacts", "erase", "c1", "--yes", "--rewrite")
        finally:
            db.execute(sa.text("SELECT pg_drop_replication_slot('reader')"))
    assert (code, out.startswith("Erased #1."), "journal still holds what was deleted" in notes) == (0, True, True)
    assert type_in("contacts", "erase", "#1", "--yes", "--rewrite")[2] == ""
    assert "journal" not in type_in("contacts", "erase", "#2", "--yes")[2]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("contacts", "import", "none.csv"), 2, "none.csv cannot be read"),
        (("contacts", "import", "people.csv", "--map", "email"), 2, "--map 'COLUMN=PLACE'"),
        (("contacts", "import", "people.csv", "--map", "nome=consent.nwes"), 2, "Did you mean `news`"),
        (("contacts", "show", "nobody"), 1, "There is no contact `nobody`"),
        (("contacts", "erase", "nobody", "--yes"), 1, "There is no contact `nobody`"),
        (("contacts", "unmerge", "nobody", "--reason", "x"), 1, "`nobody` is not part of another contact"),
        (("contacts", "unmerge", "nobody", "--reason", "x"), 1, "`vinculo contacts show nobody` lists what was merged"),
        (("contacts", "set", "nobody", "owner=x"), 1, "There is no contact `nobody`"),
        (("contacts", "set", "nobody", "owner"), 2, "Write PLACE=VALUE"),
        (("schema", "exprt"), 2, "Did you mean `export`"),
        (("schema", "x"), 2, "Known: answers, campaign, export, journey"),
        (("events", "import", "people.csv"), 2, "--map"),
        (("report", "weakly"), 2, "Did you mean `weekly`"),
        (("report", "weekly"), 1, "vinculo run weekly"),
        (("report", "answer"), 1, "Nothing was sent as `answer` yet: that is what contacts are answered with"),
        (("score", "--at", "tomorrow"), 2, "2026-12-01"),
    ],
)
def test_a_mistake_is_one_clear_message(type_in, words, code, said) -> None:
    found = type_in(*words)
    assert found[0] == code
    assert said in found[2]
    assert "Traceback" not in found[2]


@pytest.mark.parametrize(
    ("place", "remedy"),
    [
        ("foo", "Of your own: `trait.foo`."),
        ("Shoe size", "Of your own: `trait.shoe_size`."),
        ("contry", "Did you mean `country`?"),
    ],
)
def test_a_place_that_is_none_is_told_how_to_be_one_or_which_was_meant(type_in, place, remedy) -> None:
    type_in("contacts", "import", "people.csv")
    code, _, notes = type_in("contacts", "set", "c1", f"{place}=bar")
    assert (code, f"There is no place `{place}`" in notes, remedy in notes) == (2, True, True)


def test_every_suppressed_address_is_told_beside_the_consents(type_in) -> None:
    """The last address is not the only one."""
    type_in("contacts", "import", "people.csv")
    for address in ("second@example.com", "first@example.com"):
        assert type_in("contacts", "set", "c1", f"email={address}")[0] == 0
    signer = Signer("a secret for tests only")
    with connect("sqlite:///vinculo.db").begin() as db:
        for address in ("first@example.com", "ana@example.com"):
            suppress(db, "email", address, signer=signer)
    said = type_in("consent", "show", "c1")[1]
    for address in ("first@example.com", "ana@example.com"):
        assert f"email: {address} is suppressed now (manual)" in said
    assert "second@example.com is suppressed" not in said
    assert (
        "suppressed email first@example.com (manual), email ana@example.com (manual)"
        in type_in("contacts", "show", "c1")[1]
    )
    assert "may write  email/news" in type_in("contacts", "show", "c1")[1]  # at the second
    with connect("sqlite:///vinculo.db").begin() as db:
        suppress(db, "email", "second@example.com", signer=signer)
    shown = type_in("contacts", "show", "c1")[1]
    assert "may write  nothing" in shown
    assert "no address email/news" in shown
    told = json.loads(type_in("consent", "show", "c1", "--json")[1])["suppressed_now"]
    assert [one["address"] for one in told] == ["first@example.com", "second@example.com", "ana@example.com"]


def test_twins_are_found_joined_and_parted(type_in) -> None:
    type_in("contacts", "import", "people.csv")
    assert "No two contacts share" in type_in("contacts", "duplicates")[1]
    assert type_in("contacts", "set", "c2", "email=ana@example.com", "owner=maria", "id.shop=7")[:2] == (
        0,
        "#2 is changed.\n",
    )
    code, said, notes = type_in("contacts", "duplicates")
    assert (code, "ana@example.com" in said, "merge '#1' '#2'" in notes) == (0, True, True)
    assert json.loads(type_in("contacts", "duplicates", "c1", "--json")[1])[0]["contacts"] == [1, 2]
    shown = type_in("contacts", "show", "shop:7")[1]
    assert all(words in shown for words in ("owner      maria", "known as   shop:7", "perhaps    #1 (email)"))
    same = ["--reason", " same  mailbox "]
    assert "Nothing was changed" in type_in("contacts", "merge", "c1", "c2", *same, "--dry-run")[1]
    assert type_in("contacts", "merge", "c1", "c2", *same)[0] == 0
    assert "#2 same mailbox" in type_in("contacts", "show", "c1")[1]
    code, _, notes = type_in("contacts", "merge", "c1", "c2", "--reason", "again")
    assert (code, "`c1` and `c2` are one contact already, #1" in notes) == (2, True)
    code, _, notes = type_in("contacts", "merge", "c1", "c2", "--reason", "again")
    assert (code, "`c1` and `c2` are one contact already, #1" in notes) == (2, True)
    assert type_in("contacts", "unmerge", "c2", "--reason", "sisters")[:2] == (0, "#2 is a contact of its own again.\n")
    assert "owner      maria" in type_in("contacts", "show", "c2")[1]


def test_the_schema_of_an_export_is_printed(type_in) -> None:
    assert json.loads(type_in("schema", "export")[1])["title"] == "Vinculo export"
