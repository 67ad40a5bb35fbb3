"""A file of rows is the same a column at a time and row by row."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from vinculo.contacts.importing.file.sheet import Chunk, Sheet
from vinculo.errors import UsageError

_TEXTS = st.text(st.sampled_from("a;\n\r\"\0 'é\x0b\x85\u2028\ufffd"), max_size=24)


def _rows(path: Path, size: int = 0) -> Iterator[tuple[int, dict[str, Any], Any]]:
    with Sheet(path) as sheet:
        empty = dict.fromkeys(sheet.columns, "")
        for each in sheet.chunks(size) if size else sheet.rows():
            rows = [each] if not isinstance(each, Chunk) else [*map(each.row, range(len(each.lines))), *each.wide]
            yield from ((row.line, {**empty, **row.cells}, tuple(row.surplus)) for row in rows if row)  # type: ignore[union-attr]


def _read(path: Path, size: int = 0) -> Any:
    try:
        return sorted(_rows(path, size), key=lambda row: row[0])
    except UsageError as error:
        return str(error)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(text=_TEXTS, size=st.integers(1, 4), columns=st.sampled_from(["x", "x;y", "x;y;z"]))
@example(text="a;a\r\na;a\r\n", size=2, columns="x;y")
@example(text="a;a;a\na\na;a", size=3, columns="x;y")
@example(text="a;\n\n;a", size=3, columns="x;y")
def test_by_column_and_by_row_a_file_says_the_same(tmp_path: Path, text: str, size: int, columns: str) -> None:
    path = tmp_path / "people.csv"
    path.write_text(f"{columns}\n{text}", encoding="utf-8", newline="")
    assert _read(path, size) == _read(path)


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_of_plain_lines_no_cell_is_lost(tmp_path: Path, end: str) -> None:
    path = tmp_path / "people.csv"
    path.write_text(f"x;y\n1; é\n;4{end}", encoding="utf-8", newline="")
    assert _read(path, 9) == [(2, {"x": "1", "y": "é"}, ()), (3, {"x": "", "y": "4"}, ())]


def test_a_pipe_or_a_device_is_refused_before_anything_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", Path("/dev/zero")):
        with pytest.raises(UsageError, match="to a file"):
            Sheet(path)
