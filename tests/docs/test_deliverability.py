"""The commands and settings of docs/deliverability.md make keys that sign."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from vinculo.project import load
from vinculo.testing.project import write_project

PAGE = (Path(__file__).parents[2] / "docs" / "deliverability.md").read_text()


def test_the_keys_of_the_page_are_read_under_their_selectors(tmp_path: Path) -> None:
    (commands,), (toml,) = (re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) for kind in ("sh", "toml"))
    write_project(tmp_path)
    (tmp_path / "var").mkdir(exist_ok=True)
    subprocess.run(["sh", "-ec", commands], cwd=tmp_path, check=True, capture_output=True)
    with (tmp_path / "vinculo.toml").open("a") as file:
        file.write("\n" + toml)
    keys = load(tmp_path, {}).settings.dkim_keys()
    assert [(key.selector, key.type, key.domain) for key in keys] == [
        ("r2026", "rsa", "casaaurora.example"),
        ("e2026", "ed25519", "casaaurora.example"),
    ]
