"""A column read in one look means what its values mean one by one."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from vinculo.contacts.importing.row import plain, reader
from vinculo.contacts.importing.row.wrong import RowError

_PARTS = ["a", "Ana", "#", "erased-", "merged-7", "erased-7", " ", "  ", "\t", "\u200b", "x" * 150, "é"]
_CELLS = st.lists(st.lists(st.sampled_from(_PARTS), max_size=4).map(lambda parts: "".join(parts).strip()), max_size=5)


def _one_by_one(work: Callable[[str], str], cells: list[str]) -> list[str] | None:
    try:
        return [cell and work(cell) for cell in cells]
    except RowError:
        return None


@settings(max_examples=300, deadline=None)
@example(["c1", "", "c2"])
@example(["x" * 200, "x" * 201])
@example(["erased-7"])
@given(_CELLS)
def test_keys_and_identifiers_are_what_each_is_alone(cells: list[str]) -> None:
    assert plain.named(cells) in (None, _one_by_one(reader.named, cells))
    assert plain.keyed(cells) in (None, _one_by_one(reader.keyed, cells))


def test_plain_ones_are_read_at_once() -> None:
    assert plain.named(["c1", "", "c 2"]) == plain.keyed(["c1", "", "c 2"]) == ["c1", "", "c 2"]


@settings(max_examples=300, deadline=None)
@example(["Ana Silva", "Bia", ""])
@given(_CELLS)
def test_names_are_parted_as_each_is_alone(cells: list[str]) -> None:
    assert plain.names(cells) == [reader.name_parts(cell) for cell in cells]
