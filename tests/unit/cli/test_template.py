"""`preview` and `inline` as a person types them; a preview of what is planned is what the send makes, byte for byte."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
import typer

from vinculo import project, run
from vinculo.cli import output
from vinculo.cli import template as commands
from vinculo.db import connect, metadata
from vinculo.db.tables import delivery
from vinculo.runtime import Runtime
from vinculo.testing.project import write_project
from vinculo.testing.smtp import SmtpSink
from vinculo.testing.store import add_contact

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
TypeIn = Callable[..., tuple[int, str]]
SPANISH = {"templates/hello/sms.es.txt": "Hola, {{ contact.given_name }}!\n"}


@pytest.fixture
def type_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> TypeIn:
    """Type a command in a project with one contact; return exit code and what was said."""
    monkeypatch.chdir(write_project(tmp_path, **SPANISH))
    monkeypatch.setenv("VINCULO__SECRET_KEY", "a secret for tests alone")
    app = typer.Typer(pretty_exceptions_enable=False)
    commands.register(app)

    def run_it(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["vinculo", *words])
        code = output.guard(app)
        told = capsys.readouterr()
        return code, told.out + told.err

    return run_it


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    """The project's own database, with one contact who agreed to news."""
    made = connect(f"sqlite:///{tmp_path / 'vinculo.db'}")
    metadata.create_all(made)
    with made.begin() as db:
        add_contact(db, key="bia", email="bia@correio.example", consent=["news"], given_name="Bia")
    return made


