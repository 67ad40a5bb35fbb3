"""`vinculo classify` tells what a mail is, for a person and for a program."""

import json
from pathlib import Path

import pytest
import typer

from tests.unit.inbox.letters import dsn, letter
from vinculo.cli import inbox, output


def _run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    inbox.register(app)
    monkeypatch.setattr("sys.argv", ["vinculo", "classify", *arguments])
    return output.guard(app)


def test_it_tells_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bounce.eml"
    file.write_bytes(dsn())
    assert _run([str(file)], monkeypatch) == 0
    out = capsys.readouterr().out
    assert out.startswith("bounce   Undelivered Mail Returned to Sender\n")
    for word in ("ana@example.com", "hard", "5.1.1", "user_unknown"):
        assert word in out


def test_it_tells_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "reply.eml"
    file.write_bytes(letter("Obrigada!\n\n> Olá"))
    assert _run([str(file), "--json"], monkeypatch) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["kind"], answer["text"], answer["recipients"]) == ("reply", "Obrigada!", [])


def test_a_file_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run([str(tmp_path / "nothing.eml")], monkeypatch) == 2
    assert "nothing.eml" in capsys.readouterr().err
