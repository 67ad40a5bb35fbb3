"""The picture of the house in ARCHITECTURE.md is the one that the import linter holds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_layers_of_the_picture_are_those_of_the_linter() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [each["layers"] for each in contracts if each.get("containers") == ["vinculo"]]
    held = [sorted(re.findall(r"\w+", layer)) for layer in layers]
    page = (ROOT / "ARCHITECTURE.md").read_text()
    table = re.findall(r"^\| (?!layer)[a-z ]+ \| (`.+) \|$", page, re.MULTILINE)
    drawn = [sorted(re.findall(r"`(\w+)`", part)) for row in table for part in row.split("·")]
    assert drawn == held


def test_the_reading_list_is_under_a_thousand_lines() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    listed = page[page.index("## Read in this order") : page.index("## The house")]
    files = [ROOT / target for target in re.findall(r"\]\(([^)]+)\)", listed)]
    code = [path for path in files if path.suffix in {".py", ".yaml"} and path.name != "__init__.py"]
    assert sum(len(path.read_text().splitlines()) for path in code) < 1000
