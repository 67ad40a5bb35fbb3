"""A starter project: laid whole, never over something, and right."""

from __future__ import annotations

from pathlib import Path

import pytest

from vinculo.errors import UsageError
from vinculo.project import KINDS, check, json_schema, lay_starter, load


def test_the_starter_has_no_problem(tmp_path: Path) -> None:
    laid = lay_starter(tmp_path / "shop")
    assert all((tmp_path / "shop" / name).exists() for name in laid)
    assert check(tmp_path / "shop", {}) == []
    assert load(tmp_path / "shop", {}).settings.secret_key
    assert (tmp_path / "shop/var/secret.key").stat().st_mode & 0o777 == 0o600


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        lay_starter(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_has_a_schema(kind: str) -> None:
    schema = json_schema(kind)
    assert schema["title"] == f"Vinculo {kind}"
    assert "name" not in schema.get("properties", {})


def test_a_schema_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="no schema `campain`") as caught:
        json_schema("campain")
    assert "`campaign`" in caught.value.remedy
