"""`vinculo inbox`: list, show, answer, take, handover, close, reopen, times; as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.conversation.conftest import House, build, house, letter
from vinculo.cli import app, output

__all__ = ["build", "house"]


@pytest.fixture
def said(house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command in the house, which a question waits in; return exit code, output and errors."""
    house.mail(letter("Quanto custa o moedor?", subject="Moedor"))
    monkeypatch.chdir(house.rt.project.root)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["vinculo", *words])
        code = output.guard(app)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def outbox(house: House) -> int:
    return len(list(Path(house.rt.project.root / "outbox").glob("*.eml")))


def test_from_the_list_to_the_end(said, house: House) -> None:
    code, out, _ = said("inbox", "list", "--json")
    (line,) = json.loads(out)
    assert (code, line["state"], line["owner"], line["intent"], line["name"]) == (0, "open", "marina", "price", "Ana")
    assert "Moedor" in said("inbox", "show", "1")[1]
    before = outbox(house)
    assert said("inbox", "answer", "1", "R$ 400", "--by", "Lia", "--dry-run")[1].startswith("It would go to ana@")
    assert (outbox(house), said("inbox", "list", "--state", "waiting", "--json")[1].strip()) == (before, "[]")
    code, out, _ = said("inbox", "answer", "1", "R$ 400", "--by", "Lia", "--form", "one", "--json")
    assert (code, json.loads(out)["state"], outbox(house)) == (0, "accepted", before + 1)
    assert said("inbox", "answer", "1", "R$ 400", "--by", "Lia", "--form", "one")[1].startswith("It was sent before")
    assert outbox(house) == before + 1
    assert said("inbox", "take", "1", "--by", "Lia")[1].strip() == "#1 is waiting; owner: Lia"
    assert said("inbox", "handover", "1", "Beto", "--note", "cliente antiga", "--by", "Lia")[1].strip().endswith("Beto")
    assert said("inbox", "close", "1", "--by", "Beto", "--dry-run")[1].strip() == "#1 would be closed; owner: Beto"
    assert said("inbox", "close", "1", "--by", "Beto")[1].strip() == "#1 is closed; owner: Beto"
    assert said("inbox", "list")[1].strip() == "Nobody waits for an answer."
    assert said("inbox", "reopen", "1", "--by", "Beto")[1].strip() == "#1 is open; owner: Beto"
    turns = json.loads(said("inbox", "show", "1", "--json")[1])["turns"]
    kinds = [turn["kind"] for turn in sorted(turns, key=lambda turn: turn["id"])]  # the house has a clock of its own
    assert kinds == ["received", "answered", "taken", "handed_over", "closed", "reopened"]
    (week,) = json.loads(said("inbox", "times", "--weeks", "500", "--json")[1])
    assert (week["owner"], week["opened"], week["answered"]) == ("Beto", 1, 1)
    assert "Beto" in said("inbox", "times", "--weeks", "500")[1]


def test_what_is_wrong_is_said_with_what_to_do(said) -> None:
    code, _, err = said("inbox", "show", "99")
    assert (code, "`vinculo inbox list`" in err) == (1, True)
    code, _, err = said("inbox", "list", "--state", "opne")
    assert (code, "open, waiting, closed" in err) == (2, True)
    code, _, err = said("inbox", "answer", "1", "  ")
    assert (code, "nothing was sent" in err) == (2, True)


def test_what_a_stranger_writes_gives_no_order_to_the_terminal(said, house: House) -> None:
    house.mail(letter("Está quebrado [/b] :smile: \x1b[2J\x9b2J?", subject="[bold]x[/]", number=2))
    for command in (("list",), ("show", "2")):
        code, out, _ = said("inbox", *command)
        assert (code, "[/b] :smile:" in out, "\x1b" in out, "\x9b" in out) == (0, True, False, False)
    told = json.loads(said("inbox", "show", "2", "--json")[1])
    assert "\x1b[2J\x9b2J?" in told["turns"][0]["text"]
