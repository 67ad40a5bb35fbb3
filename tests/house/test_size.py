"""The size budget of the house: what the admired codebases of this field keep."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in ("vinculo", "flows", "connectors")
    for path in (ROOT / folder).rglob("*.py")
    if "versions" not in path.parts and "starter" not in path.parts
)


def _lines(path: Path) -> int:
    return sum(1 for line in path.read_text().splitlines() if line.strip())


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function and the lines of its body, docstring aside."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", (node.end_lineno or 0) - body[0].lineno + 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_at_most_400_lines(path: Path) -> None:
    limit = {"connectors": 120}.get(path.relative_to(ROOT).parts[0], 400)
    assert _lines(path) <= limit, "split it by meaning into a package of the same name"


def test_functions_stay_short() -> None:
    sizes = dict(pair for path in FILES for pair in _functions(path))
    lengths = sorted(sizes.values())
    assert statistics.median(lengths) <= 6
    assert lengths[len(lengths) * 9 // 10] <= 22
    assert [name for name, size in sizes.items() if size > 45] == []


def test_a_flow_has_at_most_40_lines() -> None:
    sizes = dict(pair for path in (ROOT / "flows").glob("*.py") for pair in _functions(path))
    assert [name for name, size in sizes.items() if size > 40] == []


def test_most_files_are_short() -> None:
    lengths = sorted(_lines(path) for path in FILES)
    assert lengths[len(lengths) * 9 // 10] <= 300


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [path.name for path in FILES if path.stem in {"utils", "util", "helpers", "common", "manager", "misc"}] == []
    assert not (ROOT / "flows" / "connectors.py").exists()
