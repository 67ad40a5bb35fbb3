"""The examples of docs/surveys.md are right: what is written there checks clean."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from vinculo import project
from vinculo.render import problems

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "surveys.md").read_text()


def test_the_campaigns_and_the_segment_of_the_page_check_clean_with_templates_of_their_scales(tmp_path: Path) -> None:
    for folder in ("plan", "segments", "templates"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "vinculo.toml", tmp_path)
    (loop,) = re.findall(r"```jinja\n(.*?)\n```", PAGE, re.DOTALL)
    ours = re.compile(r"\{% for n in range\(11\) %\}.*?\{% endfor %\}", re.DOTALL)
    for name, numbers in {"how-it-went": "range(1, 6)", "how-you-brew": "range(1, 4)"}.items():
        shutil.copytree(tmp_path / "templates/satisfaction", tmp_path / "templates" / name)
        for part in (tmp_path / "templates" / name).glob("email.*"):
            text = ours.sub(loop.replace("range(1, 6)", numbers), part.read_text(encoding="utf-8"))
            part.write_text(text, encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    for block in blocks:
        (tmp_path / re.match(r"# (\S+)", block)[1]).write_text(block, encoding="utf-8")
    found, wrong = project.survey(tmp_path, {})
    assert wrong == []
    assert len(blocks) == 3
    assert found is not None
    assert problems(found) == []
