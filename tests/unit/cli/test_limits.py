"""`vinculo limits` as a person types it."""

import json

import pytest

from vinculo.cli import limits as commands
from vinculo.db import connect, metadata
from vinculo.testing.project import write_project


@pytest.fixture
def type_in(tmp_path, monkeypatch, command_line):
    """Type a command in a project that holds gmail.com to ten a second; return exit code and output."""
    toml = write_project(tmp_path) / "vinculo.toml"
    warm_up = "[limits.warm_up.email]\nfrom = 2020-01-01\nfirst = 5\ngrow = 0\nuntil = 10\n"
    toml.write_text(toml.read_text() + '[limits.domains]\n"gmail.com" = "10/s"\n' + warm_up)
    monkeypatch.chdir(tmp_path)
    engine = connect(f"sqlite:///{tmp_path / 'vinculo.db'}")
    metadata.create_all(engine)
    engine.dispose()
    return command_line(commands)


def shown(type_in) -> dict[str, tuple[float | None, str]]:
    found = json.loads(type_in("limits", "show", "--json")[1])
    return {one["name"]: (one["allowed"], one["origin"]) for one in found}


def test_what_is_set_is_shown_and_cleared(type_in) -> None:
    assert shown(type_in) == {"gmail.com": (10, "vinculo.toml"), "email": (None, "vinculo.toml")}
    assert type_in("limits", "set", "googlemail.com", "300/min") == (0, "gmail.com is held to 5/s.\n")
    rate, origin = shown(type_in)["gmail.com"]
    assert (rate, origin == "vinculo.toml") == (5, False)
    assert type_in("limits", "clear", "gmail.com") == (0, "Cleared: gmail.com. vinculo.toml holds.\n")
    assert shown(type_in)["gmail.com"] == (10, "vinculo.toml")
    assert "Nothing was set for gmail.com" in type_in("limits", "clear", "gmail.com")[1]


def test_a_table_for_people_names_rates_and_caps(type_in) -> None:
    type_in("limits", "set", "*", "90/h")
    code, said = type_in("limits", "show")
    assert code == 0
    for words in ("gmail.com", "10/s", "0 of 5", "1.5/min"):
        assert words in said


def test_a_dry_run_sets_nothing(type_in) -> None:
    assert "email would be held to 2/s." in type_in("limits", "set", "email", "2/s", "--dry-run")[1]
    assert shown(type_in)["email"] == (None, "vinculo.toml")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("emial", "2/s"), "No connector serves the channel `emial`"),
        (("email", "fast"), "`fast` is no rate"),
        (("email", "0/s"), "`0/s` is no rate"),
    ],
)
def test_a_wrong_order_is_refused_with_a_remedy(type_in, words: tuple[str, str], told: str) -> None:
    code, said = type_in("limits", "set", *words)
    assert code == 2
    assert told in said
    assert "\n  " in said
