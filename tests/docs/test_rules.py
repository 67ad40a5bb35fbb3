"""The rules that docs/consent.md shows are rules that plan/policy.yaml takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from vinculo.project.schema import Policy

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"(?:^ {4}.*\n)+", (ROOT / "docs" / "consent.md").read_text(encoding="utf-8"), re.MULTILINE)
RULES = {name: block for block in BLOCKS for name in re.findall(r"^ {4}(\w+):", block, re.MULTILINE)}


@pytest.mark.parametrize("name", ["implied", "confirm", "routing"])
def test_what_is_shown_is_taken(name: str) -> None:
    shipped = yaml.safe_load((ROOT / "plan" / "policy.yaml").read_text(encoding="utf-8"))
    shown = yaml.safe_load(re.sub("^ {4}", "", RULES[name], flags=re.MULTILINE))
    assert getattr(Policy.model_validate(shipped | shown), name)
