"""What is wrong in one file is told to whoever needs that file, and keeps nobody else from working."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.mistake.conftest import WEEKLY, Type, write

SLIPS = {
    "segments/slip.yaml": "who: {knd: staff}\n",
    "segments/wrong.sql": "DELETE FROM contact",
    "plan/calendar/slip.yaml": "kind: newsleter\n",
    "plan/lifecycle.yaml": "stages: [\n",
    "templates/hello/sms.txt": "{% if contact.city %}Oi",
}


@pytest.mark.parametrize("words", [["count"], ["sample"], ["explain"], ["explain", "#1"]], ids=" ".join)
def test_a_slip_in_another_file_keeps_nobody_from_asking_a_segment(root: Path, type_in: Type, words: list[str]) -> None:
    for file, content in SLIPS.items():
        write(file, content)(root)
    ask, *more = words
    found, answer, _ = type_in("segment", ask, "everyone", *more)
    assert (found, bool(answer)) == (0, True)
    for name, told in [
        ("slip", "segments/slip.yaml:1:7: there is no field `knd`"),
        ("wrong", "segments/wrong.sql:1:1"),
    ]:
        found, answer, notes = type_in("segment", ask, name, *more)
        assert (found, answer, told in notes, "calendar" in notes) == (2, "", True, False)


def test_a_segment_that_asks_for_a_wrong_one_is_told_what_is_wrong_in_it(root: Path, type_in: Type) -> None:
    write("segments/below/slip.yaml", "who: {knd: staff}\n")(root)
    write("segments/above.yaml", "who: {all: [{kind: lead}, {not: {segment: slip}}]}\n")(root)
    found, answer, notes = type_in("segment", "count", "above")
    assert (found, answer, "segments/below/slip.yaml:1:7: there is no field `knd`" in notes) == (2, "", True)
    assert type_in("segment", "count", "everyone")[0] == 0


def test_the_list_of_segments_tells_which_are_wrong(root: Path, type_in: Type) -> None:
    for file, content in SLIPS.items():
        write(file, content)(root)
    found, answer, notes = type_in("segment", "list")
    assert (found, "everyone" in answer, "slip" in answer) == (0, True, False)
    assert "segments/slip.yaml, segments/wrong.sql" in notes


def test_a_campaign_in_a_folder_of_the_calendar_is_told_what_is_wrong_in_it(root: Path, type_in: Type) -> None:
    weekly = (root / WEEKLY).read_text()
    write("plan/calendar/2026/summer.yaml", weekly.replace("template: hello", "template: helo"))(root)
    found, answer, notes = type_in("run", "summer", "--dry-run")
    assert (found, answer, "plan/calendar/2026/summer.yaml:" in notes) == (2, "", True)
