"""Quiet hours while messages are sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from vinculo.model import Contact
from vinculo.project.schema import QuietHours
from vinculo.run.quiet import Quiet
from vinculo.runtime import Runtime
from vinculo.testing.store import add_contact


def test_quiet_hours_begin_and_end_to_the_second(rt: Runtime) -> None:
    """What was worked out before must not hold a moment longer."""
    quiet = _at_night(rt)
    begin = datetime(2026, 3, 2, 11, tzinfo=UTC)  # eight in the evening in Tokyo
    second = timedelta(seconds=1)
    end = begin + timedelta(hours=12)
    moments = [begin - second, begin, end - second, end]
    assert [quiet.until(_in("Asia/Tokyo"), at) for at in moments] == [None, end, end, None]
    assert [quiet.until(_in("Europe/Lisbon"), at) for at in moments[:2]] == [None, None]


def test_who_has_no_zone_is_woken_in_none_of_the_countrys(rt: Runtime) -> None:
    """It is 18:30 in Rio and 19:30 on Fernando de Noronha, which is Brazil, too; the Azores are an hour behind Lisbon."""
    quiet = _at_night(rt, begin="19:00")
    now = datetime(2026, 3, 2, 21, 30, tzinfo=UTC)
    assert quiet.until(_in("America/Sao_Paulo", "BR"), now) is None
    assert quiet.until(_in("", "BR"), now) is not None
    assert quiet.until(_in("Nowhere/Land", "BR"), now) == quiet.until(_in("", "BR"), now)
    assert quiet.until(_in("", "PT"), now) == datetime(2026, 3, 3, 9, tzinfo=UTC)


def test_who_lives_nowhere_is_woken_nowhere_that_we_know_of(rt: Runtime) -> None:
    with rt.begin() as db:
        add_contact(db, key="far", email="far@correio.example", timezone="Asia/Tokyo")
    quiet = _at_night(rt, begin="22:00")
    night_in_tokyo = datetime(2026, 3, 2, 14, tzinfo=UTC)  # eleven in the morning at home
    assert quiet.until(_in(rt.project.settings.company.timezone), night_in_tokyo) is None
    for contact in (_in(""), _in("", "XX"), None):
        assert quiet.until(contact, night_in_tokyo) == datetime(2026, 3, 2, 23, tzinfo=UTC)


def _in(zone: str, country: str = "") -> Contact:
    return Contact(1, "c", timezone=zone, country=country)


def _at_night(rt: Runtime, *, begin: str = "20:00") -> Quiet:
    hours = QuietHours.model_validate({"from": begin, "to": "08:00"})
    policy = rt.project.policy.model_copy(update={"quiet_hours": [hours]})
    rt.project = replace(rt.project, policy=policy)
    return Quiet(rt, "email")
