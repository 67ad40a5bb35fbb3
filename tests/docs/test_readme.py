"""The README's examples run, and what it promises is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vinculo.model import Message

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "connectors" / "README.md"])


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of this repository's own project."""
    for folder in ("plan", "segments", "templates", "connectors", "flows"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("vinculo.toml", "prefect.yaml"):
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def _vinculo(project: Path, *argv: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "vinculo", *argv],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},  # also where the package is not installed
    )
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


def test_the_campaign_of_the_readme_checks_clean_and_shows_in_the_plan(project: Path) -> None:
    (block,) = _blocks("yaml")
    (project / re.match(r"# (\S+)", block)[1]).write_text(block)
    _vinculo(project, "check")
    _vinculo(project, "db", "upgrade")
    assert "welcome-autumn" in _vinculo(project, "plan", "--days", "14")
    assert "Subject:" in _vinculo(project, "preview", "weekly-news")


def test_the_connector_of_the_readme_sends(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = _blocks("python")
    names: dict[str, type] = {}
    exec(compile(block, "README.md", "exec"), names)
    with names["Console"]() as connector:
        outcomes = list(connector.send_many([Message(key="k", channel="sms", to="+5511999990000", text="Olá")]))
    assert outcomes[0][1].provider_id == "k"
    assert "Olá" in capsys.readouterr().out


def _commands() -> set[str]:
    """Every command of the command line, e.g. `contacts import`."""
    from typer.main import get_command

    from vinculo.cli import app

    def walk(command: object, path: str) -> set[str]:
        children = getattr(command, "commands", None)
        if not children:
            return {path}
        return {name for key, child in children.items() for name in walk(child, f"{path} {key}".strip())}

    return walk(get_command(app), "")


def test_every_command_is_documented_and_every_documented_command_is_there() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    documented = set(re.findall(r"^\| `vinculo ([a-z ]+?)(?: [A-Z\[{-].*?)?`", page, re.MULTILINE))
    assert documented == _commands()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_only_commands_that_are_there(page: Path) -> None:
    commands = _commands()
    for line in re.findall(r"^vinculo ([a-z][a-z ]*)", page.read_text(), re.MULTILINE):
        words = line.split()
        assert " ".join(words[:2]) in commands or words[0] in commands, f"vinculo {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_of_a_page_has_the_options_that_it_is_given(page: Path) -> None:
    from typer.main import get_command

    from vinculo.cli import app

    for line in re.findall(r"(?:^|`)vinculo ([a-z][^`#\n]*)", page.read_text(), re.MULTILINE):
        command, words = get_command(app), line.split()
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        known = {name for option in command.params for name in option.opts} | {"--help"}
        assert set(re.findall(r"(?<![\w-])--[a-z-]+", line)) <= known, f"vinculo {line}"


def test_the_help_of_a_command_calls_its_values_as_its_page_does() -> None:
    from typer.main import get_command

    from vinculo.cli import app

    page = (ROOT / "docs" / "commands.md").read_text()
    for words, shown in re.findall(r"^\| `vinculo ([a-z ]+?)( [A-Z\[{-].*?)?`", page, re.MULTILINE):
        command = get_command(app)
        for word in words.split():
            command = command.commands[word]
        given = dict(re.findall(r"(--[a-z-]+) ([A-Z][A-Z,=]*)", shown))
        valued = [one for one in command.params if not getattr(one, "is_flag", False) and one.name != "help"]
        for one in valued:
            option = next((name for name in one.opts if name.startswith("--")), "")
            assert one.metavar, f"vinculo {words}: {option or one.name}"
            assert one.metavar == given.get(option) if option else one.metavar in shown, f"vinculo {words}: {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


def test_the_readme_leads_to_every_page() -> None:
    pages = [f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")]
    assert [page for page in pages if f"({page})" not in README] == []


def test_every_word_of_the_glossary_is_a_name_in_the_code() -> None:
    words = re.findall(r"^\| \*\*(.+?)\*\*", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    code = "\n".join(path.read_text() for path in (ROOT / "vinculo").rglob("*.py")).lower()
    assert words
    assert [word for word in words if word.lower().replace(" ", "_") not in code] == []


def test_every_event_kind_and_skip_reason_is_documented() -> None:
    from vinculo.model import DeliveryState, EventKind, SkipReason

    text = "\n".join(page.read_text() for page in PAGES)
    for words in (EventKind, SkipReason, DeliveryState):
        assert [word.value for word in words if f"`{word.value}`" not in text] == []