def test_a_sample_is_shown_with_neither_database_nor_secret(type_in: TypeIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VINCULO__SECRET_KEY")
    code, said = type_in("preview", "hello")
    assert code == 0
    assert "Subject: Olá, Ana\n" in said
    assert "List-Unsubscribe: <http" in said
    assert "HTML part: " in said


def test_channel_and_language_choose_the_part(type_in: TypeIn) -> None:
    assert "Olá, Ana!" in type_in("preview", "hello", "--channel", "sms")[1]
    assert "Hola, Ana!" in type_in("preview", "hello", "--channel", "sms", "--language", "es")[1]
    code, said = type_in("preview", "hello", "--channel", "whatsapp")
    assert (code, "no part for whatsapp" in said) == (2, True)


def test_a_language_without_a_part_is_told(type_in: TypeIn, tmp_path: Path) -> None:
    (tmp_path / "templates" / "hello" / "sms.pt.txt").write_text("Oi, em {{ language }}")
    code, said = type_in("preview", "hello", "--channel", "sms", "--language", "fr")
    assert (code, "Oi, em pt\n" in said) == (0, True)
    assert "There is no part in `fr`: whoever speaks it reads this, in `pt`." in said


def test_a_slip_in_another_file_hides_no_preview_and_one_in_its_own_is_told(
    type_in: TypeIn, tmp_path: Path, engine: sa.Engine
) -> None:
    other = tmp_path / "plan" / "calendar" / "other.yaml"
    other.write_text("kind: newsleter\n")
    assert type_in("preview", "hello", "--campaign", "weekly")[0] == 0
    assert type_in("preview", "hello", "--as", "bia")[0] == 0
    code, said = type_in("preview", "hello", "--campaign", "other")
    assert (code, "plan/calendar/other.yaml:1:7: `kind` cannot be `newsleter`" in said) == (2, True)
    (tmp_path / "templates" / "hello" / "sms.txt").write_text("{% if contact.city %}Oi")
    code, said = type_in("preview", "hello", "--channel", "sms")
    assert (code, "templates/hello/sms.txt:1:1: the template is broken" in said) == (2, True)
    engine.dispose()


def test_a_part_that_ends_in_an_error_is_a_wrong_file(type_in: TypeIn, tmp_path: Path, engine: sa.Engine) -> None:
    (tmp_path / "templates" / "hello" / "sms.pt.txt").write_text("Oi {{ 1 // 0 }}")
    for flags in (), ("--as", "bia"):
        code, said = type_in("preview", "hello", "--channel", "sms", *flags)
        assert (code, "templates/hello/sms.pt.txt:1: " in said) == (2, True)
    engine.dispose()


def test_a_contact_sees_its_own_name(type_in: TypeIn, engine: sa.Engine) -> None:
    code, said = type_in("preview", "hello", "--as", "bia@correio.example")
    assert code == 0
    assert "To: bia@correio.example\nSubject: Olá, Bia\n" in said
    assert "There is no contact `nobody`" in type_in("preview", "hello", "--as", "nobody")[1]
    engine.dispose()


def test_what_is_not_there_is_one_clear_error(type_in: TypeIn) -> None:
    assert "Did you mean `hello`" in type_in("preview", "hallo")[1]
    assert "Did you mean `weekly`" in type_in("preview", "hello", "--campaign", "weakly")[1]


def test_a_preview_is_data_or_a_file(type_in: TypeIn, tmp_path: Path) -> None:
    found = json.loads(type_in("preview", "hello", "--campaign", "weekly", "--json")[1])
    assert (found["channel"], found["subject"], found["headers"]["List-Id"][:6]) == ("email", "Olá, Ana", "news <")
    for ending, content in ((".eml", found["mime"]), (".html", found["html"]), (".txt", found["text"])):
        code, said = type_in("preview", "hello", "--campaign", "weekly", "--out", f"seen{ending}")
        assert (code, said) == (0, f"Written to seen{ending}\n")
        assert (tmp_path / f"seen{ending}").read_bytes() == content.encode()


def test_a_planned_message_is_previewed_as_it_is_sent(type_in: TypeIn, tmp_path: Path, engine: sa.Engine) -> None:
    with SmtpSink() as sink:
        settings = {"VINCULO__SMTP__URL": sink.url, "VINCULO__SECRET_KEY": "a secret for tests alone"}
        rt = Runtime(project.load(tmp_path, settings), engine, lambda: NOW)
        campaign = rt.project.campaigns["weekly"]
        occurrence = run.standing_for(rt, campaign, NOW)
        assert occurrence is not None
        run.begin(rt, campaign, occurrence)
        with engine.connect() as db:
            assert db.scalar(sa.select(delivery.c.state)) == "planned"
        code, _ = type_in("preview", "hello", "--as", "bia", "--campaign", "weekly", "--out", "seen.eml")
        assert code == 0
        assert dict(run.run_occurrence(rt, campaign, occurrence, worker="w")) == {"accepted": 1}
        (received,) = sink.received
    assert received.raw == (tmp_path / "seen.eml").read_bytes()
    engine.dispose()


def test_css_is_inlined_in_a_file(type_in: TypeIn, tmp_path: Path) -> None:
    source = "<html><head><style>p { color: red }</style></head><body><p>{{ a }}</p></body></html>"
    (tmp_path / "a.html").write_text(source)
    inlined = '<html><head></head><body><p style="color:red">{{ a }}</p></body></html>'
    assert type_in("inline", "a.html") == (0, f"{inlined}\n")
    assert type_in("inline", "a.html", "--out", "b.html")[0] == 0
    assert (tmp_path / "b.html").read_text() == inlined


def test_a_file_that_cannot_be_inlined_says_why(type_in: TypeIn, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<style>.b { top: 0 }</style>\n<p class='{{ b }}'>x</p>")
    code, said = type_in("inline", "a.html")
    assert (code, "the class `{{ b }}` is known only when rendered" in said) == (2, True)
    for name, why in (("nowhere.html", "No such file or directory"), (".", "Is a directory")):
        code, said = type_in("inline", name)
        assert (code, said.splitlines()[0]) == (2, f"{name} cannot be read: {why}")
        assert said.splitlines()[1].strip().startswith("Name a file")
