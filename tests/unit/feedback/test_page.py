"""docs/listening.md tells what the code does."""

import re
from pathlib import Path

from vinculo.feedback import ON, SOFT_BOUNCES_IN_A_ROW
from vinculo.feedback.match import RECENT
from vinculo.inbox import KINDS
from vinculo.model import EventKind

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "listening.md").read_text()


def test_the_table_of_effects_is_the_dispatch() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `(on_\w+)` \|", PAGE, re.MULTILINE))
    assert rows == {kind.value: function.__name__ for kind, function in ON.items()}


def test_every_kind_that_comes_from_outside_has_its_function() -> None:
    ours = {EventKind.UNKNOWN, EventKind("scored"), EventKind("merged"), EventKind("parted")}
    assert set(EventKind) - ours == set(ON)


def test_the_table_of_mails_has_every_kind() -> None:
    section = PAGE.split("## What a mail is")[1].split("## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == sorted(KINDS)


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"the {SOFT_BOUNCES_IN_A_ROW}th in a row" in PAGE
    assert f"within {RECENT.days} days" in PAGE
