"""How soon contacts are answered, in the hours that count; and the file that says how soon is soon enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.conversation.conftest import Build, House, letter
from vinculo import conversation
from vinculo.conversation import Week, due, elapsed
from vinculo.project import check
from vinculo.project.answers import Hours
from vinculo.testing.project import write_project

OFFICE = Hours.model_validate({"from": "09:00", "to": "18:00"})
ZONE = "America/Sao_Paulo"


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A wall clock of São Paulo in December 2026; the 1st is a Tuesday."""
    return datetime(2026, 12, day, hour, minute, tzinfo=UTC) + timedelta(hours=3)


def test_only_the_hours_count_when_somebody_is_there() -> None:
    assert elapsed(at(1, 17), at(2, 10), OFFICE, ZONE) == timedelta(hours=2)
    assert elapsed(at(4, 17), at(7, 10), OFFICE, ZONE) == timedelta(hours=2)  # over a weekend
    assert elapsed(at(5, 1), at(6, 23), OFFICE, ZONE) == timedelta(0)
    assert elapsed(at(1, 17), at(2, 10), None, ZONE) == timedelta(hours=17)
    assert due(at(4, 17), timedelta(hours=2), OFFICE, ZONE) == at(7, 10)
    assert due(at(5, 12), timedelta(hours=1), OFFICE, ZONE) == at(7, 10)


minutes = st.integers(0, 60 * 24 * 40)


@settings(max_examples=60, deadline=None)
@given(start=minutes, target=st.integers(0, 60 * 60))
def test_what_is_due_has_taken_as_long_as_its_target(start: int, target: int) -> None:
    began, allowed = at(1, 0) + timedelta(minutes=start), timedelta(minutes=target)
    end = due(began, allowed, OFFICE, ZONE)
    assert end >= began
    assert elapsed(began, end, OFFICE, ZONE) == allowed


def test_the_report_by_owner_and_week(house: House) -> None:
    def weeks() -> list[Week]:
        with house.rt.read() as db:
            return conversation.pace(db, house.rt.project, house.now)

    house.mail(letter("Quanto custa o moedor?", subject="Moedor"))
    house.mail(letter("Quanto custa o café?", subject="Café", number=2))
    house.mail(letter("How much is it?", subject="Rui", number=3, sender="rui@mail.example"))
    first, second, _ = (one.id for one in house.inbox())
    house.later(hours=2)
    house.answer(first, "R$ 400", form="a")
    house.later(hours=8)
    house.answer(second, "R$ 40", form="b")
    with house.rt.begin() as db:
        conversation.close(db, second, "marina", house.now)
    marina, sofia = weeks()
    assert (marina.owner, marina.opened, marina.answered, marina.in_time, marina.first_response) == (
        "marina",
        2,
        2,
        1,
        6.0,
    )
    assert (marina.closed, marina.resolved_in_time, marina.resolution, marina.late) == (1, 1, 10.0, 0)
    assert (sofia.owner, sofia.opened, sofia.answered, sofia.first_response, sofia.late) == ("sofia", 1, 0, None, 1)
    assert f"{sofia.monday}" == "2026-11-30"
    house.later(days=4)
    assert weeks()[0].late == 1
    house.later(weeks=12)
    assert weeks() == []


def test_the_list_says_when_it_is_due_and_what_is_late(house: House) -> None:
    house.mail(letter("Quanto custa o moedor?", subject="Moedor"))
    began = house.now
    assert [(one.due, one.late) for one in house.inbox()] == [(began + timedelta(hours=8), False)]
    house.later(hours=9)
    assert house.inbox()[0].late
    house.answer(house.inbox()[0].id, "R$ 400")
    assert [(one.due, one.late) for one in house.inbox()] == [(began + timedelta(days=3), False)]


# ── plan/answers.yaml ────────────────────────────────────────────────────────────────────────────────────────────
WRONG = """\
owner: marina
hours: {days: [monday, funday], from: "18:00", to: "09:00"}
target: {first_response: soon}
topics:
  newz: {owner: lia}
questions:
  hours:
    phrases: ["?", que horas abre]
    templet: hello
"""


def test_a_wrong_file_is_refused_with_place_and_remedy(tmp_path: Path) -> None:
    said = "\n".join(map(str, check(write_project(tmp_path, **{"plan/answers.yaml": WRONG}))))
    for words in (
        "plan/answers.yaml:2:24", "cannot be `funday`", "plan/answers.yaml:3:", "write a number and a unit",
        "three letters or more", "unknown key `templet`", "Did you mean `template`",
    ):  # fmt: skip
        assert words.lower() in said.lower(), said


REFERENCES = """\
topics:
  newz: {owner: lia}
questions:
  hours: {phrases: [que horas abre], template: hallo, topics: [newz]}
  again: {phrases: [Que horas abre], template: hello}
"""


def test_names_that_nobody_has_and_phrases_of_two_questions_are_refused(tmp_path: Path) -> None:
    root = write_project(tmp_path, **{"plan/answers.yaml": REFERENCES})
    (root / "plan/calendar/answer.yaml").write_bytes((root / "plan/calendar/weekly.yaml").read_bytes())
    policy = root / "plan/policy.yaml"
    policy.write_text(policy.read_text() + "  answer: {title: {pt: Resposta}}\n")
    said = "\n".join(map(str, check(root)))
    for words in (
        "there is no topic `newz`", "Did you mean `news`", "there is no template `hallo`", "`hours` has this phrase too",
        "`answer` is Vinculo's own name", "`answer` is Vinculo's own topic",
    ):  # fmt: skip
        assert words in said, said


def test_without_the_file_everybody_is_heard_and_nobody_is_answered_at_once(build: Build) -> None:
    house = build(answers="{}\n")
    house.mail(letter("Que horas abre?", subject="Oi"))
    assert [one.owner for one in house.inbox()] == [""]
    assert house.deliveries("answer-at-once") == []


def test_hours_must_have_some() -> None:
    with pytest.raises(ValueError, match="later than"):
        Hours.model_validate({"from": "10:00", "to": "10:00"})
