"""A macro or a file that calls itself without end is told in a marketer's words, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from vinculo.project import load
from vinculo.render import problems
from vinculo.testing.project import write_project

HEAD = "<html><title>T</title><body>Oi\n"


@pytest.mark.parametrize(
    "source", ["{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{% include 'hello/email.html' %}"]
)
def test_what_calls_itself_without_end_is_told_with_its_line(tmp_path: Path, source: str) -> None:
    files = {"templates/hello/email.html": f"{HEAD}{source}</body></html>"}
    [found] = [each for each in problems(load(write_project(tmp_path, **files), {})) if "itself" in each.message]
    assert (found.file, found.line) == ("templates/hello/email.html", 2)
    assert found.message == "A macro or a file calls itself without end"
    assert found.remedy
