"""Quiet hours while messages are sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from vinculo.project import Project
from vinculo.project.schema import QuietHours
from vinculo.run.quiet import Quiet
from vinculo.runtime import Runtime


def test_quiet_hours_begin_and_end_to_the_second(rt: Runtime) -> None:
    """What was worked out before must not hold a moment longer."""
    quiet = Quiet(_at_night(rt.project), "email")
    begin = datetime(2026, 3, 2, 11, tzinfo=UTC)  # eight in the evening in Tokyo
    second = timedelta(seconds=1)
    end = begin + timedelta(hours=12)
    moments = [begin - second, begin, end - second, end]
    assert [quiet.until("Asia/Tokyo", at) for at in moments] == [None, end, end, None]
    assert [quiet.until("Europe/Lisbon", at) for at in moments[:2]] == [None, None]


def test_who_lives_nowhere_lives_where_the_company_does(rt: Runtime) -> None:
    quiet = Quiet(_at_night(rt.project), "email")
    home = rt.project.settings.company.timezone
    now = datetime(2026, 3, 2, 3, tzinfo=UTC)
    assert quiet.until("", now) == quiet.until("Nowhere/Land", now) == quiet.until(home, now) is not None


def _at_night(project: Project) -> Project:
    hours = QuietHours.model_validate({"from": "20:00", "to": "08:00"})
    return replace(project, policy=project.policy.model_copy(update={"quiet_hours": [hours]}))
