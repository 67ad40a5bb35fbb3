"""What is wrong with a `when:`, its window, and the schedule Prefect gets for it."""

from datetime import UTC, date, datetime

import pytest

from vinculo.errors import UsageError
from vinculo.schedule import When, occurrences, prefect_schedule, problems

HOME = "America/Sao_Paulo"
DECEMBER = {"start": datetime(2026, 12, 1, tzinfo=UTC), "end": datetime(2027, 1, 1, tzinfo=UTC)}


def _days(**fields: object) -> list[int]:
    when = When(**fields)
    assert problems(when) == []
    return [one.local.day for one in occurrences("c", when, default_zone=HOME, **DECEMBER)]


def test_the_window_holds_on_the_local_calendar_both_days_included() -> None:
    window = {"from": date(2026, 12, 10), "until": date(2026, 12, 12)}
    assert _days(every="day", at="23:30", **window) == [10, 11, 12]
    assert _days(cron="30 23 * * *", **window) == [10, 11, 12]
    assert _days(rrule="FREQ=DAILY;BYHOUR=23", **window) == [10, 11, 12]
    assert _days(on=[date(2026, 12, 11), date(2026, 12, 13)], **window) == [11]


def test_dates_are_sorted_and_counted_once() -> None:
    assert _days(on=[date(2026, 12, 24), date(2026, 12, 3), date(2026, 12, 24)]) == [3, 24]


def test_start_belongs_to_the_window_and_end_does_not() -> None:
    nine = datetime(2026, 12, 1, 12, tzinfo=UTC)
    when = When(every="day")
    assert len(occurrences("c", when, default_zone=HOME, start=nine, end=nine.replace(day=2))) == 1


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, ()),
        ({"every": "day", "cron": "0 9 * * *"}, ()),
        ({"every": "tusday"}, ("every",)),
        ({"every": "2 weeks on tuesday"}, ("every",)),
        ({"rrule": "FREQ=WEEKLY"}, ("rrule",)),
        ({"rrule": "FREQ=DAILY;COUNT=3"}, ("rrule",)),
        ({"rrule": "FREQ=MINUTELY"}, ("rrule",)),
        ({"rrule": "FREQ=DAILY;UNTIL=20261224T120000Z"}, ("rrule",)),
        ({"rrule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}, ("rrule",)),
        ({"cron": "0 9 * *"}, ("cron",)),
        ({"cron": "0 9 * * 9"}, ("cron",)),
        ({"cron": "0 9 30 2 *"}, ("cron",)),
        ({"cron": "0 9 LW * *"}, ("cron",)),
        ({"cron": "0 9 * * 5L"}, ("cron",)),
        ({"cron": "0 9 */2 * 1"}, ("cron",)),
        ({"cron": "0 9 * * 2", "at": "10:00"}, ("at",)),
        ({"on": []}, ("on",)),
        ({"on": date(2026, 12, 24), "until": date(2026, 12, 1)}, ("on",)),
        ({"every": "day", "from": date(2026, 12, 2), "until": date(2026, 12, 1)}, ("until",)),
        ({"every": "day", "timezone": "Sao Paulo"}, ("timezone",)),
    ],
)
def test_each_mistake_has_its_place_and_a_remedy(fields: dict, path: tuple[str, ...]) -> None:
    found = problems(When(**fields))
    assert [(place, bool(message), bool(remedy)) for place, message, remedy in found] == [(path, True, True)]


def test_all_mistakes_are_told_at_once() -> None:
    when = When(cron="0 9 LW * *", at="10:00", timezone="x", **{"from": date(2026, 2, 2), "until": date(2026, 1, 1)})
    assert {path for path, _, _ in problems(when)} == {("cron",), ("at",), ("timezone",), ("until",)}


def test_a_wrong_when_raises_instead_of_never_occurring() -> None:
    with pytest.raises(UsageError, match="tusday"):
        occurrences("c", When(every="tusday"), default_zone=HOME, **DECEMBER)


def test_prefect_gets_a_rule_with_a_start_that_has_a_time_and_no_zone() -> None:
    when = When(every="tuesday", at="09:30", until=date(2027, 6, 30), **{"from": date(2026, 12, 1)})
    assert prefect_schedule(when, default_zone=HOME) == {
        "rrule": "DTSTART:20261201T093000\nRRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL=20270630T235900",
        "timezone": HOME,
    }


def test_prefect_gets_a_cron_rule_as_it_is_and_dates_one_by_one() -> None:
    assert prefect_schedule(When(cron="0 9 * * 2", timezone="UTC"), default_zone=HOME) == {
        "cron": "0 9 * * 2",
        "timezone": "UTC",
    }
    dates = prefect_schedule(When(on=[date(2026, 12, 31), date(2026, 12, 24)]), default_zone=HOME)
    assert dates is not None
    assert dates["rrule"].splitlines() == [
        "DTSTART:20261224T090000",
        "RRULE:FREQ=DAILY;COUNT=1",
        "RDATE:20261231T090000",
    ]
    assert prefect_schedule(When(on=[]), default_zone=HOME) is None


def test_a_contacts_campaign_is_scheduled_where_the_day_comes_first() -> None:
    when = When(every="day", timezone="contact")
    zones = ["America/New_York", "Europe/Lisbon", "America/Sao_Paulo", "no/zone"]
    assert [prefect_schedule(when, default_zone=HOME, zones=some)["timezone"] for some in (zones, [])] == [
        "Europe/Lisbon",
        HOME,
    ]
