"""What is printed for a program is JSON also where the terminal, or the pipe of a locale C, has few letters."""

from __future__ import annotations

import io
import json
import sys

import pytest

from vinculo.cli import output
from vinculo.errors import UsageError


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_is_json_in_every_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding, errors="backslashreplace") for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(sys, "argv", ["vinculo", "--json"])
    value = {"name": "Ávila 😀 محمد"}
    output.answer(value, as_json=True, text=lambda: None)
    output.report_error(UsageError("Não há `Ávila 😀`"))
    for stream in (out, err):
        stream.seek(0)
    assert json.loads(out.read()) == value
    assert json.loads(err.read())["error"] == "Não há `Ávila 😀`"
